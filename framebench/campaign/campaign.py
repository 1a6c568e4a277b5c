"""A campaign runs a plan on one executor and stores every record the moment its trial ends.

It can be stopped at any moment: what is on disk is complete trials, and the same command carries on.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import NamedTuple, Protocol

from framebench.campaign.estimate import Estimator
from framebench.campaign.ledger import Ledger
from framebench.campaign.plan import Plan, Planned
from framebench.campaign.runner import Runner
from framebench.campaign.suites import Suite
from framebench.executors import Executor
from framebench.records import store
from framebench.records.identity import image_identity, trial_key, work_hash
from framebench.records.provenance import Checkout
from harness.record import Case, ImageRef, Provenance, Record, TrialSpec


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
        self.ledger = Ledger(self._key, suite.rounds, suite.baseline)
        self.runner = Runner(
            executor, results, self.spec, lambda trial, record: self.ledger.remember([record])
        )
        self._hashes: dict[tuple[str, str], str] = {}

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
                refusal = self.ledger.refusal(trial)
                if refusal:
                    skipped += 1
                    progress.skipped(trial, refusal)
                    continue
                progress.trial(trial)
                record = self.runner.run(trial, progress.log)
                estimator.learn(record)
                outcomes[record.outcome.status] = outcomes.get(record.outcome.status, 0) + 1
                progress.finished(trial, record, needs(left))
            if stopped:
                break
        return Summary(outcomes, skipped, stopped, time.monotonic() - started)

    def _drop_settled(
        self, plan: Plan, left: list[Planned], batch: list[Planned], progress: Progress
    ) -> None:
        """Take the trials of cases that the last look settled out of ``left``."""
        for case in dict.fromkeys(trial.case for trial in batch if trial in left):
            rounds = self.ledger.settled(case, plan.contenders)
            if rounds is not None:
                of_case = [trial for trial in left if trial.case == case]
                left[:] = [trial for trial in left if trial.case != case]
                progress.settled(case, rounds, len(of_case))

    def _work_hash(self, stack: str, workload: str) -> str:
        if (stack, workload) not in self._hashes:
            self._hashes[stack, workload] = work_hash(self.source.root, stack, workload)
        return self._hashes[stack, workload]

    def _key(self, trial: Planned) -> tuple[str, ...] | None:
        image = self.images.get(trial.contender.stack)
        if image is None:
            return None
        return trial_key(
            trial.kind,
            trial.case,
            trial.contender,
            trial.round,
            host_id=self.source.host_id,
            executor=self.executor.name,
            image=image_identity(image),
            work_hash=self._work_hash(trial.contender.stack, trial.case.workload),
            protocol=self.suite.protocol.name,
        )

    def spec(self, trial: Planned) -> TrialSpec:
        """What the harness is told of a planned trial."""
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
