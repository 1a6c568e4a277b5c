"""What a record's flags mean, in a sentence each. An unknown flag stands for itself."""

from __future__ import annotations

from framebench.dataset.result import SET_ASIDE
from framebench.pages.views import Mark
from framebench.pages.words import _
from harness import flags

MEANINGS = {
    SET_ASIDE: _(
        "Other work took the cores during these trials; three quiet ones or more remain and make the figure."
    ),
    flags.NOISY: _(
        "Between 2 and 10 % of the time in which this process wanted a processor core it waited for others: "
        "something else was using the machine."
    ),
    flags.UNRANKED: _(
        "More than 10 % of the time in which this process wanted a processor core it waited for others: such "
        "trials take no part in a ranking."
    ),
    flags.NOISE_UNKNOWN: _("This machine does not tell how long a process waits for a core."),
    flags.NOT_STEADY: _("The time per step had not settled when the warm-up reached its limit."),
    flags.SLOWDOWN: _("The timed blocks became slower and stayed so: their median mixes two levels."),
    flags.NO_STEADY_STATE: _("The timed blocks did not stay at one level: their median mixes several."),
    flags.DRIFTED: _(
        "A fixed kernel ran more than 3 % faster or slower after the timed blocks than before the framework was "
        "loaded: the machine itself had changed, by heat, clock or neighbours."
    ),
    flags.CALL_OVERHEAD: _("The fixed cost of one timed call is more than 1 % of a block."),
    flags.BARRIER_OVERHEAD: _("Waiting for the device takes more than 1 % of a block."),
    flags.GPU_LIMITED: _(
        "Heat, a power brake from outside or the hardware's own protection held the GPU's clocks back while it "
        "was timed."
    ),
    flags.GPU_POWER_LIMITED: _(
        "The GPU ran at its power limit while it was timed: normal at full load, and why its clocks are below "
        "their maximum."
    ),
    flags.GPU_SHARED: _(
        "More than one process held the GPU, or more than 5 % of its time was used while this trial rested: "
        "something else may have run on it."
    ),
    flags.EMULATED: _(
        "The image was made for another kind of processor, which this machine imitated: the times are the "
        "emulator's, and such a result takes no part in a ranking."
    ),
    flags.SLOW_SAMPLER: _(
        "Watching disturbs the work on this host more than 1 %, by its self-test: the sampler looked less often."
    ),
    flags.NO_TELEMETRY: _("The sampler that reads the machine's counters could not run."),
}


def meaning(flag: str) -> str:
    """The flag in a sentence."""
    return MEANINGS.get(flag, flag)


def marks(flags: list[str]) -> list[Mark]:
    """One mark per flag, each once."""
    return [Mark(_(flag), meaning(flag), warn=True) for flag in dict.fromkeys(flags)]


def why_unranked(reason: str) -> str:
    """Why a result takes no place, in a sentence."""
    known = {
        "parity not checked": _("Its arithmetic has not been checked against the reference yet."),
        "not comparable": _("It failed the parity gate: it does not compute the same."),
    }
    return known.get(reason, meaning(reason))
