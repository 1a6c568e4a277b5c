"""A record's flags in words, and what each means in a sentence. A code that nobody knows stands for itself."""

from __future__ import annotations

from collections.abc import Iterable

from framebench.dataset.result import SET_ASIDE
from framebench.language import N_, _
from framebench.pages.views import Mark
from harness import flags

WORDS = {
    SET_ASIDE: N_("noisy trials set aside"),
    flags.NOISY: N_("noisy host"),
    flags.UNRANKED: N_("busy host"),
    flags.NOISE_UNKNOWN: N_("noise unknown"),
    flags.NOT_STEADY: N_("warm-up not settled"),
    flags.SLOWDOWN: N_("slowed down"),
    flags.NO_STEADY_STATE: N_("no steady state"),
    flags.DRIFTED: N_("machine drifted"),
    flags.CALL_OVERHEAD: N_("call overhead above 1 %"),
    flags.BARRIER_OVERHEAD: N_("synchronisation above 1 %"),
    flags.NO_TELEMETRY: N_("no telemetry"),
    flags.SLOW_SAMPLER: N_("sampler slowed"),
    flags.GPU_LIMITED: N_("GPU held back"),
    flags.GPU_POWER_LIMITED: N_("GPU at its power limit"),
    flags.GPU_SHARED: N_("GPU shared"),
    flags.GPU_UNSETTLED: N_("GPU not settled"),
    flags.GPU_SHARE_UNKNOWN: N_("GPU's other users unknown"),
    flags.STAND_IN: N_("no GPU"),
    flags.EMULATED: N_("emulated"),
    flags.OWN_BUILD: N_("own build"),
    flags.SHAPE_UNCHECKED: N_("timed shape unchecked"),
    flags.UNEQUAL_CORES: N_("cores of two speeds"),
    flags.ON_BATTERY: N_("on battery"),
}

MEANINGS = {
    SET_ASIDE: N_(
        "Other work took the cores during these trials; three quiet ones or more remain and make the figure."
    ),
    flags.NOISY: N_(
        "Between 2 and 10 % of the time in which this process wanted a processor core it waited for others: "
        "something else was using the machine."
    ),
    flags.UNRANKED: N_(
        "More than 10 % of the time in which this process wanted a processor core it waited for others: such "
        "trials take no part in a ranking."
    ),
    flags.NOISE_UNKNOWN: N_("This machine does not tell how long a process waits for a core."),
    flags.NOT_STEADY: N_("The time per step had not settled when the warm-up reached its limit."),
    flags.SLOWDOWN: N_("The timed blocks became slower and stayed so: their median mixes two levels."),
    flags.NO_STEADY_STATE: N_("The timed blocks did not stay at one level: their median mixes several."),
    flags.DRIFTED: N_(
        "A fixed kernel ran more than 3 % faster or slower after the timed blocks than before the framework was "
        "loaded: the machine itself had changed, by heat, clock or neighbours."
    ),
    flags.CALL_OVERHEAD: N_("The fixed cost of one timed call is more than 1 % of a block."),
    flags.BARRIER_OVERHEAD: N_("Waiting for the device takes more than 1 % of a block."),
    flags.GPU_LIMITED: N_(
        "Heat, a power brake from outside or the hardware's own protection held the GPU's clocks back while it "
        "was timed."
    ),
    flags.GPU_POWER_LIMITED: N_(
        "The GPU ran at its power limit while it was timed: normal at full load, and why its clocks are below "
        "their maximum."
    ),
    flags.GPU_SHARED: N_(
        "More than one process held the GPU, or more than 5 % of its time was used while this trial rested: "
        "something else may have run on it."
    ),
    flags.GPU_UNSETTLED: N_(
        "The GPU's clock or its temperature still moved when the wait for them reached its limit: the timed blocks may "
        "mix two clocks."
    ),
    flags.GPU_SHARE_UNKNOWN: N_(
        "Whether something else ran on the GPU is unknown: its driver tells neither who holds it nor how busy it is, "
        "as under WSL."
    ),
    flags.STAND_IN: N_(
        "A driver that stands in for one, as framebench's own tests have it, and no GPU: its clocks, power and energy "
        "were measured nowhere. Such a result takes no part in a ranking and is never published."
    ),
    flags.EMULATED: N_(
        "The image was made for another kind of processor, which this machine imitated: the times are the "
        "emulator's, and such a result takes no part in a ranking."
    ),
    flags.OWN_BUILD: N_(
        "Measured with somebody's own build of a package in place of the locked one: such a result is for whoever "
        "made that build, takes no part in a ranking, and is never published."
    ),
    flags.SLOW_SAMPLER: N_(
        "Watching disturbs the work on this host more than 1 %, by its self-test: the sampler looked less often."
    ),
    flags.SHAPE_UNCHECKED: N_(
        "What double precision says of the timed batch size was never computed: the gate saw its own, smaller batch, "
        "and nothing but the count of steps and the machine's ceiling stood guard over the timed one."
    ),
    flags.UNEQUAL_CORES: N_(
        "The cores of this trial are of two kinds, fast and slow ones: how long a step takes depends on which of them "
        "its threads met."
    ),
    flags.ON_BATTERY: N_(
        "The machine ran on its battery, where most hold their clocks back: on mains it would be faster, and steadier."
    ),
    flags.NO_TELEMETRY: N_("The sampler that reads the machine's counters could not run."),
}


def word(flag: str) -> str:
    """The flag in a few words."""
    return _(WORDS.get(flag, flag))


def meaning(flag: str) -> str:
    """The flag in a sentence; empty for a code that nobody knows."""
    return _(MEANINGS.get(flag, ""))


def marks(found: Iterable[str]) -> list[Mark]:
    """One mark per flag, each once."""
    return [Mark(word(flag), meaning(flag) or word(flag), warn=True) for flag in dict.fromkeys(found)]


UNRANKED = {
    "parity not checked": (
        N_("gate not passed yet"),
        N_("Its arithmetic has not been checked against the reference yet."),
    ),
    "not comparable": (N_("not comparable"), N_("It failed the gate: it does not compute the same.")),
}


def unranked_word(reason: str | None) -> str:
    """Why a result takes no place, in a few words; empty where it does."""
    return _(UNRANKED[reason][0]) if reason in UNRANKED else word(reason or "")


def why_unranked(reason: str) -> str:
    """Why a result takes no place, in a sentence."""
    return _(UNRANKED[reason][1]) if reason in UNRANKED else meaning(reason) or word(reason)
