"""A campaign runs a plan on one executor and stores every record the moment its trial ends.

It can be stopped at any moment: what is on disk is complete trials, and the same command carries on.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import NamedTuple, Protocol

from framebench.campaign import side_by_side
from framebench.campaign.estimate import Estimator
from framebench.campaign.ledger import Ledger
from framebench.campaign.plan import Plan, Planned
from framebench.campaign.runner import Runner
from framebench.campaign.suites import Suite
from framebench.executors import Executor, StackOn, cooling
from framebench.executors.cards import host_of
from framebench.records import store
from framebench.records.accidents import in_passing
from framebench.records.identity import campaign_on, environment, protocol_hash, trial_key
from framebench.records.provenance import Checkout
from framebench.records.work_tokens import gate_hash, work_hash
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
        images: dict[StackOn, ImageRef],
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
        self._warmed: cooling.Warmed | None = None
        self._host_of = functools.cache(
            functools.partial(host_of, source.host_id)
        )  # of a device and how many of it
        self.ledger = Ledger(self._key, suite.rounds, suite.baseline)
        self.runner = Runner(
            executor, results, self.spec, lambda trial, record: self.ledger.remember([record])
        )

    def run(
        self,
        plan: Plan,
        progress: Progress,
        estimator: Estimator,
        deadline: float | None,
    ) -> Summary:
        """Gates, then rounds; no case's round starts that would miss ``deadline`` (a ``time.monotonic`` value).

        Between rounds a case that a look finds precise enough drops out.
        """

        def needs(trials: list[Planned]) -> float:
            return sum(
                estimator.seconds(t.kind, t.case, t.contender, self.suite.protocol_of(t.case)) for t in trials
            )

        started = time.monotonic()
        outcomes: dict[str, int] = {}
        skipped = 0
        stopped = None
        progress.start(plan)
        left = plan.trials()
        announced = 0
        unfit: set[Case] = set()  # a round of another case may be shorter
        for number, batch in self._portions(plan, left, progress):
            if number > 0 and batch[0].case in unfit:
                continue
            needed = needs(batch)
            if deadline is not None and number > 1 and time.monotonic() + needed > deadline:
                unfit.add(batch[0].case)
                spent = f"round {number} of {batch[0].case.path} would need {needed / 60:.0f} more minutes"
                stopped = stopped or f"the budget is spent: {spent}"
                continue
            if number > announced:
                progress.round(number, len(plan.rounds))
                announced = number
            for count, trials in self._together(batch):
                for trial, records in side_by_side.run(trials, count, lambda one: self._start(one, progress)):
                    left.remove(trial)
                    for record in records:
                        outcomes[record.outcome.status] = outcomes.get(record.outcome.status, 0) + 1
                    estimator.learn(records[-1])
                    progress.finished(trial, records[-1], needs(left))
                refused = [trial for trial in trials if trial in left and self.ledger.refusal(trial)]
                skipped += len(refused)
                left[:] = [trial for trial in left if trial not in refused]
            if self.stop_after_trial and any(trial in left for trial in batch):
                stopped = "stopped; the same command carries on"
                break
        return Summary(outcomes, skipped, stopped, time.monotonic() - started)

    def _portions(
        self, plan: Plan, left: list[Planned], progress: Progress
    ) -> Iterator[tuple[int, list[Planned]]]:
        """What is begun as one: the gates, as number 0, then of each round one case after the other."""
        yield 0, plan.gates
        for number, batch in enumerate(plan.rounds, start=1):
            self._drop_settled(plan, left, batch, progress)
            due = [trial for trial in batch if trial in left]
            for _, of_case in groupby(due, key=lambda trial: trial.case.path):
                yield number, list(of_case)

    def _together(self, batch: list[Planned]) -> Iterator[tuple[int, list[Planned]]]:
        """Neighbours in the batch that may run beside each other, and how many at a time."""
        machine = self.executor.machine()
        at_a_time = {trial: side_by_side.at_a_time(trial.kind, trial.case, machine) for trial in batch}
        for (count, _kind), group in groupby(batch, key=lambda trial: (at_a_time[trial], trial.kind)):
            yield count, list(group)

    def _start(self, trial: Planned, progress: Progress) -> list[Record] | None:
        """What the trial left on disk, its end last: two records where it was killed or lost its container, since it is
        then run once more; null if it must not run (any more)."""
        if self.stop_after_trial:
            return None
        if refusal := self.ledger.refusal(trial):
            progress.skipped(trial, refusal)
            return None
        progress.trial(trial)
        cards = trial.case.device_count if trial.case.device == "gpu" else 0
        if cards and self._warmed is not None:
            cooling.rest(self._warmed, cards, progress.log, lambda: self.stop_after_trial)
            if self.stop_after_trial:
                return None
        found_c = cooling.hottest_c(cards) if cards else None
        records = [self.runner.run(trial, progress.log)]
        if in_passing(records[0]) and not self.stop_after_trial:
            records.append(self.runner.run(trial, progress.log))
        self._warmed = cooling.warmed(records[-1], found_c)
        return records

    def _drop_settled(
        self, plan: Plan, left: list[Planned], batch: list[Planned], progress: Progress
    ) -> None:
        """Take the trials of cases that the last look settled out of ``left``."""
        for case in dict.fromkeys(trial.case for trial in batch if trial in left):
            rounds = self.ledger.settled(case, plan.compared[case.path])
            if rounds is not None:
                of_case = [trial for trial in left if trial.case == case]
                left[:] = [trial for trial in left if trial.case != case]
                progress.settled(case, rounds, len(of_case))

    def _protocol_hash(self, trial: Planned) -> str:
        """The gate's own hash where it is the gate: it looks at no clock."""
        if trial.kind == "parity":
            return gate_hash(self.source.root, trial.case.workload)
        return protocol_hash(self.suite.protocol_of(trial.case))

    def _work_hash(self, trial: Planned) -> str:
        case = trial.case
        return work_hash(
            self.source.root, trial.contender.stack, case.workload, case.preset, case.device_count
        )

    def _key(self, trial: Planned) -> tuple[str, ...] | None:
        image = self.images.get(StackOn(trial.contender.stack, trial.case.device))
        if image is None:
            return None
        try:
            work = self._work_hash(trial)
        except Exception:  # work that this checkout cannot do: a broken folder, a preset that has gone
            return None
        return trial_key(
            trial.kind,
            trial.case,
            trial.contender,
            trial.round,
            host_id=self._host_of(trial.case.device, trial.case.device_count),
            executor=self.executor.name,
            environment=environment(image),
            work_hash=work,
            protocol=self._protocol_hash(trial),
        )

    def spec(self, trial: Planned) -> TrialSpec:
        """What the harness is told of a planned trial."""
        host_id = self._host_of(trial.case.device, trial.case.device_count)
        here = host_id == self.source.host_id
        return TrialSpec(
            kind=trial.kind,
            trial_id=store.new_trial_id(),
            campaign_id=self.campaign_id if here else campaign_on(self.campaign_id, host_id),
            round=trial.round,
            seed=trial.round,  # what is learnt in round r starts from seed r, in every stack
            case=trial.case,
            contender=trial.contender,
            protocol=self.suite.protocol_of(trial.case),
            image=self.images[StackOn(trial.contender.stack, trial.case.device)],
            provenance=Provenance(
                executor=self.executor.name,  # type: ignore[arg-type]
                host_id=host_id,
                git_commit=self.source.commit,
                dirty=self.source.dirty,
                harness_tree_sha256=self.source.harness_tree,
                work_hash=self._work_hash(trial),
                protocol_hash=self._protocol_hash(trial),
            ),
            cache_state="cold" if trial.kind == "cold-start" else "warm",
            timeout_s=self.suite.timeout_s,
        )
