"""Reproducing: which pair is measured again, what is refused, and the verdict in words."""

from __future__ import annotations

import io
import math
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import numpy as np
import pytest
from rich.console import Console

from framebench import images
from framebench.campaign import recorded_pair, same_image
from framebench.commands import reproduce
from framebench.errors import UserError
from framebench.executors import Progress
from framebench.executors.machine import Machine
from framebench.images import Rebuilt
from framebench.records import store
from framebench.records.identity import result_id
from framebench.records.reproduction_document import Reproduction
from framebench.statistics.ratio_of_ratios import reproduced
from harness.flags import UNRANKED
from harness.record import Contender, Record, TrialSpec
from tests import record_factory

ROOT = Path(__file__).resolve().parents[2]
JAX = Contender(stack="keras-jax", mode="compiled", variant="loop")
EAGER = Contender(stack="torch", mode="eager")


def of(records: list[Record], contender: Contender) -> str:
    return next(result_id(r) for r in records if r.contender == contender and r.kind == "timing")


def test_the_declared_baseline_is_paired_round_by_round() -> None:
    records = record_factory.make_trials(rounds=5, spread=0.0)
    pair = recorded_pair.find_pair(ROOT, records, of(records, JAX))
    assert {record.contender.slug for record in pair.baseline.values()} == {"torch-eager"}
    expected = math.log(95e6 / 80e6)
    assert pair.log_ratios() == pytest.approx([expected] * 5, abs=0.01)


def test_the_baseline_itself_is_paired_with_another_contender() -> None:
    records = record_factory.make_trials(rounds=3)
    pair = recorded_pair.find_pair(ROOT, records, of(records, EAGER))
    assert {record.contender.slug for record in pair.contender.values()} == {"torch-eager"}
    assert "torch-eager" not in {record.contender.slug for record in pair.baseline.values()}


def test_only_rounds_of_one_campaign_are_paired() -> None:
    mine = record_factory.make_trials(contenders=[JAX], rounds=3, seed=1)
    other = record_factory.make_trials(contenders=[EAGER], rounds=3, seed=2)
    with pytest.raises(UserError, match="timed alone"):
        recorded_pair.find_pair(ROOT, mine + other, of(mine, JAX))


def test_a_result_without_a_timed_trial_is_refused() -> None:
    failed = record_factory.make_failed("oom", "killed at its memory limit", contender=JAX)
    with pytest.raises(UserError, match="nothing to reproduce"):
        recorded_pair.find_pair(ROOT, [failed], result_id(failed))


def test_an_image_of_a_dirty_tree_is_refused_and_nothing_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "find_by_digest", lambda digest: None)
    record = record_factory.make_record()
    dirty = msgspec.structs.replace(record, provenance=msgspec.structs.replace(record.provenance, dirty=True))
    with pytest.raises(UserError, match="cannot be made again"):
        same_image.obtain(ROOT, dirty, lambda line: None)


def test_a_rebuilt_image_with_another_digest_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    other = Rebuilt("sha256:" + "0" * 64, "framebench/torch:other")
    monkeypatch.setattr(images, "find_by_digest", lambda digest: None)
    monkeypatch.setattr(images, "rebuild_at", lambda root, commit, name, progress: other)
    with pytest.raises(UserError, match="not the image that was measured"):
        same_image.obtain(ROOT, record_factory.make_record(), lambda line: None)


@pytest.mark.parametrize(
    ("shift", "spread", "word"),
    [(0.0, 0.004, "reproduced"), (0.5, 0.004, "not reproduced"), (0.0, 0.2, "undecided")],
)
def test_the_verdict_in_words(shift: float, spread: float, word: str) -> None:
    random = np.random.default_rng(3)
    recorded, new = random.normal(0.2, spread, 5), random.normal(0.2 + shift, spread, 5)
    verdict = reproduced(recorded, new)
    document = Reproduction(
        reproduction_id="x",
        result_id="y",
        reproduced_utc="",
        host_id="elsewhere",
        same_hardware=False,
        executor="docker",
        config_digest=None,
        image_source="rebuilt",
        rounds=5,
        contender="keras-jax-compiled-loop",
        baseline="torch-eager",
        recorded_ratio=1.0,
        new_ratio=1.0,
        ratio_of_ratios=verdict.ratio,
        low=verdict.low,
        high=verdict.high,
        bound=verdict.bound,
        verdict=verdict.verdict,
        rounds_needed=verdict.rounds_needed,
        trial_ids=[],
    )
    said = reproduce.sentence(verdict, document)
    assert f": {word}" in said
    assert "95 % interval" in said and "(on other hardware)" in said
    if word == "undecided":
        assert "more rounds" in said


class Neighbours:
    """An executor on a machine of its own, with ``cores``, which others keep busy in the rounds of ``busy``."""

    name = "docker"
    engine = None

    def __init__(self, busy: set[int], cores: int = 64) -> None:
        self.busy = busy
        self.there = Machine("Far Away 9000", cores, cores, 8 << 30, "x86_64")

    def machine(self) -> Machine:
        return self.there

    def run(self, spec: TrialSpec, log: Progress) -> Record:
        flags = [UNRANKED] if spec.kind == "timing" and spec.round in self.busy else []
        record = record_factory.make_record(
            kind=spec.kind, contender=spec.contender, case=spec.case, flags=flags
        )
        return msgspec.structs.replace(
            record,
            trial_id=spec.trial_id,
            campaign_id=spec.campaign_id,
            round=spec.round,
            started_utc=datetime.now(UTC).isoformat(timespec="milliseconds"),
            provenance=spec.provenance,
        )


def again(
    monkeypatch: pytest.MonkeyPatch, results: Path, busy: set[int], cores: int = 64
) -> tuple[str, Reproduction]:
    """Reproduce a recorded result with five rounds on a machine that is busy in those of ``busy``."""
    records = record_factory.make_trials(contenders=[EAGER, JAX], rounds=5)
    for record in records:
        store.write(record, results)
    monkeypatch.setattr(reproduce, "choose", lambda root, wanted, say: Neighbours(busy, cores))
    monkeypatch.setattr(reproduce, "prepare_as_recorded", lambda root, executor, trials, say: "local")
    said = io.StringIO()
    assert reproduce.run(ROOT, results, of(records, JAX), 5, Console(file=said, soft_wrap=True)) == 0
    ((_, document),) = store.load([results]).reproductions
    return said.getvalue(), document


def test_a_machine_that_others_keep_busy_gets_no_verdict_and_no_promise_of_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    said, document = again(monkeypatch, tmp_path, busy={1, 2, 3, 4, 5})
    assert "undecided, for this machine is too busy to judge: others took the cores in 5 of 5 rounds" in said
    assert "when nothing else runs here, or on another machine" in said
    assert "more rounds" not in said
    assert (document.verdict, document.rounds_needed, document.busy_rounds) == ("undecided", None, 5)


def test_quiet_rounds_decide_where_three_of_them_remain(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    said, document = again(monkeypatch, tmp_path, busy={2, 4})
    assert "others took the cores in 2 rounds, which do not count" in said
    assert "too busy" not in said
    assert (document.rounds, document.busy_rounds) == (3, 0)


def test_the_machine_that_is_asked_is_the_executors(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    said, document = again(monkeypatch, tmp_path / "many", busy=set())
    assert document.host_id.startswith("far-away-9000-64c-8g-")
    assert f"this is {document.host_id}; only ratios compare" in said
    with pytest.raises(UserError, match="used 2 cores, this machine allows 1: "):
        again(monkeypatch, tmp_path / "one", busy=set(), cores=1)


def test_two_quiet_rounds_of_five_are_too_few(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    said, document = again(monkeypatch, tmp_path, busy={1, 2, 4})
    assert "too busy to judge: others took the cores in 3 of 5 rounds" in said
    assert (document.rounds, document.busy_rounds) == (5, 3)
