"""Each compiled contender beside its eager form: what it costs at the first step, buys later, and when it has paid."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import msgspec

from framebench.dataset import declared
from framebench.dataset.every_baseline import Compared
from framebench.dataset.result import Result
from framebench.statistics.break_even import break_even_steps
from harness.record import Contender


class FirstStep(NamedTuple):
    """The first step from one state of the compile cache, and when compiling has paid from there.

    ``repaid_steps`` counts later steps, ``repaid_ns`` is the wall time of the first and of those; null where no gain
    has been shown.
    """

    compiled_ns: float
    eager_ns: float
    repaid_steps: int | None
    repaid_ns: float | None


class CompiledPair(NamedTuple):
    """``compared``: speed of the compiled form over the eager one's. A state of the cache in which one of the two was
    not timed is null."""

    compiled: Result
    eager: Result
    compared: Compared | None
    cold: FirstStep | None
    warm: FirstStep | None


def compiled_pairs(
    members: Sequence[Result], against: Mapping[str, Mapping[str, Compared]]
) -> list[CompiledPair]:
    """Those of one case, in its order; ``against`` is the case with every baseline (``every_baseline``)."""
    pairs = []
    for compiled in members:
        variant = eager_variant(compiled.contender)
        if compiled.contender.mode != "compiled" or variant is None:
            continue
        eager = beside(
            compiled, msgspec.structs.replace(compiled.contender, mode="eager", variant=variant), members
        )
        if eager is not None:
            compared = against.get(eager.label, {}).get(compiled.id)
            firsts = [_first_step(compiled, eager, compared, state) for state in ("cold_ns", "warm_ns")]
            pairs.append(CompiledPair(compiled, eager, compared, *firsts))
    return pairs


def eager_variant(contender: Contender) -> str | None:
    """The variant of the same contender uncompiled; null where its stack has no such form."""
    known = declared.stacks().get(contender.stack)
    variants = known.modes.get("eager", ()) if known else (contender.variant,)
    fitting = [one for one in variants if not one or f"-{contender.variant}".endswith(f"-{one}")]
    return max(fitting, key=len, default=None)


def compiler(contender: Contender) -> str:
    """What a compiled contender's variant has beyond its eager form's: it chooses among its stack's compilers."""
    if contender.mode != "compiled":
        return ""
    return contender.variant.removesuffix(eager_variant(contender) or "").strip("-")


def beside(result: Result, contender: Contender, members: Iterable[Result]) -> Result | None:
    """The result of another contender of the same stack, timed in the same image."""
    others = (
        other
        for other in members
        if other.contender.slug == contender.slug and other.image.name == result.image.name
    )
    return next(others, None)


def _first_step(compiled: Result, eager: Result, compared: Compared | None, state: str) -> FirstStep | None:
    first, first_eager = (getattr(one.first_steps, state, None) for one in (compiled, eager))
    if first is None or first_eager is None or compiled.time_ns is None or eager.time_ns is None:
        return None
    step = compiled.time_ns.value
    steps = break_even_steps(first_eager, first, eager.time_ns.value, step)
    if compared is None or compared.verdict != "faster" or steps is None:
        return FirstStep(first, first_eager, None, None)
    return FirstStep(first, first_eager, steps, first + steps * step)
