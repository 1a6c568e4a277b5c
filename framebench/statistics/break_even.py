"""When does compiling pay off? The extra time of the first step over the time that each later step saves."""

from __future__ import annotations

import math


def break_even_steps(
    first_plain: float, first_compiled: float, step_plain: float, step_compiled: float
) -> int | None:
    """Steps after which the compiled form has caught up; all times in one unit.

    0 if it is ahead from the first step on, null if it never catches up because its steps are not faster.
    """
    extra, saved = first_compiled - first_plain, step_plain - step_compiled
    if extra <= 0.0 and saved >= 0.0:
        return 0
    if saved <= 0.0:
        return None
    return math.ceil(extra / saved)
