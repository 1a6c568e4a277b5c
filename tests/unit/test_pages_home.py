"""Home's sentences: an answer with its uncertainty, or the plain word that there is none."""

from pathlib import Path

import msgspec
import pytest

from framebench import dataset
from framebench.pages import home
from framebench.pages.answer_words import long_title
from framebench.pages.evidence import gather
from framebench.records import store
from harness import workloads
from harness.flags import UNRANKED
from harness.record import Case, Contender
from tests.record_factory import CASE, CONTENDERS, MLP_CASE, make_trials

ROOT = Path(__file__).resolve().parents[2]
QUESTION = home.Question("convstack", "train")


def answer(tmp_path, records):
    for record in records:
        store.write(record, tmp_path)
    evidence = gather(ROOT, dataset.load([tmp_path]))
    return home.scenario(QUESTION, evidence), home.view(evidence)


def trials(**changes):
    return make_trials(kinds=("parity", "timing"), **changes)


def test_a_quiet_host_gives_an_answer_with_its_uncertainty(tmp_path):
    found, view = answer(tmp_path, trials())
    assert found.state == "answered" and view["answered"] and not view["busy"]
    assert "<strong>PyTorch, torch.compile</strong> is the fastest" in found.sentence
    assert "(95 % interval " in found.sentence
    assert "1.4" in found.sentence and "TensorFlow at its best" in found.sentence  # 88 / 60
    assert [row.stack for row in found.rows] == ["torch", "tensorflow", "keras-jax"]


def test_every_answer_is_a_line_that_leads_to_its_card(tmp_path):
    _found, view = answer(tmp_path, trials(cases=[CASE, MLP_CASE]))
    rows = view["glance"].rows
    assert [(row[0].text, row[0].href) for row in rows] == [
        (card.title, f"#{card.anchor}") for card in view["scenarios"]
    ]
    (row,) = [row for row in rows if row[0].text == "Train a stack of convolutions (convstack)"]
    assert row[1].text == "PyTorch, torch.compile" and row[2].text == "the fastest"
    assert row[3].text.startswith("1.4") and row[3].text.endswith(" TensorFlow")  # 88 / 60


def test_a_workload_without_a_description_goes_by_its_name():
    assert long_title(home.Question("mine", "train")) == "Train mine"


def test_a_workload_that_cannot_be_imported_goes_by_its_name_too(tmp_path, monkeypatch):
    for name, code in {"torn": "def (", "silent": ""}.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text(code)
    monkeypatch.setattr(workloads, "FOLDER", tmp_path)
    monkeypatch.setattr(workloads, "names", lambda: ["silent", "torn"])
    assert long_title(home.Question("torn", "train")) == "Train torn"
    assert long_title(home.Question("silent", "infer")) == "Predict with silent"


def test_a_busy_host_gives_figures_and_no_rank(tmp_path):
    found, view = answer(tmp_path, trials(flags=[UNRANKED]))
    assert found.state == "no quiet host" and view["busy"] and not view["answered"]
    assert "No quiet host has measured this yet." in found.sentence
    assert "busy" in found.sentence and "fastest" not in found.sentence
    assert len(found.rows) == 3
    assert all(not row.ranked and row.value and row.interval for row in found.rows)


def test_equal_frameworks_are_not_told_apart(tmp_path):
    level = dict.fromkeys((contender.slug for contender in CONTENDERS), 80e6)
    found, _view = answer(tmp_path, trials(step_ns=level, spread=0.03))
    assert found.state == "answered"
    assert "too close to call" in found.sentence and "fastest" not in found.sentence


def test_indistinguishable_frameworks_are_level(tmp_path):
    level = dict.fromkeys((contender.slug for contender in CONTENDERS), 80e6)
    found, _view = answer(tmp_path, trials(step_ns=level, spread=0.0005))
    assert "are level" in found.sentence


def test_what_is_surely_apart_is_not_level_on_a_host_where_everything_ties(tmp_path):
    eager, _compiled, tensorflow, _keras = CONTENDERS
    twin = msgspec.structs.replace(eager, twin=True)
    noisy = trials(cases=[MLP_CASE], contenders=[eager, twin, tensorflow], spread=0.5, seed=9)
    times = {eager.slug: 80e6, tensorflow.slug: 60e6}
    quiet = trials(contenders=[eager, tensorflow], step_ns=times, spread=0.002)
    found, _view = answer(tmp_path, noisy + quiet)
    (measured,) = [one for one in found_answers(tmp_path) if one.question == QUESTION]
    pair = measured.ratios[measured.best[1].id]
    assert pair.low is not None and pair.low > 1.3
    assert measured.relation == "undecided" and "level" not in found.sentence


def found_answers(folder):
    return dataset.load([folder]).answers


def test_one_round_is_no_answer(tmp_path):
    found, view = answer(tmp_path, trials(rounds=1))
    assert found.state == "too few rounds" and not view["answered"] and not view["busy"]
    assert "too few rounds" in found.sentence and "fastest" not in found.sentence


def test_a_framework_that_is_not_ranked_is_named(tmp_path):
    noisy = Contender(stack="tensorflow", mode="compiled", variant="graph")
    quiet = [contender for contender in CONTENDERS if contender != noisy]
    records = trials(contenders=quiet) + trials(contenders=[noisy], seed=8, flags=[UNRANKED])
    found, _view = answer(tmp_path, records)
    assert found.state == "answered" and "Not ranked here: TensorFlow." in found.sentence


def test_an_unranked_result_with_a_better_figure_is_said_beside_the_fastest(tmp_path):
    noisy = Contender(stack="tensorflow", mode="compiled", variant="graph")
    quiet = [contender for contender in CONTENDERS if contender != noisy]
    fast = trials(contenders=[noisy], seed=8, flags=[UNRANKED], step_ns={noisy.slug: 10e6})
    found, _view = answer(tmp_path, trials(contenders=quiet) + fast)
    assert "Measured faster, but on a host too busy to rank it: TensorFlow, tf.function" in found.sentence


def test_nothing_measured_says_so(tmp_path):
    found, view = answer(tmp_path, [])
    assert found.state == "not measured" and not found.rows and not view["measured"]


@pytest.mark.parametrize("presets", [("smoke", "cpu"), ("cpu", "smoke")])
def test_the_larger_preset_answers(tmp_path, presets):
    records = []
    for number, preset in enumerate(presets):
        case = Case(workload="convstack", preset=preset, task="train", batch=16, cores=2)
        records += trials(cases=[case], seed=20 + number)
    found, _view = answer(tmp_path, records)
    assert "preset cpu" in found.where


def test_unranked_results_get_no_verdict(tmp_path):
    for record in trials(flags=[UNRANKED]):
        store.write(record, tmp_path)
    (group,) = gather(ROOT, dataset.load([tmp_path])).groups
    assert {compared.verdict for compared in group.against_baseline.values()} == {"not ranked"}
    assert all(compared.low for compared in group.against_baseline.values())
