"""One trial → one record on disk, whatever happened; and the rounds that reproductions and self-tests are made of."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from msgspec.structs import replace

from framebench.campaign.cluster_job import this_job
from framebench.campaign.plan import Planned, shuffled_round
from framebench.executors import Executor, Failure, Progress
from framebench.records import store
from framebench.records.accidents import CLOCK_STEPPED
from framebench.records.start_time import CLOCKS, identified, started
from harness.record import Case, Contender, Outcome, Record, TrialSpec


class Runner:
    """Runs trials on one executor; each record is in ``folder`` before the next trial starts.

    ``spec_of`` turns what was planned into what the harness is told. ``ended`` hears of every record on disk.
    """

    def __init__(
        self,
        executor: Executor,
        folder: Path,
        spec_of: Callable[[Planned], TrialSpec],
        ended: Callable[[Planned, Record], None] = lambda trial, record: None,
    ) -> None:
        self.executor = executor
        self.folder = folder
        self._spec_of = spec_of
        self._ended = ended

    def run(self, trial: Planned, log: Progress = lambda line: None) -> Record:
        """One fresh process; what it cannot report itself the host writes."""
        spec = self._spec_of(trial)
        started_utc = datetime.now(UTC).isoformat(timespec="milliseconds")
        answer = self.executor.run(spec, log)
        record = host_record(spec, answer, started_utc) if isinstance(answer, Failure) else answer
        # whatever the trial itself says of them
        record = replace(record, cluster_job=this_job(os.environ), engine=self.executor.engine)
        record = _by_one_clock(record)
        store.write(record, self.folder)
        self._ended(trial, record)
        return record

    def rounds(self, case: Case, contenders: Sequence[Contender], rounds: int, seed: str) -> list[Record]:
        """Every contender timed once per round, in an order drawn for each."""
        return [
            self.run(trial)
            for number in range(1, rounds + 1)
            for trial in shuffled_round(case, contenders, number, seed)
        ]


def _by_one_clock(record: Record) -> Record:
    """The record, as invalid where its moments cannot be believed: the clock was stepped after its id was made, or
    the machine that measured has another one."""
    start, made = started(record), identified(record)
    if start is None or made is None or abs(start - made) <= CLOCKS:
        return record
    reason = f"{CLOCK_STEPPED}: the trial began at {start:%Y-%m-%dT%H:%M:%SZ} by its clock, asked at {made:%H:%M:%SZ}"
    mend = "set the clocks of this machine and of the one that measures, then run the same command again"
    return replace(record, outcome=Outcome(status="invalid", reason=reason, mend=mend))


def host_record(spec: TrialSpec, failure: Failure, started_utc: str) -> Record:
    """What the process could not report itself."""
    return Record(
        written_by="host",
        kind=spec.kind,
        trial_id=spec.trial_id,
        campaign_id=spec.campaign_id,
        round=spec.round,
        seed=spec.seed,
        started_utc=started_utc,
        duration_ns=failure.duration_ns,
        case=spec.case,
        contender=spec.contender,
        protocol=spec.protocol,
        image=spec.image,
        provenance=spec.provenance,
        outcome=failure.outcome,
        cache_state=spec.cache_state,
    )
