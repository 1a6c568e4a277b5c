"""What Keras costs: each of its results beside the framework that runs it, used without Keras, in the same case.

Like stands beside like: eager beside eager, and compiled beside what the same compiler made. On images the order of
channels is part of that, where the framework was timed in the order that Keras keeps.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from framebench.dataset import declared
from framebench.dataset.answers import timed
from framebench.dataset.case_comparisons import CaseComparison
from framebench.dataset.compiled_pairs import compiler
from framebench.dataset.every_baseline import Against, Compared, Group
from framebench.dataset.result import Result
from framebench.records.identity import group_key

KERAS = "keras"  # the framework, on whatever backend
CHANNELS_LAST = ("NHWC", "NCHW, channels last")  # as trials record a layout


class Overhead(NamedTuple):
    """``compared``: the framework's own speed over Keras'."""

    keras: Result
    native: Result
    compared: Compared | None


class CaseOverhead(NamedTuple):
    """One case on one host: every Keras result beside its like, and each backend's best beside its framework's best."""

    case: CaseComparison
    like: list[Overhead]
    best: list[Overhead]

    @property
    def flops_per_step(self) -> int:
        """The work of a step; 0 where it has no products."""
        return self.best[0].keras.flops_per_step or 0


def keras_overheads(
    cases: Sequence[CaseComparison], baselines: Mapping[Group, Against]
) -> list[CaseOverhead]:
    """The cases in which Keras and a framework that runs it were timed, from the least work per step to the most."""
    overheads = [_of_case(case, baselines) for case in cases]
    return sorted((one for one in overheads if one.best), key=lambda one: one.flops_per_step)


def is_keras(result: Result) -> bool:
    """Whether it was written in Keras, on whatever backend; an exported model is none."""
    known = declared.stacks().get(result.contender.stack)
    return known is not None and known.framework == KERAS


def backend_of(stack: str) -> str | None:
    """The stack of the framework that runs a Keras stack, used without Keras; null where nobody compares it."""
    stacks = declared.stacks()
    runs = (one.name for one in stacks.values() if one.framework == stacks[stack].backend)
    return next(runs, None)


def best_of(results: Sequence[Result]) -> Result:
    """Of results that come fastest first, the first that may be ranked; else the first."""
    return next((result for result in results if result.ranked), results[0])


def _of_case(case: CaseComparison, baselines: Mapping[Group, Against]) -> CaseOverhead:
    members = timed(case)
    against = baselines.get(group_key(members[0]), {}) if members else {}
    like, best = [], []
    for stack in dict.fromkeys(one.contender.stack for one in members if is_keras(one)):
        of_keras = [one for one in members if one.contender.stack == stack]
        native = [one for one in members if one.contender.stack == backend_of(stack)]
        like += [_overhead(result, other, against) for result in of_keras if (other := _like(result, native))]
        if native:
            best.append(_overhead(best_of(of_keras), best_of(native), against))
    return CaseOverhead(case, like, best)


def _overhead(keras: Result, native: Result, against: Mapping[str, Mapping[str, Compared]]) -> Overhead:
    return Overhead(keras, native, against.get(keras.label, {}).get(native.id))


def _like(keras: Result, native: Sequence[Result]) -> Result | None:
    """The framework's result in the same mode by the same compiler: of several the one of the version that ran Keras,
    in the same order of channels, in its plainest form."""
    fitting = [
        one
        for one in native
        if one.contender.mode == keras.contender.mode and _chooses(keras, compiler(one.contender))
    ]
    return min(
        fitting,
        key=lambda one: (
            not _same_version(keras, one),
            _channels_last(one) != _channels_last(keras),
            one.contender.variant,
        ),
        default=None,
    )


def _chooses(keras: Result, compiler_name: str) -> bool:
    """Whether the Keras contender's variant names that compiler too; true where its framework has only one."""
    return not compiler_name or f"-{compiler_name}-" in f"-{keras.contender.variant}-"


def _channels_last(result: Result) -> bool:
    settings = result.latest.settings
    return settings is not None and settings.layout in CHANNELS_LAST


def _same_version(keras: Result, native: Result) -> bool:
    """Whether the backend in Keras' image is the framework that was timed by itself: ``jax 0.10.2``."""
    one, other = keras.latest.software, native.latest.software
    return bool(one and other and one.backend and one.backend.split()[-1] == other.framework)
