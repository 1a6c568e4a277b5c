"""What a suite would take on machines that are not there."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from framebench.campaign import suites
from framebench.campaign.estimate import Estimator, assumed_rate
from framebench.campaign.many_nodes import ManyNodes, at_the_peak, gpus_named, on_such, simulate
from framebench.cli import cli
from framebench.errors import UserError
from framebench.executors.machine import Machine
from framebench.records import store
from harness.record import Gpu, Record
from tests.record_factory import make_record

ROOT = Path(__file__).resolve().parents[2]
SUITE = suites.load(ROOT, "gpu")
CASES = [case for case in SUITE.expand(2) if case.workload in ("resnet50", "mlp")]
MACHINE = Machine("AMD EPYC", 2, 2, 8 << 30, "x86_64")


def simulated(nodes: int, gpus: str = "H100", records: tuple[Record, ...] = ()) -> ManyNodes:
    estimators = Estimator(records, at_the_peak(gpus_named(gpus))), Estimator(records)
    return simulate(SUITE, CASES, SUITE.entrants(), nodes, estimators, MACHINE)


ONE = simulated(1)


def asked(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(cli, ["plan", *arguments])
    if isinstance(done.exception, UserError):
        return 2, str(done.exception)
    return done.exit_code, done.output


@given(st.integers(1, 200))
@settings(max_examples=5, deadline=None)
def test_more_machines_take_as_many_hours_in_less_time_and_never_less_than_the_longest_case(
    nodes: int,
) -> None:
    found = simulated(nodes)
    assert found.used == pytest.approx(ONE.used)
    assert ONE.used == pytest.approx(ONE.wall)
    assert found.busy == min(nodes, len(CASES))
    for wall, longest, used in zip(found.wall, found.longest, found.used, strict=True):
        assert max(longest, used / nodes) * 0.999 <= wall <= used * 1.001
    assert found.wall.low <= found.wall.high


def test_a_faster_gpu_takes_less_and_one_whose_peak_nobody_states_is_assumed() -> None:
    slow, fast = (simulated(1, name).used.low for name in ("T4", "B200"))
    assert fast < slow
    rate = at_the_peak(gpus_named("T4"))
    bf16 = next(case for case in CASES if case.precision == "bf16")
    assert rate(bf16) == assumed_rate(bf16)  # a T4 has no bf16


def test_a_trial_that_was_measured_on_such_a_gpu_is_no_guess() -> None:
    case, entrant = CASES[0], SUITE.entrants()[0]
    assert SUITE.admits(case, entrant)
    (name, *_) = [row.name for row in gpus_named("H100")]
    timed = make_record(case=case, contender=entrant, protocol=SUITE.protocol_of(case))
    assert timed.hardware is not None
    of = {
        gpu: msgspec.structs.replace(
            timed,
            duration_ns=10**13,
            hardware=msgspec.structs.replace(timed.hardware, gpus=[Gpu(name=gpu, uuid_sha256="0" * 64)]),
        )
        for gpu in (name, "NVIDIA L4")
    }
    records = on_such(of.values(), gpus_named("H100"))
    assert records == [of[name]]
    found = simulated(1, records=tuple(records))
    assert found.known == 2 * SUITE.rounds  # its twin is the same
    assert found.used.low > 2 * SUITE.rounds * 10_000 / 3600
    assert on_such([timed], []) == []  # a case on a GPU says nothing of a CPU


def test_gpus_are_found_by_whole_words() -> None:
    assert [row.name for row in gpus_named("L4")] == ["NVIDIA L4"]
    assert len(gpus_named("h100")) > 1
    assert [row.name for row in gpus_named("H100 NVL")] == ["NVIDIA H100 NVL"]
    for row in gpus_named("nvidia"):
        assert row in gpus_named(row.name)
    for unknown in ("", " ", "H10", "[bold]", "\x1b[2J"):
        with pytest.raises(UserError, match="known are"):
            gpus_named(unknown)


def test_the_answer_names_hours_and_costs_only_from_the_users_price(tmp_path: Path) -> None:
    common = ["--nodes", "3", "--gpus", "NVIDIA L4", "--case", "mlp/*", "--results", str(tmp_path)]
    code, plain = asked(*common)
    assert code == 0
    assert re.search(r"^GPU hours: [\d.,]+", plain, re.MULTILINE)
    assert "cost" not in plain
    assert "0 of " in plain
    _, priced = asked(*common, "--price", "100", "100")
    hours = re.search(r"^GPU hours: ([\d.]+)", priced, re.MULTILINE)
    cost = re.search(r"your price: ([\d.,]+)", priced)
    assert hours and cost
    assert float(cost[1].replace(",", "")) == pytest.approx(100 * float(hours[1]), abs=6)


def test_a_broken_record_is_named_and_the_rest_is_planned(tmp_path: Path) -> None:
    store.write(make_record(), tmp_path)
    (tmp_path / "half.json").write_text("{")
    code, out = asked("--nodes", "2", "--suite", "smoke", "--case", "mlp/*", "--results", str(tmp_path))
    assert code == 0
    assert "half.json" in out and "node hours: " in out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--gpus", "H100"], "--nodes"),
        (["--price", "1", "2"], "--nodes"),
        (["--nodes", "0"], "1<=x<=100000"),
        (["--nodes", "2", "--budget", "20m"], "--budget does not go with --nodes"),
        (["--nodes", "2", "--shards", "2"], "--shards does not go with --nodes"),
        (["--nodes", "2", "--image", "torch-cpu"], "--image does not go with --nodes"),
        (["--nodes", "2", "--gpus", "H100", "--suite", "cpu"], "no case on a GPU"),
        (["--nodes", "2", "--suite", "gpu"], "give --gpus NAME"),
        (["--nodes", "2", "--price", "4", "2"], "the lower price first"),
        (["--nodes", "2", "--price", "nan", "2"], "--price nan 2"),
        (["--nodes", "2", "--price", "1", "inf"], "--price 1 inf"),
        (["--nodes", "2", "--case", "no/such*"], "case"),
        (["--nodes", "2", "--suite", "cpq"], "cpu"),
    ],
)
def test_what_does_not_fit_is_one_sentence(arguments: list[str], says: str) -> None:
    code, out = asked(*arguments)
    assert code == 2
    assert says in out
