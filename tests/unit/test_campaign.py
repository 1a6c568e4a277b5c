"""The campaign: what it stores, what it refuses, how it stops and carries on."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import numpy as np
import pytest

from framebench.campaign import plan as planning
from framebench.campaign import suites
from framebench.campaign.campaign import Campaign
from framebench.campaign.estimate import Estimator
from framebench.campaign.plan import Plan, Planned
from framebench.commands.phrases import outcome_line
from framebench.dataset import grouping
from framebench.executors import Failure, Progress, StackOn, Unavailable, cooling
from framebench.executors.machine import Machine
from framebench.records import store
from framebench.records.accidents import KERNEL_KILLED
from framebench.records.provenance import Checkout
from framebench.records.work_tokens import work_hash
from harness.record import Case, ImageRef, Outcome, Record, TrialSpec
from tests import record_factory

ROOT = Path(__file__).resolve().parents[2]
SLUGS = ["torch-eager", "tensorflow-compiled-graph", "keras-jax-compiled-loop"]


class InstantExecutor:
    """Answers every spec at once; ``answer`` may change an outcome."""

    name = "venv"
    engine = None

    def __init__(self, answer: Callable[[TrialSpec], Outcome | Failure | None] = lambda spec: None) -> None:
        self.answer = answer
        self.clock = timedelta(0)  # beside that of the campaign
        self.step_ns: Callable[[TrialSpec], float] = lambda spec: 80e6
        self.ran: list[TrialSpec] = []

    def machine(self) -> Machine:
        return Machine(cpu_model="x", cores=2, cores_allowed=2, memory_bytes=8 << 30, architecture="x86_64")

    def prepare(self, wanted: Iterable[StackOn], progress: Progress) -> dict[StackOn, ImageRef | Unavailable]:
        return {
            one: ImageRef(name=f"{one.stack}-1", lock_sha256=record_factory.sha(one.stack)) for one in wanted
        }

    def run(self, spec: TrialSpec, log: Progress) -> Record | Failure:
        self.ran.append(spec)
        answer = self.answer(spec)
        if isinstance(answer, Failure):
            return answer
        timed = spec.kind == "timing" and answer is None
        return Record(
            written_by="harness",
            kind=spec.kind,
            trial_id=spec.trial_id,
            campaign_id=spec.campaign_id,
            round=spec.round,
            seed=spec.seed,
            started_utc=(datetime.now(UTC) + self.clock).isoformat(timespec="milliseconds"),
            duration_ns=1_000_000_000,
            case=spec.case,
            contender=spec.contender,
            protocol=spec.protocol,
            image=spec.image,
            provenance=spec.provenance,
            outcome=answer or Outcome(status="ok"),
            cache_state=spec.cache_state,
            timing=record_factory.timing(self.step_ns(spec)) if timed else None,
        )

    def stop(self) -> None:
        raise AssertionError("nothing to kill")


class Silent:
    """A terminal that says nothing but remembers what was skipped."""

    def __init__(self, after_each: Callable[[int], None] = lambda count: None) -> None:
        self.skips: list[str] = []
        self.settlements: list[tuple[str, int, int]] = []
        self.rounds: list[int] = []
        self.count = 0
        self.after_each = after_each

    def start(self, plan: Plan) -> None: ...

    def round(self, number: int, of: int) -> None:
        self.rounds.append(number)

    def trial(self, trial: Planned) -> None: ...

    def log(self, line: str) -> None: ...

    def finished(self, trial: Planned, record: Record, left_s: float) -> None:
        self.count += 1
        self.after_each(self.count)

    def skipped(self, trial: Planned, reason: str) -> None:
        self.skips.append(f"{trial.contender.slug}: {reason}")

    def settled(self, case: Case, rounds: int, left_out: int) -> None:
        self.settlements.append((case.workload, rounds, left_out))


def campaign(executor: InstantExecutor, results: Path, rounds: int = 2) -> Campaign:
    suite = suites.load(ROOT, "smoke")
    two = [row for row in suite.cases if row.workload in ("convstack", "mlp")]
    suite = msgspec.structs.replace(
        suite, cases=two, contenders=SLUGS, rounds=rounds, kinds=["parity", "timing"]
    )
    stacks = [StackOn(stack) for stack in ("torch", "tensorflow", "keras-jax")]
    images = executor.prepare(stacks, lambda line: None)
    source = Checkout(ROOT, "0" * 40, False, record_factory.sha("tree"), "some-host")
    made = Campaign(suite, executor, images, source, results, "campaign0000")  # type: ignore[arg-type]
    if results.exists():
        made.ledger.remember([record for _, record in store.load([results]).records])
    return made


def plan_of(made: Campaign) -> Plan:
    return planning.make(
        made.suite,
        made.suite.expand(2),
        made.suite.entrants(),
        seconds=lambda trial: 1.0,
        done=made.ledger.done,
        settled=made.ledger.settled,
        budget_s=None,
        seed=1,
    )


def go(
    made: Campaign, progress: Silent | None = None, deadline: float | None = None
) -> tuple[Plan, str | None]:
    todo = plan_of(made)
    summary = made.run(todo, progress or Silent(), Estimator([]), deadline)
    return todo, summary.stopped


def test_every_trial_leaves_a_record(tmp_path: Path) -> None:
    executor = InstantExecutor()
    todo, stopped = go(campaign(executor, tmp_path))
    assert stopped is None
    assert len(todo.trials()) == 2 * 3 + 2 * 2 * 3  # gates, then two rounds of two cases
    assert len(store.load([tmp_path]).records) == len(executor.ran) == len(todo.trials())
    assert {spec.seed for spec in executor.ran if spec.kind == "timing"} == {1, 2}


def test_the_engine_is_named_by_whoever_asked_it_and_not_by_the_trial(tmp_path: Path) -> None:
    class Containers(InstantExecutor):
        engine = "Docker 27.2.0 on Debian GNU/Linux 13 (trixie)"

        def run(self, spec: TrialSpec, log: Progress) -> Record | Failure:
            record = super().run(spec, log)
            assert isinstance(record, Record)
            return msgspec.structs.replace(record, engine="Docker 99")

    go(campaign(Containers(), tmp_path))
    records = [record for _, record in store.load([tmp_path]).records]
    assert {record.engine for record in records} == {Containers.engine}


def test_gates_come_before_every_timing_trial(tmp_path: Path) -> None:
    executor = InstantExecutor()
    go(campaign(executor, tmp_path))
    kinds = [spec.kind for spec in executor.ran]
    assert kinds == ["parity"] * 6 + ["timing"] * 12


def test_a_failed_gate_is_never_timed(tmp_path: Path) -> None:
    def fail(spec: TrialSpec) -> Outcome | None:
        bad = spec.kind == "parity" and spec.contender.stack == "tensorflow"
        return Outcome(status="not_comparable", reason="gradient conv1") if bad else None

    executor, progress = InstantExecutor(fail), Silent()
    go(campaign(executor, tmp_path), progress)
    assert not [s for s in executor.ran if s.kind == "timing" and s.contender.stack == "tensorflow"]
    assert progress.skips == ["tensorflow-compiled-graph: not_comparable: gradient conv1"] * 4


def test_a_long_reason_is_one_line_for_each_trial_that_it_keeps_from_running(tmp_path: Path) -> None:
    crash = Outcome(
        status="crashed", reason="CppCompileError: C++ compile error\n\nCommand:\ng++ a b c\n" * 3
    )
    silent = Silent()
    go(campaign(InstantExecutor(lambda spec: crash if spec.kind == "parity" else None), tmp_path), silent)
    assert silent.skips and all(skip.endswith("C++ compile error") for skip in silent.skips)
    ((_, record), *_) = store.load([tmp_path]).records
    assert "\n" not in outcome_line(record) and "C++ compile error" in outcome_line(record)


def test_what_the_process_cannot_report_the_host_writes(tmp_path: Path) -> None:
    def oom(spec: TrialSpec) -> Failure | None:
        killed = Outcome(status="oom", reason="killed at its memory limit", exit_code=137)
        return Failure(killed, 5_000_000_000) if spec.kind == "timing" else None

    go(campaign(InstantExecutor(oom), tmp_path))
    records = [record for _, record in store.load([tmp_path]).records if record.kind == "timing"]
    assert len(records) == 12
    assert {(record.written_by, record.outcome.status) for record in records} == {("host", "oom")}


def test_ctrl_c_finishes_the_trial_and_the_same_command_carries_on(tmp_path: Path) -> None:
    first = InstantExecutor()
    made = campaign(first, tmp_path)

    def stop_after_eight(count: int) -> None:
        made.stop_after_trial = count >= 8

    _, stopped = go(made, Silent(stop_after_eight))
    assert stopped is not None
    assert len(store.load([tmp_path]).records) == 8

    second = InstantExecutor()
    todo, stopped = go(campaign(second, tmp_path))
    assert stopped is None
    assert todo.done == 8
    assert len(second.ran) == 10
    done = {(s.kind, s.case.path, s.contender.slug, s.round) for s in first.ran}
    assert not done & {(s.kind, s.case.path, s.contender.slug, s.round) for s in second.ran}


def test_an_interrupted_trial_is_run_again(tmp_path: Path) -> None:
    def interrupted(spec: TrialSpec) -> Failure | None:
        last = spec.kind == "timing" and spec.round == 2
        return Failure(Outcome(status="interrupted"), 1) if last else None

    go(campaign(InstantExecutor(interrupted), tmp_path))
    second = InstantExecutor()
    go(campaign(second, tmp_path))
    assert {(spec.kind, spec.round) for spec in second.ran} == {("timing", 2)}
    assert len(second.ran) == 6


SIGKILL = Failure(Outcome(status="crashed", reason="killed by SIGKILL", signal="SIGKILL"), 1)
DISK = Outcome(status="crashed", reason="OSError: [Errno 28] No space left on device: '/tmp/x'")


def test_a_trial_by_another_clock_is_invalid_and_run_again(tmp_path: Path) -> None:
    stepped = InstantExecutor()
    stepped.clock = timedelta(hours=-2)
    _, stopped = go(campaign(stepped, tmp_path))
    records = [record for _, record in store.load([tmp_path]).records]
    assert stopped is None and records
    for record in records:
        assert record.outcome.status == "invalid" and str(record.outcome.reason).startswith("clock_stepped: ")
        assert "set the clocks" in str(record.outcome.mend)
    go(campaign(again := InstantExecutor(), tmp_path))
    assert {spec.kind for spec in again.ran} == {"parity", "timing"}
    found = [record.outcome.status for _, record in store.load([tmp_path]).records]
    assert found.count("ok") == len(again.ran)


GPU_LOST = Outcome(status="invalid", reason="gpu_lost: GPU is lost")


NETWORK = Outcome(status="crashed", reason="OSError: [Errno 116] Stale file handle: '/home/x/build/cache'")


@pytest.mark.parametrize(
    "end", [SIGKILL, DISK, NETWORK, GPU_LOST], ids=["killed", "disk full", "disk away", "GPU lost"]
)
def test_a_gate_that_something_outside_ended_is_run_again_and_lets_nobody_through(
    tmp_path: Path, end: Outcome | Failure
) -> None:
    first = campaign(
        InstantExecutor(
            lambda spec: end if spec.kind == "parity" and spec.contender.stack == "torch" else None
        ),
        tmp_path,
    )
    silent = Silent()
    go(first, silent)
    assert {skip.partition(":")[0] for skip in silent.skips} == {"torch-eager"}

    second = campaign(executor := InstantExecutor(), tmp_path)
    go(second)
    kinds = [spec.kind for spec in executor.ran]
    assert kinds.count("parity") == 2 and kinds.count("timing") == 4  # torch, in two cases and two rounds
    assert plan_of(campaign(InstantExecutor(), tmp_path)).trials() == []


LOST = Failure(Outcome(status="invalid", reason="container_lost: the Docker engine went away"), 1)


def test_a_trial_that_lost_its_container_is_run_again_at_once_and_counted_once(tmp_path: Path) -> None:
    met: set[tuple[object, ...]] = set()

    def lost_at_first(spec: TrialSpec) -> Failure | None:
        trial = spec.kind, spec.case.path, spec.contender.slug, spec.round
        if trial in met:
            return None
        met.add(trial)
        return LOST

    made, silent = campaign(executor := InstantExecutor(lost_at_first), tmp_path), Silent()
    summary = made.run(todo := plan_of(made), silent, Estimator([]), None)
    planned = len(todo.trials())
    assert summary.outcomes == {"invalid": planned, "ok": planned} and summary.stopped is None
    assert silent.count == planned and silent.skips == []
    assert len({spec.trial_id for spec in executor.ran}) == 2 * planned == len(store.load([tmp_path]).records)
    assert plan_of(campaign(InstantExecutor(), tmp_path)).trials() == []


def test_one_that_loses_its_container_twice_is_left_to_the_next_command(tmp_path: Path) -> None:
    def lost(spec: TrialSpec) -> Failure | None:
        return LOST if (spec.kind, spec.round, spec.contender.stack) == ("timing", 2, "torch") else None

    go(campaign(first := InstantExecutor(lost), tmp_path))
    assert len(first.ran) == 18 + 2
    go(campaign(second := InstantExecutor(), tmp_path))
    assert {(spec.kind, spec.round, spec.contender.stack) for spec in second.ran} == {("timing", 2, "torch")}
    assert len(second.ran) == 2


def test_after_a_request_to_stop_nothing_is_run_again(tmp_path: Path) -> None:
    def stopped_and_lost(spec: TrialSpec) -> Failure:
        made.stop_after_trial = True
        return LOST

    made = campaign(executor := InstantExecutor(stopped_and_lost), tmp_path)
    _, stopped = go(made)
    assert stopped is not None and len(executor.ran) == len(store.load([tmp_path]).records) <= 2


def test_the_program_s_own_end_stays(tmp_path: Path) -> None:
    own = Outcome(status="crashed", reason="killed by SIGSEGV", signal="SIGSEGV")
    memory = Outcome(status="crashed", reason=f"killed by SIGKILL ({KERNEL_KILLED})", signal="SIGKILL")
    for end in (own, memory):
        folder = tmp_path / str(end.signal)
        go(campaign(InstantExecutor(lambda spec, end=end: Failure(end, 1)), folder))  # type: ignore[misc]
        assert not [
            trial for trial in plan_of(campaign(InstantExecutor(), folder)).trials() if trial.round == 0
        ]


def test_a_number_is_what_an_ok_measurement_leaves(tmp_path: Path) -> None:
    def measured(made: Campaign) -> bool:
        pairs = [(case, entrant) for case in made.suite.expand(2) for entrant in made.suite.entrants()]
        return made.ledger.has_number(made.suite.kinds, pairs)

    crash = Outcome(status="crashed", reason="exit code 1", exit_code=1)
    go(fails := campaign(InstantExecutor(lambda spec: None if spec.kind == "parity" else crash), tmp_path))
    assert not measured(fails)  # gates alone are no numbers
    one = campaign(InstantExecutor(), tmp_path / "one")
    go(one)
    assert measured(one) and measured(campaign(InstantExecutor(), tmp_path / "one"))


def test_before_a_trial_on_cards_that_the_last_one_warmed_they_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And not before one on the CPU, nor where a request to stop comes meanwhile."""
    executor = InstantExecutor()
    rested: list[tuple[int, int]] = []
    made = campaign(executor, tmp_path)
    monkeypatch.setattr(cooling, "hottest_c", lambda count: 40.0)
    monkeypatch.setattr(cooling, "warmed", lambda record, found_c: (found_c, len(executor.ran)))

    def rest(
        after: tuple[float | None, int], count: int, log: Progress, stopped: Callable[[], bool]
    ) -> float:
        rested.append((count, after[1]))
        made.stop_after_trial = len(rested) == 2
        return 0.0

    monkeypatch.setattr(cooling, "rest", rest)
    on_cpu, alone, both = (
        msgspec.structs.replace(made.suite.expand(2)[0], device=device, device_count=count)
        for device, count in (("cpu", 1), ("gpu", 1), ("gpu", 2))
    )
    contender = made.suite.entrants()[0]
    trials = [Planned("memory", case, contender, 0) for case in (alone, on_cpu, both, alone)]
    stack = contender.stack
    made.images[StackOn(stack, "gpu")] = made.images[StackOn(stack)]
    left = [made._start(trial, Silent()) for trial in trials]
    assert [None if records is None else len(records) for records in left] == [1, 1, 1, None]
    assert rested == [(2, 2), (1, 3)]


def test_a_finished_campaign_has_nothing_left(tmp_path: Path) -> None:
    go(campaign(InstantExecutor(), tmp_path))
    assert plan_of(campaign(InstantExecutor(), tmp_path)).trials() == []


@pytest.mark.parametrize(
    ("left_s", "rounds", "unfit"),
    [
        (5.0, {"convstack": 1, "mlp": 1}, "round 2 of convstack"),
        # a case's round is 3 times 1.7 s, as the first one showed
        (6.0, {"convstack": 2, "mlp": 1}, "round 2 of mlp"),
        (11.0, {"convstack": 2, "mlp": 2}, "round 3 of convstack"),
    ],
)
def test_no_round_of_a_case_starts_that_would_miss_the_deadline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, left_s: float, rounds: dict[str, int], unfit: str
) -> None:
    now = [1000.0]
    monkeypatch.setattr("framebench.campaign.campaign.time.monotonic", lambda: now[0])
    executor = InstantExecutor()

    def takes(spec: TrialSpec) -> None:
        now[0] += 1.7 if spec.kind == "timing" else 0.0

    executor.answer = takes
    progress = Silent()
    _, stopped = go(campaign(executor, tmp_path, rounds=3), progress, deadline=1000.0 + 6 * 1.7 + left_s)
    timed = [(spec.case.workload, spec.round) for spec in executor.ran if spec.kind == "timing"]
    assert {workload: len({r for w, r in timed if w == workload}) for workload, _ in timed} == rounds
    assert all(timed.count(one) == 3 for one in timed)  # whole, never half a round
    assert progress.rounds == [*range(1, max(rounds.values()) + 1)]  # what did not start is not announced
    assert stopped is not None and f"the budget is spent: {unfit}/" in stopped


@pytest.mark.parametrize("change", ["image", "work"])
def test_another_image_or_other_work_is_not_done(
    tmp_path: Path, change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    go(campaign(InstantExecutor(), tmp_path))
    again = campaign(InstantExecutor(), tmp_path)
    if change == "image":
        another = ImageRef(name="torch-1", lock_sha256=record_factory.sha("another lock"))
        again.images[StackOn("torch")] = another
    else:
        monkeypatch.setattr(
            "framebench.campaign.campaign.work_hash",
            lambda root, stack, *rest: "another work" if stack == "torch" else work_hash(root, stack, *rest),
        )
    left = plan_of(again).trials()
    assert {trial.contender.stack for trial in left} == {"torch"}
    assert len(left) == 6


def test_a_suite_of_the_same_name_with_other_parameters_is_measured_anew(tmp_path: Path) -> None:
    go(campaign(InstantExecutor(), tmp_path))
    again = campaign(executor := InstantExecutor(), tmp_path)
    blocks = again.suite.protocol.measure_blocks + 7
    again.suite = msgspec.structs.replace(
        again.suite, protocol=msgspec.structs.replace(again.suite.protocol, measure_blocks=blocks)
    )
    go(again)
    assert [spec.kind for spec in executor.ran] == ["timing"] * 12  # the gates looked at no clock
    found = grouping.results([record for _, record in store.load([tmp_path]).records])
    assert all(
        len({record.protocol.measure_blocks for record in one.timed}) == 1 for one in found if one.timed
    )
    assert len([one for one in found if one.timed]) == 12


def quiet_mlp(spec: TrialSpec) -> float:
    """The mlp's trials spread by 0.2 %, the convstack's by 4 %."""
    noise = np.random.default_rng([*spec.case.workload.encode(), *spec.contender.slug.encode(), spec.round])
    spread = 0.002 if spec.case.workload == "mlp" else 0.04
    return 80e6 * float(np.exp(noise.normal(0.0, spread)))


def measured(executor: InstantExecutor) -> set[tuple[str, str, int]]:
    return {
        (spec.case.workload, spec.contender.slug, spec.round)
        for spec in executor.ran
        if spec.kind == "timing"
    }


def test_a_precise_case_drops_out_at_a_look_and_the_rest_goes_on(tmp_path: Path) -> None:
    executor, progress = InstantExecutor(), Silent()
    executor.step_ns = quiet_mlp
    go(campaign(executor, tmp_path, rounds=8), progress)
    assert progress.settlements == [("mlp", 5, 9)]  # three contenders in rounds 6 to 8
    rounds = {name: {r for case, _, r in measured(executor) if case == name} for name in ("mlp", "convstack")}
    assert rounds == {"mlp": set(range(1, 6)), "convstack": set(range(1, 9))}


def test_five_rounds_are_never_cut_short(tmp_path: Path) -> None:
    executor, progress = InstantExecutor(), Silent()
    go(campaign(executor, tmp_path, rounds=5), progress)  # no spread at all
    assert progress.settlements == [] and len(measured(executor)) == 2 * 3 * 5


def test_rounds_that_a_look_dropped_are_not_missing_when_it_carries_on(tmp_path: Path) -> None:
    first = InstantExecutor()
    first.step_ns = quiet_mlp
    made = campaign(first, tmp_path, rounds=8)

    def stop_in_round_six(count: int) -> None:
        made.stop_after_trial = count >= 6 + 5 * 6 + 1

    go(made, Silent(stop_in_round_six))
    second, progress = InstantExecutor(), Silent()
    second.step_ns = quiet_mlp
    todo, stopped = go(campaign(second, tmp_path, rounds=8), progress)
    assert stopped is None and todo.settled and "mlp" in todo.settled[0]
    assert {case for case, _, _ in measured(second)} == {"convstack"}
    assert not measured(first) & measured(second)
    assert len(measured(first) | measured(second)) == 3 * 5 + 3 * 8
    assert plan_of(campaign(InstantExecutor(), tmp_path, rounds=8)).trials() == []


def test_a_look_sees_nothing_of_later_rounds(tmp_path: Path) -> None:
    executor = InstantExecutor()
    executor.step_ns = quiet_mlp
    whole = campaign(executor, tmp_path, rounds=5)
    go(whole)
    again = campaign(executor, tmp_path, rounds=20)
    compared = plan_of(again).compared
    before = {case.path: again.ledger.settled(case, compared[case.path]) for case in again.suite.expand(2)}
    assert sorted(before.values(), key=str) == [5, None]
    executor.step_ns = lambda spec: 80e6 * spec.round  # whatever comes later
    go(again)
    after = {case.path: again.ledger.settled(case, compared[case.path]) for case in again.suite.expand(2)}
    assert [after[path] for path, look in before.items() if look] == [5]


def test_contenders_that_cannot_run_do_not_keep_a_case_from_being_settled(tmp_path: Path) -> None:
    def fail(spec: TrialSpec) -> Outcome | None:
        bad = spec.kind == "parity" and spec.contender.stack == "tensorflow"
        return Outcome(status="not_comparable", reason="gradient conv1") if bad else None

    executor, progress = InstantExecutor(fail), Silent()
    executor.step_ns = quiet_mlp
    go(campaign(executor, tmp_path, rounds=6), progress)
    assert [case for case, _, _ in progress.settlements] == ["mlp"]
