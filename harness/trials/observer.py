"""What watching costs: the same blocks with the sampler at work and without it, side by side in one trial."""

from __future__ import annotations

import random
from collections.abc import Callable

from harness.record import Block, ObserverEffect, TrialSpec
from harness.telemetry.recorder import Telemetry
from harness.trials.settling import LONGEST_S, settle


def observer_effect(
    measure: Callable[[], list[Block]], telemetry: Telemetry, spec: TrialSpec
) -> ObserverEffect:
    """``measure`` once in a window of telemetry and once outside, on a GPU that has settled; which comes first is drawn
    by lot.

    The lot is the trial's own (its seed and id), so that over trials a drift favours neither.
    """
    settling = settle(measure, telemetry, min(LONGEST_S, spec.protocol.warmup_max_s))
    watched_first = random.Random(f"{spec.seed} {spec.trial_id}").random() < 0.5
    blocks: dict[bool, list[Block]] = {}
    for watched in (watched_first, not watched_first):
        if watched:
            with telemetry.window("observer"):
                blocks[watched] = measure()
        else:
            blocks[watched] = measure()
    return ObserverEffect(
        first="on" if watched_first else "off", on=blocks[True], off=blocks[False], settling=settling
    )
