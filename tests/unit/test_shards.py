"""Splitting a campaign over machines."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest

from framebench.campaign import suites
from framebench.campaign.estimate import Estimator
from framebench.campaign.shards import SCHEDULERS, Shard, parse, split
from framebench.errors import UserError
from harness.record import Case

ROOT = Path(__file__).resolve().parents[2]
SUITE = suites.load(ROOT, "cpu")
CASES = SUITE.expand(2)
CONTENDERS = SUITE.entrants()


def estimated(cases: list[Case]) -> float:
    """Seconds of all that the suite does with these cases, each trial by itself."""
    estimator = Estimator([])
    return sum(
        estimator.seconds(kind, case, entrant, SUITE.protocol_of(case))
        * (SUITE.rounds if kind == "timing" else 1)
        for case in cases
        for entrant in CONTENDERS
        if SUITE.admits(case, entrant)
        for kind in SUITE.kinds
    )


@pytest.mark.parametrize("count", [1, 2, 5, 40])
def test_every_case_is_in_one_shard_and_no_shard_waits_for_a_case_that_another_could_take(count: int) -> None:
    parts = split(SUITE, CASES, CONTENDERS, count)
    assert len(parts) == count
    assert sorted(case.path for part in parts for case in part) == sorted(case.path for case in CASES)
    loads = [estimated(part) for part in parts]
    fullest = parts[loads.index(max(loads))]
    assert max(loads) - min(loads) <= max(estimated([case]) for case in fullest) * 1.000001


def test_the_order_in_which_a_suite_names_its_cases_moves_none() -> None:
    shuffled = random.Random(0).sample(CASES, len(CASES))
    as_named, as_shuffled = (split(SUITE, cases, CONTENDERS, 5) for cases in (CASES, shuffled))
    assert list(map(set, as_named)) == list(map(set, as_shuffled))
    assert [[case for case in CASES if case in part] for part in as_named] == as_named  # in the suite's order


@pytest.mark.parametrize("scheduler", SCHEDULERS, ids=lambda one: one.variable)
def test_a_schedulers_number_says_the_shard(scheduler: object) -> None:
    variable, first, how = scheduler  # type: ignore[misc]
    for index in (1, 4):
        assert parse("auto/4", {variable: str(first + index - 1), "HOME": "/"}) == Shard(index, 4)
    for wrong in (str(first - 1), str(first + 4), "x", "undefined", "²"):
        with pytest.raises(UserError, match=re.escape(how.format(4))):
            parse("auto/4", {variable: wrong})


@pytest.mark.parametrize(
    "text", ["", "1", "0/4", "5/4", "1/0", "-1/4", "1/4/2", "a/b", "auto", "auto/0", "²/4"]
)
def test_what_is_no_shard_is_refused_in_a_sentence(text: str) -> None:
    with pytest.raises(UserError, match="--shard"):
        parse(text, {"SLURM_ARRAY_TASK_ID": "1"})


def test_a_number_that_nothing_or_more_than_one_gives_is_asked_for() -> None:
    with pytest.raises(UserError, match=r"nothing numbers this task .*write the number, such as 1/2"):
        parse("auto/2", {"SLURM_ARRAY_TASK_ID": ""})
    with pytest.raises(UserError, match="these all number this task: SLURM_ARRAY_TASK_ID, HQ_TASK_ID"):
        parse("auto/2", {"SLURM_ARRAY_TASK_ID": "1", "HQ_TASK_ID": "2"})
    assert parse("2/2", {"SLURM_ARRAY_TASK_ID": "1"}) == Shard(2, 2)  # said is said
