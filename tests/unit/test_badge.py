"""Badges: what they say of a result and of a comparison, and where the line to copy leads."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from framebench import dataset
from framebench.pages import badge, result
from framebench.pages.evidence import Evidence, gather
from framebench.records import store
from harness.record import Contender
from tests.record_factory import CONTENDERS, make_failed, make_trials

ROOT = Path(__file__).resolve().parents[2]
BROKEN = Contender(stack="keras-torch", mode="compiled", variant="direct")
ADDRESS = "https://example.org/below/"


@pytest.fixture(scope="module")
def evidence(tmp_path_factory: pytest.TempPathFactory) -> Evidence:
    results = tmp_path_factory.mktemp("results")
    failed = make_failed("crashed", "no\n" + "memory " * 1000, contender=BROKEN, trial_id="0" * 26)
    for record in [*make_trials(), failed]:
        store.write(record, results)
    return gather(ROOT, dataset.load([results]), ADDRESS)


def test_every_result_and_every_comparison_has_a_badge(evidence: Evidence) -> None:
    files = badge.files(evidence)
    timed = [one for one in evidence.dataset.results if one.time_ns]
    (group,) = evidence.groups
    baseline = group.comparison.baseline
    assert baseline is not None
    of_results = {badge.result_file(one) for one in evidence.dataset.results}
    of_comparisons = {badge.comparison_file(one, baseline) for one in timed if one is not baseline}
    assert files.keys() == of_results | of_comparisons
    drawn = [draw() for _result, draw in files.values()]
    assert all(len(one) < 2_000 and "http" not in one[50:] for one in drawn)


def test_a_badge_says_the_figure_of_the_page(evidence: Evidence) -> None:
    for one in evidence.dataset.results:
        group = evidence.group_of(one)
        own, shown = badge.of_result(one, group), result.view(one, evidence)
        if one.time_ns:
            assert own.message == f"{shown['value']} {shown['unit']}" and shown["interval"] in own.title
            assert one.host_id in own.title and f"batch {one.case.batch}" in own.title
        else:
            assert own.message == "crashed" and own.colour == badge.OTHER and len(own.title) < 600


def test_a_verdict_is_said_with_its_ratio(evidence: Evidence) -> None:
    (group,) = evidence.groups
    compared = group.against_baseline
    by_id = {one.id: one for one in evidence.dataset.results}
    said = {id: badge.of_comparison(by_id[id], one, group) for id, one in compared.items()}
    assert any(one.verdict == "faster" for one in compared.values())
    for id, one in compared.items():
        assert f"{one.ratio:.2f}"[:3] in said[id].message
        assert one.verdict not in badge.COLOURS or said[id].message.endswith(f", {one.verdict}")
        assert said[id].colour == badge.COLOURS.get(one.verdict, badge.OTHER)


def test_the_line_to_copy_leads_to_the_badge_and_the_page(evidence: Evidence) -> None:
    files = badge.files(evidence)
    one = next(r for r in evidence.dataset.results if r.contender == CONTENDERS[1])
    shown = result.view(one, evidence)
    assert shown["placeholder"] is None and len(shown["badges"]) == 2
    for each in shown["badges"]:
        pattern = rf"\[!\[[^\[\]]+\]\({ADDRESS}(badges/[^)]+)\)\]\({ADDRESS}results/{one.id}/\)"
        found = re.fullmatch(pattern, each.markdown)
        assert found and found[1] in files and each.href == f"../../{found[1]}"


def test_without_an_address_the_page_says_what_to_put_in(evidence: Evidence) -> None:
    one = evidence.dataset.results[0]
    nowhere = Evidence(evidence.root, evidence.dataset, evidence.groups)
    shown = result.view(one, nowhere)
    assert (
        shown["placeholder"] in shown["badges"][0].markdown and "example" not in shown["badges"][0].markdown
    )
