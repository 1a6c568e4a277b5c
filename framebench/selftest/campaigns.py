"""The self-test's trials: many small campaigns, each with an id of its own, through the ordinary campaign."""

from __future__ import annotations

from contextlib import AbstractContextManager
from itertools import chain
from pathlib import Path
from typing import NamedTuple, Protocol

import msgspec

from framebench.campaign import suites
from framebench.campaign.campaign import Campaign
from framebench.campaign.here import this_checkout
from framebench.campaign.plan import Planned
from framebench.campaign.runner import Runner
from framebench.campaign.suites import Suite
from framebench.dataset.selftest_checks import FAULTS
from framebench.executors import Executor, StackOn, Unavailable
from framebench.executors.choose import choose
from framebench.executors.only_linux import require_linux
from framebench.executors.system import SystemExecutor
from harness.frameworks import SELF_TEST
from harness.record import Contender, ImageRef, Record, TrialKind

REAL_CONTENDER = "torch-eager"
CORES = 1  # of a trial: NumPy's step uses one, and the host keeps the others


class Progress(Protocol):
    """What the self-test tells the terminal."""

    def stage(self, name: str, trials: int) -> AbstractContextManager[None]: ...

    def advance(self) -> None: ...

    def say(self, line: str) -> None: ...


class Form(NamedTuple):
    """How much of everything."""

    aa_campaigns: int
    aa_rounds: int
    planted_campaigns: int
    planted_rounds: int
    observer_trials: int
    real_rounds: int


# Three rounds are the fewest that carry a verdict.
FULL = Form(
    aa_campaigns=100, aa_rounds=3, planted_campaigns=15, planted_rounds=10, observer_trials=40, real_rounds=5
)
QUICK = Form(
    aa_campaigns=4, aa_rounds=3, planted_campaigns=0, planted_rounds=0, observer_trials=8, real_rounds=0
)


class Trials(NamedTuple):
    """What was measured; each campaign's records by themselves."""

    sound: Record  # the NumPy stack without a fault
    faulty: dict[str, Record]  # by variant
    ceiling: Record
    observer: list[Record]
    aa: list[list[Record]]
    planted: list[list[Record]]
    real: list[Record]
    real_refusal: str | None

    def every(self) -> list[Record]:
        """All of them."""
        several = (self.observer, self.real, *self.aa, *self.planted)
        return [self.sound, self.ceiling, *self.faulty.values(), *chain.from_iterable(several)]


class SelfTestCampaigns:
    """Runs the trials of one self-test; every record goes to ``folder`` the moment its trial ends."""

    def __init__(self, root: Path, folder: Path, progress: Progress) -> None:
        require_linux("system")
        self.root, self.folder, self.progress = root, folder, progress
        self.source = this_checkout(root)
        self.suite = suites.load_self_test(root, "planted")
        self.observer_suite = suites.load_self_test(root, "observer")
        self.executor: Executor = SystemExecutor(root)
        self.images = {StackOn(SELF_TEST): ImageRef(name=None)}
        self._campaigns = 0

    def run(self, form: Form) -> Trials:
        """Everything, the quick parts first."""
        with self.progress.stage("canaries", len(FAULTS) + 2):
            sound, *broken = (self._one("timing", variant) for variant in ("", *FAULTS))
            ceiling = self._one("ceiling", "")
        with self.progress.stage("observer effect", form.observer_trials):
            observer = self._campaign(self.observer_suite, form.observer_trials)
        with self.progress.stage("A/A", 2 * form.aa_campaigns * form.aa_rounds):
            pair = msgspec.structs.replace(self.suite, contenders=[self.suite.baseline])
            aa = [self._campaign(pair, form.aa_rounds) for _ in range(form.aa_campaigns)]
        entrants = len(self.suite.contenders) + 1
        with self.progress.stage("planted", form.planted_campaigns * form.planted_rounds * entrants):
            planted = [self._campaign(self.suite, form.planted_rounds) for _ in range(form.planted_campaigns)]
        real, refusal = (
            self._real(form.real_rounds) if form.real_rounds else ([], "not part of the quick form")
        )
        return Trials(
            sound, dict(zip(FAULTS, broken, strict=True)), ceiling, observer, aa, planted, real, refusal
        )

    def _campaign(self, suite: Suite, rounds: int) -> list[Record]:
        """Timing trials of all of the suite's contenders, its twin too, in its only case."""
        runner = self._open(suite, self.executor, self.images)
        return runner.rounds(suite.expand(CORES)[0], suite.entrants(), rounds, self._id)

    def _one(self, kind: TrialKind, variant: str) -> Record:
        runner = self._open(self.suite, self.executor, self.images)
        contender = Contender(stack=SELF_TEST, mode="eager", variant=variant)
        return runner.run(Planned(kind, self.suite.expand(CORES)[0], contender, 1))

    def _real(self, rounds: int) -> tuple[list[Record], str | None]:
        """A/A of a real stack in the smoke suite's smallest case, where its trials run otherwise."""
        executor = choose(self.root, "auto", self.progress.say)
        smoke = suites.load(self.root, "smoke")
        suite = msgspec.structs.replace(smoke, contenders=[REAL_CONTENDER], twin=REAL_CONTENDER)
        original, twin = suite.entrants()
        wanted = StackOn(original.stack)
        prepared = executor.prepare([wanted], self.progress.say)[wanted]
        if isinstance(prepared, Unavailable):
            return [], prepared.reason
        runner = self._open(suite, executor, {wanted: prepared})
        case = next(case for case in suite.expand(executor.machine().cores_allowed) if case.workload == "mlp")
        with self.progress.stage(f"A/A of {REAL_CONTENDER}", 1 + 2 * rounds):
            gate = runner.run(Planned("parity", case, original, 0))
            return [gate, *runner.rounds(case, [original, twin], rounds, self._id)], None

    @property
    def _id(self) -> str:
        """Of the campaign that was opened last; each has its own."""
        return f"{self._campaigns:012x}"

    def _open(self, suite: Suite, executor: Executor, images: dict[StackOn, ImageRef]) -> Runner:
        self._campaigns += 1
        campaign = Campaign(suite, executor, images, self.source, self.folder, self._id)
        return Runner(executor, self.folder, campaign.spec, lambda trial, record: self.progress.advance())
