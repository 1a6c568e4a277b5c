"""The recipe for ReFrame, run by ReFrame."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from framebench import dataset
from framebench.executors.machine import this_machine
from framebench.records import store
from tests.integration.numpy_clone import add_recipe, add_suite, commit, copy_tree
from tests.requirement import require

REFRAME = Path(sys.executable).with_name("reframe")
SUBCLASS = """
import reframe as rfm
from framebench_test import FramebenchTest


@rfm.simple_test
class Ours(FramebenchTest):
    reference = {{"ours:here": {references!r}}}
"""


class Session(NamedTuple):
    """What ReFrame said, and its report: of each test name, result, performance variables."""

    output: str
    tests: list[dict[str, Any]]

    @property
    def results(self) -> list[str]:
        return [test["result"] for test in self.tests]

    @property
    def throughputs(self) -> dict[str, tuple[float, str]]:
        """``{workload/case/contender: (value, unit)}``."""
        return {
            name.split(":")[-1]: (value, unit)
            for test in self.tests
            for name, (value, _, _, _, unit, *_) in test["perfvalues"].items()
        }


@pytest.fixture
def home(tmp_path: Path) -> Path:
    require("reframe", REFRAME.exists(), "reframe is not installed")
    clone = tmp_path / "a clone"
    copy_tree(clone)
    add_suite(clone, "fleet", batches=[1, 2])
    add_recipe(clone, "reframe")
    commit(clone)
    return clone


def reframe(home: Path, *options: str, file: str = "framebench_test.py") -> Session:
    recipe, report = home / "contrib" / "reframe", home.parent / "report.json"
    done = subprocess.run(
        [
            *(
                REFRAME,
                "-C",
                "settings.py",
                "-c",
                file,
                "--system=ours:here",
                "--prefix",
                home.parent / "reframe",
            ),
            *("--report-file", report, "-r", "-S", "suite=fleet", "-S", "executor=system", *options),
        ],
        cwd=recipe,
        env=os.environ | {"PYTHONPATH": str(recipe), "HOME": str(home.parent)},
        capture_output=True,
        text=True,
    )
    output = done.stdout + done.stderr
    tests = [test for run in json.loads(report.read_text())["runs"] for test in run["testcases"]]
    assert done.returncode == any(test["result"] != "pass" for test in tests), output
    return Session(output, tests)


def kept(home: Path) -> list[Path]:
    return sorted((home.parent / "reframe" / "output").rglob("records"))


def test_each_shard_is_a_test_whose_performance_is_that_of_its_records(home: Path) -> None:
    session = reframe(home, "-P", "shard=1/2,2/2")
    assert session.results == ["pass", "pass"], session.output
    assert [len({one.case.path for _, one in store.load([path]).records}) for path in kept(home)] == [1, 1]
    expected = {
        f"{result.case.path}/{result.contender.slug}": (result.throughput.value, "samples/s")
        for result in dataset.load(kept(home)).results
        if result.throughput
    }
    assert len(expected) == 2 * 2
    assert {
        name: (pytest.approx(value), unit) for name, (value, unit) in expected.items()
    } == session.throughputs


@pytest.mark.slow
def test_a_throughput_below_its_reference_fails(home: Path) -> None:
    case = f"planted/selftest-infer-b1-fp32-cpu1-c{this_machine().cores_allowed}"
    references = {
        f"{case}/numpy-eager": (1.0, -0.1, None, "samples/s"),
        f"{case}/numpy-eager-plus5": (1e9, -0.1, None, "samples/s"),
    }
    (home / "contrib" / "reframe" / "ours.py").write_text(SUBCLASS.format(references=references))
    session = reframe(home, "-S", "case=*-b1-*", file="ours.py")
    assert session.results == ["fail"], session.output
    assert f"{case}/numpy-eager-plus5" in session.tests[0]["fail_reason"]


@pytest.mark.slow
def test_records_that_framebench_refuses_fail_and_what_it_says_is_said(home: Path) -> None:
    program = home / ".venv" / "bin" / "framebench"
    program.rename(program.with_name("honest"))
    program.write_text(
        f'#!/bin/sh\n"{program.with_name("honest")}" "$@" || exit\n'
        """[ "$1" = run ] || exit 0\n"""
        """exec find records -name '*.json' -exec sed -i 's/"units_per_step": 1/"units_per_step": 999/' {} +\n"""
    )
    program.chmod(0o755)
    session = reframe(home, "-S", "case=*-b1-*")
    assert session.results == ["fail"], session.output
    assert "timing.units_per_step: 999, the code of commit" in session.tests[0]["fail_reason"]


def test_a_contender_that_fails_is_named(home: Path) -> None:
    suite = home / "suites" / "fleet.toml"
    suite.write_text(suite.read_text().replace("timeout_s = 60", "timeout_s = 0.1"))
    commit(home)
    session = reframe(home, "-S", "case=*-b1-*", "-S", "contender=numpy-eager")
    assert session.results == ["fail"], session.output
    assert re.search(r"planted/\S+/numpy-eager: timeout, ", session.tests[0]["fail_reason"])


def test_a_run_without_records_fails_with_what_framebench_said(home: Path) -> None:
    session = reframe(home, "-S", "suite=no suite's name")
    assert session.results == ["fail"], session.output
    assert "no suite's name" in session.tests[0]["fail_reason"]
