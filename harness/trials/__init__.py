"""The kinds of trial. Gate, clock and memory never share a process: one would warm what another measures."""

from __future__ import annotations

from collections.abc import Callable

from harness.draft import Draft
from harness.record import Outcome, TrialKind
from harness.trials.ceiling import ceiling_trial
from harness.trials.cold_start import cold_start_trial
from harness.trials.memory import memory_trial
from harness.trials.parity import parity_trial
from harness.trials.profile import profile_trial
from harness.trials.timing import timing_trial

TRIALS: dict[TrialKind, Callable[[Draft], Outcome]] = {
    "parity": parity_trial,
    "timing": timing_trial,
    "memory": memory_trial,
    "cold-start": cold_start_trial,
    "ceiling": ceiling_trial,
    "profile": profile_trial,
}
