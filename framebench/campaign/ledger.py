"""What is done already: trials on disk, how the gates ended, and the cases that a look found precise enough."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from framebench.campaign.plan import Planned
from framebench.dataset.case_comparisons import comparisons
from framebench.dataset.grouping import results
from framebench.records.accidents import from_outside
from framebench.records.identity import record_key
from framebench.statistics import looks
from harness.record import Case, Contender, Record, TrialKind

TrialKey = tuple[str, ...]


class Ledger:
    """The trials of one campaign that need not be run again.

    ``key_of`` gives what makes a planned trial the same as one on disk (null: its stack takes no part). ``rounds``
    and ``baseline`` are the suite's: they say when a case is settled.
    """

    def __init__(self, key_of: Callable[[Planned], TrialKey | None], rounds: int, baseline: str) -> None:
        self._key_of = key_of
        self._rounds = rounds
        self._baseline = baseline
        self._gates: dict[tuple[str, str], Record] = {}
        self._done: dict[TrialKey, list[Record]] = {}

    def remember(self, records: Iterable[Record]) -> None:
        """Count these records as done; a trial that something outside ended is not, it will be run again.

        Its gate keeps what it should have let through from being timed, until it was run again.
        """
        for record in records:
            key = record_key(record)
            accident = from_outside(record)
            if not accident:
                self._done.setdefault(key, []).append(record)
            gate = Planned("parity", record.case, record.contender, 0)
            if record.kind == "parity" and key == self._key_of(gate):
                place = record.case.path, record.contender.slug
                self._gates[place] = self._gates.get(place, record) if accident else record

    def done(self, trial: Planned) -> bool:
        """Is this very trial on disk, from the same image and the same work?"""
        return self._key_of(trial) in self._done

    def has_number(self, kinds: Iterable[TrialKind], pairs: Iterable[tuple[Case, Contender]]) -> bool:
        """Whether any trial of these kinds measured one of the pairs, now or earlier; a gate measures nothing."""
        measured = [kind for kind in kinds if kind != "parity"]
        rounds = range(self._rounds + 1)
        return any(
            record.outcome.status == "ok"
            for case, entrant in pairs
            for kind in measured
            for number in rounds
            for record in self._records(Planned(kind, case, entrant, number))
        )

    def refusal(self, trial: Planned) -> str | None:
        """Why a trial after the gates must not run: its gate did not pass."""
        if trial.kind == "parity":
            return None
        original = trial.contender.slug.removesuffix("-twin")
        gate = self._gates.get((trial.case.path, original))
        if gate is None or gate.outcome.status == "ok":
            return None
        why, *_ = (gate.outcome.reason or "").splitlines() or ["see its parity record"]
        return f"{gate.outcome.status}: {why}"

    def settled(self, case: Case, contenders: Sequence[Contender]) -> int | None:
        """The rounds after which a look found the case precise enough for no more of them; null if none did.

        A look sees what the pages would show of the rounds up to it, and nothing of later ones: whoever asks, and
        whenever, gets the same answer. It takes place once those rounds are finished.
        """
        for look in looks.LOOKS:
            if look >= self._rounds:
                break
            trials = [
                Planned("timing", case, entrant, number)
                for entrant in contenders
                for number in range(1, look + 1)
            ]
            counted = [trial for trial in trials if not self.refusal(trial)]
            if not all(map(self.done, counted)):
                break
            records = [record for trial in counted for record in self._records(trial)]
            for compared in comparisons(results(records), self._baseline):
                if looks.stop(look, compared.half_widths):
                    return look
        return None

    def _records(self, trial: Planned) -> list[Record]:
        key = self._key_of(trial)
        return self._done.get(key, []) if key else []
