"""A library's own models: compared in their tasks, shown beside the stack that they stand on, and nobody's answer."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest

from framebench import dataset
from framebench.campaign.unsupported import cause_anywhere
from framebench.commands.new import known_frameworks
from framebench.images import load_matrix
from framebench.pages import home, image, stack, workload
from framebench.pages.evidence import Evidence, gather
from framebench.pages.words import families
from framebench.records import store
from harness.record import Contender
from tests.record_factory import CASE, make_trials

ROOT = Path(__file__).resolve().parents[2]
DECODE = msgspec.structs.replace(CASE, workload="gpt", task="decode")
TORCH = Contender(stack="torch", mode="eager")
KERAS = Contender(stack="keras-jax", mode="compiled", variant="direct")
HUB = Contender(stack="kerashub-jax", mode="compiled", variant="loop")


@pytest.fixture
def evidence(tmp_path: Path) -> Evidence:
    """A library that is the fastest."""
    times = {TORCH.slug: 80e6, KERAS.slug: 60e6, HUB.slug: 20e6}
    for record in make_trials([TORCH, KERAS, HUB], [DECODE], step_ns=times):
        store.write(record, tmp_path)
    return gather(ROOT, dataset.load([tmp_path]))


def test_other_tasks_and_workloads_are_refused_before_anything_is_fetched() -> None:
    assert cause_anywhere(DECODE, HUB) is None
    cause = cause_anywhere(msgspec.structs.replace(DECODE, task="train"), HUB)
    assert cause is not None
    assert cause.reason == "KerasHub on JAX is compared in prefill and decode alone, not in train"
    cause = cause_anywhere(msgspec.structs.replace(DECODE, workload="mlp"), HUB)
    assert cause is not None and cause.reason == "mlp has no file for kerashub"


def test_no_answer_is_given_by_a_library_and_nobody_writes_models_in_it(evidence: Evidence) -> None:
    (answer,) = evidence.dataset.answers
    assert [result.contender for result in answer.best] == [KERAS, TORCH]
    assert answer.not_ranked == []
    assert "KerasHub" not in home.view(evidence)["frameworks"]
    assert "kerashub" not in families() and "kerashub" not in known_frameworks()


def test_its_model_is_among_those_of_the_workload_that_has_one() -> None:
    assert "KerasHub" in [file.name for file in workload.implementations(ROOT, "gpt")]
    assert "KerasHub" not in [file.name for file in workload.implementations(ROOT, "mlp")]


def test_its_page_leads_to_the_stack_that_it_stands_on_and_has_its_colour(evidence: Evidence) -> None:
    page = stack.view(HUB.stack, evidence)
    assert (page["backend"].text, page["backend"].href) == ("Keras on JAX", "../keras-jax/")
    assert next(file.name for file in page["sources"]) == "driver.py" and page["conventions"]
    assert len(page["results"].rows) == 1
    colour = dict(re.findall(r'"([\w-]+)"\] \{ --fb-colour: var\((--fb-c\d)\)', stack.colours()))
    assert colour[HUB.stack] == colour[KERAS.stack]


def test_an_image_says_what_is_left_out_of_it(evidence: Evidence) -> None:
    row = load_matrix(ROOT).find("kerashub-jax-cpu")
    facts = {fact.name: fact.text for fact in image.view(row, evidence)["facts"]}
    assert facts["Left out"] == "tensorflow-text"
    plain = load_matrix(ROOT).find("keras-jax-cpu")
    assert "Left out" not in {fact.name for fact in image.view(plain, evidence)["facts"]}
