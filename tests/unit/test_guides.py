"""Guides: each figure is drawn from the data and changes with them, and an empty dataset is said to be one."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest

from framebench import dataset
from framebench.dataset.claims import Extremes
from framebench.errors import UserError
from framebench.pages.evidence import Evidence, gather
from framebench.pages.guides import GUIDES, autodiff, claims, faq, first_steps, index
from framebench.pages.guides.circulating import circulating
from framebench.pages.guides.programs import said
from framebench.pages.guides.questions import QUESTIONS
from framebench.pages.render import page
from framebench.pages.words import stacks
from framebench.records import store
from harness.record import Case, Contender, Phase, Record
from tests.record_factory import CASE, MLP_CASE, make_trials

ROOT = Path(__file__).resolve().parents[2]
INFER = msgspec.structs.replace(CASE, task="infer")
TORCH = Contender(stack="torch", mode="eager")
COMPILED = Contender(stack="torch", mode="compiled")
JAX = Contender(stack="jax", mode="compiled")
FROM_TABLES = ("why-accuracies-differ",)  # of what the installed packages answer, which no trial changes


def evidence_of(folder: Path, records: list[Record]) -> Evidence:
    folder.mkdir(exist_ok=True)
    for record in records:
        store.write(record, folder)
    return gather(ROOT, dataset.load([folder]))


def timed(case: Case, times: Mapping[Contender, float], **more: Any) -> list[Record]:
    """Five rounds of each contender in one case, in ms a step."""
    step_ns = {contender.slug: time * 1e6 for contender, time in times.items()}
    return make_trials([*times], [case], step_ns=step_ns, **more)


def text(name: str, evidence: Evidence) -> str:
    """What a reader sees of a guide."""
    made = page(ROOT / "site" / "templates", f"guides/{name}.md.j2", **GUIDES[name](evidence))
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", made)).split())


def test_every_guide_is_in_the_index_with_its_lead(tmp_path: Path) -> None:
    evidence = evidence_of(tmp_path, [])
    rows = index({name: view(evidence) for name, view in GUIDES.items()})["table"].rows
    assert [row[0].href for row in rows] == [f"{name}/" for name in GUIDES]
    assert all(row[0].text and row[1].text for row in rows)


@pytest.mark.parametrize("name", [name for name in GUIDES if name not in FROM_TABLES])
def test_an_empty_dataset_is_not_measured_yet(name: str, tmp_path: Path) -> None:
    assert "not measured yet" in text(name, evidence_of(tmp_path, [])).lower()


def test_the_import_time_is_that_of_the_trials(tmp_path: Path) -> None:
    def importing(seconds: float, folder: str) -> list[str]:
        records = timed(CASE, {TORCH: 80})
        phases = [Phase(name="import", wall_ns=int(seconds * 1e9), cpu_ns=1)]
        slow = [msgspec.structs.replace(one, phases=phases) if one.phases else one for one in records]
        table = first_steps.view(evidence_of(tmp_path / folder, slow))["installing"]
        (row,) = [row for row in table.rows if row[0].text == "PyTorch"]
        return [cell.text for cell in row[3:6]]

    assert importing(2.5, "slow") == ["2.50 s", "2.50 s\u2009–\u20092.50 s", "5"]
    assert importing(0.5, "quick")[0] == "500 ms"


def test_programs_are_shown_with_the_words_of_their_first_error(tmp_path: Path) -> None:
    evidence = evidence_of(tmp_path, [])
    shown = first_steps.view(evidence)
    assert [one.name for one in shown["sources"]] == [one.name for one in shown["errors"]]
    whole = text("first-steps", evidence)
    for error in shown["errors"]:
        assert " ".join(error.words.split()) in whole and " ".join(error.at.split()) in whole


def test_a_wrong_file_of_words_is_one_sentence(tmp_path: Path) -> None:
    folder = tmp_path / "examples" / "torch"
    folder.mkdir(parents=True)
    (folder / "said.toml").write_text('version = "1"\n[wrong_shape]\nat = "x"\n')
    with pytest.raises(
        UserError, match=r"said\.toml: key wrong_shape: Object missing required field `words`"
    ):
        said(tmp_path, "torch")


def test_the_cost_of_the_way_back_is_training_over_inference(tmp_path: Path) -> None:
    def cost(training: float, folder: str) -> float:
        records = timed(CASE, {TORCH: training}) + timed(INFER, {TORCH: 20}, seed=8)
        (figure,) = autodiff.view(evidence_of(tmp_path / folder, records))["costs"]
        (bar,) = figure.rows
        assert bar.interval
        return float(bar.value.rstrip("×"))

    assert 2.9 < cost(60, "three") < 3.1
    assert 4.8 < cost(100, "five") < 5.2


def test_only_the_same_size_batch_and_place_are_divided(tmp_path: Path) -> None:
    for number, change in enumerate(({"batch": 32}, {"preset": "smoke"}, {"precision": "bf16"})):
        other = msgspec.structs.replace(INFER, **change)
        records = timed(CASE, {TORCH: 60}) + timed(other, {TORCH: 20}, seed=8)
        assert autodiff.view(evidence_of(tmp_path / str(number), records))["costs"] == []
    records = timed(CASE, {TORCH: 60}) + timed(INFER, {TORCH: 20}, seed=8, host_id="other-2c-ab12cd34")
    assert autodiff.view(evidence_of(tmp_path / "place", records))["costs"] == []
    records = timed(CASE, {TORCH: 60}) + timed(INFER, {COMPILED: 20}, seed=8)
    assert autodiff.view(evidence_of(tmp_path / "contender", records))["costs"] == []


def verdict_on(name: str, evidence: Evidence) -> str:
    (found,) = [one.verdict for one in claims.view(evidence)["claims"] if one.said.name == name]
    return str(found)


def test_a_verdict_follows_the_data(tmp_path: Path) -> None:
    def of(compiled: float) -> str:
        records = timed(CASE, {TORCH: 80, COMPILED: compiled})
        return verdict_on("torch-compile", evidence_of(tmp_path / str(compiled), records))

    assert of(60) == "holds here"
    assert of(100) == "does not hold here"
    assert of(80) == "undecided here"


def test_a_claim_with_a_range_fails_on_both_sides_of_it(tmp_path: Path) -> None:
    def of(jax: float) -> str:
        evidence = evidence_of(tmp_path / str(jax), timed(CASE, {TORCH: 90, JAX: jax}))
        return verdict_on("jax-pytorch", evidence)

    assert [of(36), of(90), of(20), of(45)] == [
        "holds here",
        "does not hold here",
        "does not hold here",
        "undecided here",
    ]


def test_a_claim_is_shown_with_its_source_and_its_cases(tmp_path: Path) -> None:
    evidence = evidence_of(tmp_path, timed(CASE, {TORCH: 90, JAX: 36}))
    whole = text("claims", evidence)
    for one in circulating():
        assert one.quote in whole and one.source.title in whole and one.source.date in whole
        assert re.search(r"20\d\d-\d\d-\d\d", one.source.date) and one.source.href.startswith("https://")
    (shown,) = [one for one in claims.view(evidence)["claims"] if one.said.name == "jax-pytorch"]
    (row,) = shown.table.rows
    assert 2.4 < float(row[3].text.rstrip("×")) < 2.6 and row[6].text == "holds"


def test_every_side_of_a_claim_is_somebody() -> None:
    declared = [
        Contender(stack=stack.name, mode=mode, variant=variant)
        for stack in stacks()
        for mode, variants in stack.modes.items()
        for variant in variants
    ]
    for one in circulating():
        for pair in one.claim.sides:
            sides = pair.sides if isinstance(pair, Extremes) else (pair.faster, pair.slower)
            assert all(any(map(side, declared)) for side in sides), one.name


def test_names_are_unique() -> None:
    for names in ([one.name for one in circulating()], [one.name for one in QUESTIONS]):
        assert len(names) == len({*names})


def test_questions_say_how_many_results_are_behind_them(tmp_path: Path) -> None:
    def behind(records: list[Record], folder: str) -> dict[str, str]:
        shown = faq.view(evidence_of(tmp_path / folder, records))["questions"]
        return {one.asked.name: one.evidence for one in shown}

    none = behind([], "none")
    assert none["small-models"] == "Not measured yet." and none["beginners"] == ""
    some = behind(timed(MLP_CASE, {TORCH: 1, COMPILED: 2}), "some")
    assert some["small-models"] == "Measured so far: 2 results." and some["lstm"] == "Not measured yet."


def test_the_first_question_has_the_datasets_own_answer(tmp_path: Path) -> None:
    tensorflow = Contender(stack="tensorflow", mode="eager")
    fast = text("faq", evidence_of(tmp_path / "a", timed(CASE, {TORCH: 80, tensorflow: 40})))
    slow = text("faq", evidence_of(tmp_path / "b", timed(CASE, {TORCH: 40, tensorflow: 80})))
    assert "TensorFlow, eager is the fastest" in fast
    assert "PyTorch, eager is the fastest" in slow
