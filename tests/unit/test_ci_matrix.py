"""A campaign as jobs of a CI service: each text read back as the service reads it."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from framebench.campaign import suites
from framebench.cli import cli
from framebench.commands import ci_matrix
from framebench.commands.ci_matrix import Job
from framebench.errors import UserError

ROOT = Path(__file__).resolve().parents[2]
CASES = suites.load(ROOT, "cpu").expand(2)


def printed(*arguments: str) -> str:
    done = CliRunner().invoke(cli, ["ci-matrix", *arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def lines(service: str, document: Any) -> list[str]:
    """What each job runs last."""
    if service == "github":
        return [job["run"] for job in document["include"]]
    if service == "gitlab":
        return [job["script"][-1] for job in document.values()]
    return [step["command"][-1].replace("$$", "$") for step in document["steps"]]


@pytest.mark.parametrize("service", ["github", "gitlab", "buildkite"])
def test_each_job_is_a_line_that_run_takes_and_together_they_are_the_campaign(service: str) -> None:
    text = printed(service, "--suite", "cpu", "--shards", "3", "--contender", "torch-*", "--rounds", "4")
    commands = [shlex.split(line) for line in lines(service, yaml.safe_load(text))]
    assert [command[command.index("--shard") + 1] for command in commands] == ["1/3", "2/3", "3/3"]
    for program, *arguments in commands:
        assert program == ".venv/bin/framebench"
        subcommand = cli.commands["run"]
        asked = subcommand.make_context("run", arguments[1:]).params
        assert (asked["suite"], asked["rounds"], asked["contender_globs"]) == ("cpu", 4, ("torch-*",))
        assert asked["budget"] == "none"
        assert asked["results"] == Path("own-results")


def test_github_gets_one_line_and_includes_with_the_same_keys() -> None:
    text = printed("github")
    assert len(text.splitlines()) == 1  # of $GITHUB_OUTPUT
    include = json.loads(text)["include"]
    assert len(include) == len(CASES)
    assert {frozenset(job) for job in include} == {frozenset({"shard", "run", "minutes"})}
    assert all(isinstance(job["minutes"], int) and job["minutes"] >= 30 for job in include)


def test_every_job_keeps_its_records_even_if_it_failed() -> None:
    for job in yaml.safe_load(printed("gitlab", "--shards", "2")).values():
        assert job["artifacts"] == {"when": "always", "paths": ["own-results/"]}
    for step in yaml.safe_load(printed("buildkite", "--shards", "2"))["steps"]:
        assert step["artifact_paths"] == ["own-results/**/*"]


def test_no_job_is_for_nothing() -> None:
    """More jobs than cases: each has its case."""
    include = json.loads(printed("github", "--shards", "1000"))["include"]
    assert [job["shard"] for job in include] == [f"{n}/{len(CASES)}" for n in range(1, len(CASES) + 1)]


@given(
    st.text(st.characters(exclude_categories=["Cc", "Cs", "Cn", "Zl", "Zp"]), max_size=30),
    st.sampled_from(["gitlab", "buildkite"]),
)
def test_whatever_stands_in_a_line_comes_back_from_yaml(words: str, service: Any) -> None:
    line = shlex.join(["run", "--case", words])
    text = ci_matrix.written(service, [Job("1/1", line, 30)], "cpu")
    assert lines(service, yaml.safe_load(text)) == [line]


def test_more_jobs_than_github_takes_are_refused() -> None:
    many = [Job(f"{n}/300", "run", 30) for n in range(1, 301)]
    with pytest.raises(UserError, match="--shards 256"):
        ci_matrix.written("github", many, "cpu")
    assert len(yaml.safe_load(ci_matrix.written("gitlab", many, "cpu"))) == 300


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["jenkins"], "github"),
        (["github", "--suite", "cpq"], "cpu"),
        (["gitlab", "--case", "no/such*"], "case"),
        (["buildkite", "--shards", "0"], "1<=x<=1000"),
    ],
)
def test_bad_input_is_one_sentence_and_no_matrix(arguments: list[str], says: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "framebench.cli", "ci-matrix", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 2
    assert says in done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
