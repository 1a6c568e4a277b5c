"""The answers: what follows from all pairs of a case and no more, worded once, computed once."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from rich.console import Console

from framebench import dataset
from framebench.commands import answers as command
from framebench.dataset import aa_pairs, case_comparisons
from framebench.dataset.answers import Answer
from framebench.pages import compare, data, home, result
from framebench.pages.evidence import Evidence, gather
from framebench.pages.site import render
from framebench.records import store
from harness.record import Record
from tests.record_factory import CONTENDERS, make_trials

ROOT = Path(__file__).resolve().parents[2]
EAGER, TORCH, TENSORFLOW, KERAS = (contender.slug for contender in CONTENDERS)


def evidence(folder: Path, records: Sequence[Record]) -> Evidence:
    for record in records:
        store.write(record, folder)
    return gather(ROOT, dataset.load([folder]))


def answer(folder: Path, times: dict[str, float], **changes: Any) -> tuple[Answer, str]:
    """The answer to the first question where steps take so long, and its sentence."""
    milliseconds = {name: value * 1e6 for name, value in times.items()}
    found = evidence(folder, make_trials(kinds=("parity", "timing"), step_ns=milliseconds, **changes))
    return found.dataset.answers[0], home.scenario(found.dataset.answers[0].question, found).sentence


def test_the_fastest_follows_from_the_verdicts_on_the_baseline(tmp_path: Path) -> None:
    one, sentence = answer(tmp_path, {EAGER: 80, TORCH: 60, TENSORFLOW: 88, KERAS: 95})
    assert one.relation == "fastest" and "is the fastest" in sentence


def test_a_baseline_that_leads_is_the_fastest_where_the_others_are_slower(tmp_path: Path) -> None:
    one, sentence = answer(tmp_path, {EAGER: 60, TORCH: 80, TENSORFLOW: 88, KERAS: 95})
    assert one.relation == "fastest" and "PyTorch, eager</strong> is the fastest" in sentence


def test_of_two_that_are_faster_than_the_baseline_one_can_be_the_fastest(tmp_path: Path) -> None:
    one, sentence = answer(tmp_path, {EAGER: 80, TORCH: 50, TENSORFLOW: 60, KERAS: 95})
    assert one.relation == "fastest" and "is the fastest" in sentence
    ratio = one.ratios[one.best[1].id]
    assert ratio.low is not None and ratio.high is not None and ratio.low < 60 / 50 < ratio.high


def test_what_may_be_chance_among_so_many_pairs_is_undecided(tmp_path: Path) -> None:
    times = {EAGER: 80, TORCH: 50, TENSORFLOW: 51, KERAS: 95}
    one, sentence = answer(tmp_path, times, rounds=4, spread=0.02)
    ratio = one.ratios[one.best[1].id]
    assert ratio.low is not None and ratio.low > 1
    assert one.relation == "undecided" and "fastest" not in sentence
    assert "has the best figure" in sentence and "Whether it is faster is undecided" in sentence


def test_two_rounds_carry_no_verdict_and_no_fastest(tmp_path: Path) -> None:
    one, sentence = answer(tmp_path, {EAGER: 80, TORCH: 60, TENSORFLOW: 88, KERAS: 95}, rounds=2)
    assert one.relation != "fastest" and "fastest" not in sentence


def test_home_download_and_terminal_say_the_same(tmp_path: Path) -> None:
    found = evidence(tmp_path, make_trials(kinds=("parity", "timing")))
    downloads = data.files(found)
    rows = json.loads(downloads["data/answers.json"])
    table = list(csv.DictReader(io.StringIO(downloads["data/answers.csv"].decode())))  # type: ignore[union-attr]
    said = io.StringIO()
    command.run(ROOT, tmp_path, Console(file=said, soft_wrap=True, highlight=False))
    cards = home.view(found)["scenarios"]
    assert [row["sentence"] for row in rows] == [str(card.sentence.striptags()) for card in cards]
    assert [row["sentence"] for row in table] == [row["sentence"] for row in rows]
    for card in cards:
        assert f"{card.title}: {card.sentence.striptags()}" in said.getvalue()
    assert rows[0]["first"] == TORCH and rows[0]["speed_ratio"] == pytest.approx(88 / 60, rel=0.05)
    assert "data/answers.parquet" in downloads
    assert any(cell.text == "answers" for row in data.view(downloads)["tables"].rows for cell in row)


def test_every_baseline_of_a_case_is_computed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    judged: list[tuple[int, int]] = []
    noises: list[int] = []
    really, noise = case_comparisons.judge_case, aa_pairs.aa_noise

    def counted(table: Any, baseline: int, *rest: Any) -> Any:
        judged.append((id(table), baseline))
        return really(table, baseline, *rest)

    def noted(pairs: Any) -> Any:
        noises.append(len(pairs))
        return noise(pairs)

    monkeypatch.setattr(case_comparisons, "judge_case", counted)
    monkeypatch.setattr(aa_pairs, "aa_noise", noted)
    twin = make_trials(kinds=("parity", "timing"))
    found = evidence(tmp_path, twin)
    home.view(found)
    compare.view(found)
    compare.baselines_json(found)
    data.files(found)
    (group,) = found.groups
    assert set(group.against) == {EAGER, TORCH, TENSORFLOW, KERAS}
    assert sorted(baseline for _, baseline in judged) == [0, 1, 2, 3]
    assert len(noises) <= 1


def test_a_twin_that_is_alone_stands_beside_nobody(tmp_path: Path) -> None:
    """As where a campaign was cut, or its other files cannot be read."""
    twin = msgspec.structs.replace(CONTENDERS[0], twin=True)
    found = evidence(tmp_path, make_trials(contenders=[twin], kinds=("parity", "timing")))
    assert found.dataset.comparisons == []
    assert [one.best for one in found.dataset.answers] == []
    assert render(found)
    (alone,) = found.dataset.results
    assert result.page(alone, found)
