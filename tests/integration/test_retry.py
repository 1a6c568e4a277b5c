"""What did not end well: what the same command runs again, what only `--retry-failed` does, and the exit code."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import faults
from framebench.records import store


@pytest.fixture(scope="module")
def bed(tmp_path_factory: pytest.TempPathFactory) -> faults.Bed:
    """A clone whose trials can be told to misbehave."""
    return faults.Bed(tmp_path_factory.mktemp("retry") / "clone", "system")


def ends(results: Path) -> list[str | None]:
    return sorted(
        str(record.outcome.signal or record.outcome.status) for _, record in store.load([results]).records
    )


def test_a_fault_of_the_program_stays_until_it_is_asked_for_and_no_number_is_exit_code_1(
    bed: faults.Bed, tmp_path: Path
) -> None:
    command = bed.command(bed.suite(["exception"], [1], rounds=1), tmp_path)
    code, said = bed.run(command)
    assert code == 1 and "no number came out; --retry-failed runs again what did not end well" in said
    assert ends(tmp_path) == ["crashed"]
    code, said = bed.run(command)
    assert code == 1 and "everything in this plan is done already" in said
    assert ends(tmp_path) == ["crashed"]
    code, said = bed.run([*command, "--retry-failed"])
    assert code == 1 and "1 crashed" in said
    assert ends(tmp_path) == ["crashed", "crashed"]


def test_an_accident_is_run_again_at_once_and_then_by_the_same_command(
    bed: faults.Bed, tmp_path: Path
) -> None:
    command = bed.command(bed.suite(["killed"], [1], rounds=1), tmp_path)
    assert bed.run(command)[0] == 1
    assert ends(tmp_path) == ["SIGKILL"] * 2
    code, said = bed.run(command)
    assert code == 1 and "2 crashed" in said
    assert ends(tmp_path) == ["SIGKILL"] * 4


def test_one_number_is_exit_code_0_and_what_ended_well_is_not_run_again(
    bed: faults.Bed, tmp_path: Path
) -> None:
    command = bed.command(bed.suite(["sound", "exception"], [1], rounds=1), tmp_path)
    assert bed.run(command)[0] == 0
    assert ends(tmp_path) == ["crashed", "ok"]
    assert bed.run([*command, "--retry-failed"])[0] == 0
    assert ends(tmp_path) == ["crashed", "crashed", "ok"]
