"""A campaign runs a plan on one executor and stores every record the moment its trial ends.

It can be stopped at any moment: what is on disk is complete trials, and the same command carries on.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple, Protocol

from framebench.campaign.estimate import Estimator
from framebench.campaign.plan import Plan, Planned
from framebench.campaign.suites import Suite
from framebench.dataset.case_comparisons import comparisons
from framebench.dataset.grouping import results
from framebench.executors import Executor, Failure
from framebench.records import store
from framebench.records.identity import record_key, trial_key, work_hash
from framebench.records.provenance import Checkout
from framebench.statistics import looks
from harness.record import Case, Contender, ImageRef, Outcome, Provenance, Record, TrialSpec


class Progress(Protocol):
    """What the campaign tells the terminal."""

    def start(self, plan: Plan) -> None: ...

    def round(self, number: int, of: int) -> None: ...

    def trial(self, trial: Planned) -> None: ...

    def log(self, line: str) -> None: ...

    def finished(self, trial: Planned, record: Record, left_s: float) -> None: ...

    def skipped(self, trial: Planned, reason: str) -> None: ...

    def settled(self, case: Case, rounds: int, left_out: int) -> None: ...


class Summary(NamedTuple):
    outcomes: dict[str, int]  # status -> trials run now
    skipped: int  # timing trials whose gate did not pass
    stopped: str | None  # why it ended early, in words
    elapsed_s: float


class Campaign:
    """One suite on one executor. ``images`` holds what each stack runs in (from ``executor.prepare``)."""

    def __init__(
        self,
        suite: Suite,
        executor: Executor,
        images: dict[str, ImageRef],
        source: Checkout,
        results: Path,
        campaign_id: str,
    ) -> None:
        self.suite = suite
        self.executor = executor
        self.images = images
        self.source = source
        self.results = results
        self.campaign_id = campaign_id
        self.stop_after_trial = False
        self._hashes: dict[tuple[str, str], str] = {}
        self._gates: dict[tuple[str, str], Record] = {}
        self._done: dict[tuple[str, ...], list[Record]] = {}

    def remember(self, records: list[Record]) -> None:
        """Count these records as done; an interrupted trial is not, it will be run again."""
        for record in records:
            if record.outcome.status == "interrupted":
                continue
            key = record_key(record)
            self._done.setdefault(key, []).append(record)
            gate = Planned("parity", record.case, record.contender, 0)
            if record.kind == "parity" and record.contender.stack in self.images and key == self._key(gate):
                self._gates[record.case.path, record.contender.slug] = record

    def done(self, trial: Planned) -> bool:
        """Is this very trial on disk, from the same image and the same work?"""
        return self._key(trial) in self._done

    def settled(self, case: Case, contenders: Sequence[Contender]) -> int | None:
        """The rounds after which a look found the case precise enough for no more of them; null if none did.

        A look sees what the pages would show of the rounds up to it, and nothing of later ones: whoever asks, and
        whenever, gets the same answer. It takes place once those rounds are finished.
        """
        for look in looks.LOOKS:
            if look >= self.suite.rounds:
                break
            trials = [
                Planned("timing", case, entrant, number)
                for entrant in contenders
                for number in range(1, look + 1)
            ]
            counted = [trial for trial in trials if not self._refusal(trial)]
            if not all(map(self.done, counted)):
                break
            records = [record for trial in counted for record in self._done[self._key(trial)]]
            for compared in comparisons(results(records), self.suite.baseline):
                if looks.stop(look, compared.half_widths):
                    return look
        return None

    def run(
        self,
        plan: Plan,
        progress: Progress,
        estimator: Estimator,
        deadline: float | None,
    ) -> Summary:
        """Gates, then whole rounds; none starts that would miss ``deadline`` (a ``time.monotonic`` value).

        Between rounds a case that a look finds precise enough drops out.
        """

        def needs(trials: list[Planned]) -> float:
            return sum(estimator.seconds(t.kind, t.case, t.contender, self.suite.protocol) for t in trials)

        started = time.monotonic()
        outcomes: dict[str, int] = {}
        skipped = 0
        stopped = None
        progress.start(plan)
        left = plan.trials()
        for number, batch in enumerate([plan.gates, *plan.rounds]):
            if number > 0:
                self._drop_settled(plan, left, batch, progress)
                batch = [trial for trial in batch if trial in left]
                if not batch:
                    continue
            needed = needs(batch)
            if number > 0:
                progress.round(number, len(plan.rounds))
                if deadline is not None and number > 1 and time.monotonic() + needed > deadline:
                    stopped = f"the budget is spent: round {number} would need {needed / 60:.0f} more minutes"
                    break
            for trial in batch:
                if self.stop_after_trial:
                    stopped = "stopped by Ctrl-C; the same command carries on"
                    break
                left.remove(trial)
                refusal = self._refusal(trial)
                if refusal:
                    skipped += 1
                    progress.skipped(trial, refusal)
                    continue
                progress.trial(trial)
                record = self.run_trial(trial, progress.log)
                estimator.learn(record)
                outcomes[record.outcome.status] = outcomes.get(record.outcome.status, 0) + 1
                progress.finished(trial, record, needs(left))
            if stopped:
                break
        return Summary(outcomes, skipped, stopped, time.monotonic() - started)

    def run_trial(self, trial: Planned, log: Callable[[str], None]) -> Record:
        """One trial: a record on disk, whatever happened."""
        spec = self._spec(trial)
        started_utc = datetime.now(UTC).isoformat(timespec="milliseconds")
        answer = self.executor.run(spec, log)
        record = host_record(spec, answer, started_utc) if isinstance(answer, Failure) else answer
        store.write(record, self.results)
        self.remember([record])
        return record

    def _drop_settled(
        self, plan: Plan, left: list[Planned], batch: list[Planned], progress: Progress
    ) -> None:
        """Take the trials of cases that the last look settled out of ``left``."""
        for case in dict.fromkeys(trial.case for trial in batch if trial in left):
            rounds = self.settled(case, plan.contenders)
            if rounds is not None:
                of_case = [trial for trial in left if trial.case == case]
                left[:] = [trial for trial in left if trial.case != case]
                progress.settled(case, rounds, len(of_case))

    def _refusal(self, trial: Planned) -> str | None:
        """Why a trial after the gates must not run: its gate did not pass."""
        if trial.kind == "parity":
            return None
        original = trial.contender.slug.removesuffix("-twin")
        gate = self._gates.get((trial.case.path, original))
        if gate is None or gate.outcome.status == "ok":
            return None
        return f"{gate.outcome.status}: {gate.outcome.reason or 'see its parity record'}"

    def _work_hash(self, stack: str, workload: str) -> str:
        if (stack, workload) not in self._hashes:
            self._hashes[stack, workload] = work_hash(self.source.root, stack, workload)
        return self._hashes[stack, workload]

    def _key(self, trial: Planned) -> tuple[str, ...]:
        image = self.images[trial.contender.stack]
        return trial_key(
            trial.kind,
            trial.case,
            trial.contender,
            trial.round,
            host_id=self.source.host_id,
            executor=self.executor.name,
            image=image.config_digest or image.lock_sha256 or "no image",
            work_hash=self._work_hash(trial.contender.stack, trial.case.workload),
            protocol=self.suite.protocol.name,
        )

    def _spec(self, trial: Planned) -> TrialSpec:
        return TrialSpec(
            kind=trial.kind,
            trial_id=store.new_trial_id(),
            campaign_id=self.campaign_id,
            round=trial.round,
            seed=trial.round,  # round r draws its weights and batch order from seed r, in every stack
            case=trial.case,
            contender=trial.contender,
            protocol=self.suite.protocol,
            image=self.images[trial.contender.stack],
            provenance=Provenance(
                executor=self.executor.name,  # type: ignore[arg-type]
                host_id=self.source.host_id,
                git_commit=self.source.commit,
                dirty=self.source.dirty,
                harness_tree_sha256=self.source.harness_tree,
                work_hash=self._work_hash(trial.contender.stack, trial.case.workload),
            ),
            cache_state="cold" if trial.kind == "cold-start" else "warm",
            timeout_s=self.suite.timeout_s,
        )


def host_record(spec: TrialSpec, failure: Failure, started_utc: str) -> Record:
    """What the process could not report itself."""
    outcome: Outcome = failure.outcome
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
        outcome=outcome,
        cache_state=spec.cache_state,
    )
