"""The ladder: the same cases for all who have a place, ranges of places that hold the true ones, said the same."""

from __future__ import annotations

import io
import itertools
import json
import math
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from framebench import dataset
from framebench.commands import answers as command
from framebench.dataset.ladder import Ladder, ladders
from framebench.pages import data, home
from framebench.pages import ladder as words
from framebench.pages.evidence import gather
from framebench.pages.site import render
from framebench.pages.views import scatter
from framebench.records import store
from framebench.statistics.geomean import LogRatio, geometric_mean
from framebench.statistics.ranks import rank_ranges
from harness.flags import UNRANKED
from harness.record import Case, Record
from tests.record_factory import CASE, CONTENDERS, GPT_CASE, MLP_CASE, STEP_NS, gpu_telemetry, make_trials

ROOT = Path(__file__).resolve().parents[2]
EAGER, TORCH, TENSORFLOW, KERAS = CONTENDERS
CASES = (CASE, MLP_CASE, GPT_CASE)

log_ratios = st.builds(
    LogRatio,
    st.floats(-2, 2, allow_nan=False),
    st.none() | st.floats(0, 0.5, allow_nan=False),
    st.floats(1, 40),
)


@st.composite
def tournaments(draw: st.DrawFn) -> tuple[int, dict[tuple[int, int], LogRatio]]:
    count = draw(st.integers(1, 6))
    every = list(itertools.combinations(range(count), 2))
    return count, {pair: draw(log_ratios) for pair in every}


class TestRanks:
    @given(tournaments(), st.floats(0, 0.3))
    def test_a_range_lies_among_the_places_and_a_wider_margin_never_narrows_it(
        self, case: tuple[int, dict[tuple[int, int], LogRatio]], equal_within: float
    ) -> None:
        count, pairs = case
        narrow, wide = (rank_ranges(count, pairs, margin) for margin in (equal_within, equal_within + 0.1))
        for one, other in zip(narrow, wide, strict=True):
            assert 1 <= other.best <= one.best <= one.worst <= other.worst <= count

    @given(tournaments(), st.randoms())
    def test_names_do_not_matter(
        self, case: tuple[int, dict[tuple[int, int], LogRatio]], random: np.random.RandomState
    ) -> None:
        count, pairs = case
        order = list(range(count))
        random.shuffle(order)
        renamed = {(order[i], order[j]): ratio for (i, j), ratio in pairs.items() if order[i] < order[j]} | {
            (order[j], order[i]): ratio._replace(log_ratio=-ratio.log_ratio)
            for (i, j), ratio in pairs.items()
            if order[i] > order[j]
        }
        ranges, others = rank_ranges(count, pairs, 0.01), rank_ranges(count, renamed, 0.01)
        assert [others[order[i]] for i in range(count)] == ranges

    def test_clear_differences_give_one_place_each(self) -> None:
        truth = [0.0, 0.2, 0.5]
        pairs = {(i, j): LogRatio(truth[i] - truth[j], 0.001, 20) for i, j in [(0, 1), (0, 2), (1, 2)]}
        assert rank_ranges(3, pairs, 0.01) == [(1, 1), (2, 2), (3, 3)]

    def test_without_errors_every_order_is_open(self) -> None:
        pairs = {(0, 1): LogRatio(-3.0, None, None)}
        assert rank_ranges(2, pairs, 0.01) == [(1, 2), (1, 2)]

    def test_all_ranges_hold_the_true_places_at_once(self) -> None:
        """Simulated: at least 95 of 100 times, where neighbours differ by little more than their errors."""
        random, truth, error = np.random.default_rng(3), np.array([0.0, 0.03, 0.06, 0.09, 0.2]), 0.012
        held = 0
        for _ in range(400):
            pairs = {}
            for i, j in itertools.combinations(range(5), 2):
                own = error * math.sqrt(random.chisquare(12) / 12)
                pairs[i, j] = LogRatio(truth[i] - truth[j] + random.normal(0, error), own, 12)
            ranges = rank_ranges(5, pairs, 0.0)
            held += all(one.best <= place <= one.worst for place, one in enumerate(ranges, start=1))
        assert held / 400 >= 0.94


@given(st.dictionaries(st.text(max_size=3), log_ratios, min_size=1, max_size=6))
def test_the_mean_of_turned_ratios_is_the_turned_mean(ratios: dict[str, LogRatio]) -> None:
    mean = geometric_mean(ratios)
    turned = geometric_mean({name: one._replace(log_ratio=-one.log_ratio) for name, one in ratios.items()})
    assert mean.value is not None and turned.value == pytest.approx(1 / mean.value)
    if mean.low is not None and mean.high is not None:
        assert 0 <= mean.low <= mean.value * (1 + 1e-9) and mean.value <= mean.high * (1 + 1e-9)
        assert turned.low == pytest.approx(1 / mean.high)


def of(records: Sequence[Record]) -> list[Ladder]:
    return ladders(dataset.comparisons(dataset.results(records)))


def test_places_and_means_follow_from_the_times() -> None:
    (ladder,) = of(make_trials(cases=CASES, spread=0.005))
    assert [rung.result.label for rung in ladder.rungs] == [
        one.slug for one in (TORCH, EAGER, TENSORFLOW, KERAS)
    ]
    assert [rung.rank for rung in ladder.rungs] == [(1, 1), (2, 2), (3, 3), (4, 4)]
    for rung in ladder.rungs:
        truth = STEP_NS[rung.result.label] / STEP_NS[EAGER.slug]
        assert rung.time_ratio.value == pytest.approx(truth, rel=0.03) and rung.time_ratio.n == 3


def test_who_lacks_a_case_is_named_and_has_no_place() -> None:
    records = make_trials(cases=CASES, contenders=[EAGER, TORCH, KERAS])
    records += make_trials(cases=[CASE], contenders=[TENSORFLOW], seed=8, step_ns={TENSORFLOW.slug: 1e6})
    (ladder,) = of(records)
    assert {rung.result.contender for rung in ladder.rungs} == {EAGER, TORCH, KERAS}
    (lacking,) = ladder.incomplete
    assert lacking.result.contender == TENSORFLOW
    assert [case.case for case in lacking.missing] == [GPT_CASE, MLP_CASE]
    assert words.incomplete(ladder) == ["TensorFlow, tf.function: no ranked figure for Train gpt, Train mlp"]


def test_an_unranked_result_is_a_missing_one() -> None:
    busy = [
        msgspec.structs.replace(record, flags=[UNRANKED])
        if (record.contender, record.case) == (TORCH, GPT_CASE) and record.kind == "timing"
        else record
        for record in make_trials(cases=CASES)
    ]
    (ladder,) = of(busy)
    assert [one.result.contender for one in ladder.incomplete] == [TORCH]


def test_equal_contenders_share_a_range() -> None:
    level = dict.fromkeys(STEP_NS, 80e6)
    (ladder,) = of(make_trials(cases=CASES, step_ns=level))
    assert {rung.rank for rung in ladder.rungs} == {(1, 4)}


def test_one_round_leaves_every_place_open_and_gives_no_interval() -> None:
    (ladder,) = of(make_trials(cases=CASES, rounds=1))
    assert {rung.rank for rung in ladder.rungs} == {(1, 4)}
    assert {words.speed(rung)[1] for rung in ladder.rungs} == {""}


@pytest.mark.parametrize("records", [[], make_trials(), make_trials(cases=CASES, contenders=[EAGER])])
def test_one_case_or_one_contender_is_no_ladder(records: list[Record], tmp_path: Path) -> None:
    assert of(records) == []
    for record in records:
        store.write(record, tmp_path)
    assert home.view(gather(ROOT, dataset.load([tmp_path])))["ladder"] is None


def test_precisions_and_hosts_are_never_mixed() -> None:
    other = [msgspec.structs.replace(case, precision="bf16") for case in CASES]
    records = make_trials(cases=CASES) + make_trials(cases=other, seed=8)
    records += make_trials(cases=CASES[:2], seed=9, host_id="xeon-2c-00000000")
    every = of(records)
    places = [{(case.host_id, case.case.precision) for case in ladder.cases} for ladder in every]
    assert len(every) == 3 and all(len(place) == 1 for place in places)
    assert every[0].cases[0].case.precision == "fp32" and len(every[0].cases) == 3


def test_several_cases_of_one_kind_are_told_apart() -> None:
    larger = Case(workload=CASE.workload, preset="cpu", task="train", batch=64, cores=2)
    (ladder,) = of(make_trials(cases=[CASE, larger]))
    assert "Train convstack (cpu, batch 16), Train convstack (cpu, batch 64)" in words.lead(ladder)


def with_memory(records: Sequence[Record], mebibytes: dict[str, int]) -> list[Record]:
    """Memory trials in which the work of each contender takes so much, those without an entry left out."""
    changed = []
    for record in records:
        if record.memory is None:
            changed.append(record)
        elif record.contender.slug in mebibytes:
            before = record.memory.host_rss_after_import
            assert before is not None
            peak = before + mebibytes[record.contender.slug] * 2**20
            used = msgspec.structs.replace(record.memory, host_rss_peak=peak)
            changed.append(msgspec.structs.replace(record, memory=used))
    return changed


def test_speed_stands_against_memory_where_there_is_no_gpu() -> None:
    trials = make_trials(cases=CASES, kinds=("parity", "memory", "timing"))
    (ladder,) = of(with_memory(trials, {EAGER.slug: 100, TORCH.slug: 250, TENSORFLOW.slug: 50}))
    needs = {rung.result.contender: rung.need for rung in ladder.rungs}
    assert ladder.needed == "memory" and needs.pop(KERAS) is None
    assert [rung.result.contender for rung in ladder.rungs if rung.is_baseline] == [EAGER]
    assert needs == {EAGER: 1, TORCH: pytest.approx(2.5), TENSORFLOW: pytest.approx(0.5)}
    view = words.view([ladder])
    assert view is not None and view.needs is not None
    fastest, eager, tensorflow = view.needs.points
    assert (fastest.letter, fastest.x, fastest.y) == ("A", "100.0", "100.0")
    assert 0 < float(eager.x) < 100 and 0 < float(eager.y) < 100
    assert (tensorflow.letter, tensorflow.x, tensorflow.y) == ("C", "0.0", "0.0")
    assert view.needs.x_ends == ("0.500×", "2.50×")


def test_speed_stands_against_energy_where_gpus_told_it() -> None:
    joules = {EAGER.slug: 0.2, TORCH.slug: 0.1, TENSORFLOW.slug: 0.4, KERAS.slug: 0.2}
    cases = [msgspec.structs.replace(case, device="gpu", cores=None) for case in CASES]
    records = []
    for record in make_trials(cases=cases, kinds=("parity", "memory", "timing")):
        assert record.telemetry is not None
        gpus = []
        for number in range(2):
            gpu = gpu_telemetry(number)
            assert gpu.energy is not None
            used = msgspec.structs.replace(gpu.energy, j_per_sample=joules[record.contender.slug] / 2)
            gpus.append(msgspec.structs.replace(gpu, energy=used))
        told = msgspec.structs.replace(record.telemetry, gpus=gpus, gpu_reason=None)
        records.append(msgspec.structs.replace(record, telemetry=told))
    (ladder,) = of(records)
    assert ladder.needed == "energy"
    needs = {rung.result.contender.slug: rung.need for rung in ladder.rungs}
    assert needs == {slug: pytest.approx(used / 0.2) for slug, used in joules.items()}


def test_without_memory_there_is_no_picture_and_no_made_up_figure() -> None:
    ladder = of(make_trials(cases=CASES))
    view = words.view(ladder)
    assert view is not None and view.needs is None
    assert {row[-1].text for row in view.table.rows} == {"–"}


@given(st.lists(st.tuples(st.floats(1e-6, 1e6), st.floats(1e-6, 1e6)), min_size=1, max_size=40))
def test_points_lie_in_the_drawing_in_their_order(points: list[tuple[float, float]]) -> None:
    drawn = scatter("", [("A", "", x, y, "torch") for x, y in points], ("x", "y")).points
    for (x, y), (other_x, other_y) in itertools.pairwise(points):
        one, other = drawn[points.index((x, y))], drawn[points.index((other_x, other_y))]
        assert (x < other_x) <= (float(one.x) <= float(other.x))
        assert (y < other_y) <= (float(one.y) <= float(other.y))
    assert all(0 <= float(place) <= 100 for point in drawn for place in (point.x, point.y))


def test_home_terminal_and_download_have_the_same_ladder(tmp_path: Path) -> None:
    records = make_trials(cases=CASES, contenders=[EAGER, TORCH, KERAS])
    records += make_trials(cases=[CASE], contenders=[TENSORFLOW], seed=8)
    for record in records:
        store.write(record, tmp_path)
    evidence = gather(ROOT, dataset.load([tmp_path]))
    (ladder,) = evidence.dataset.ladders
    said = io.StringIO()
    command.run(ROOT, tmp_path, Console(file=said, soft_wrap=True, highlight=False))
    page = str(render(evidence)["index.md"])
    rows = json.loads(data.files(evidence)["data/ladder.json"])
    assert words.lead(ladder) in said.getvalue() and words.lead(ladder) in page
    assert words.incomplete(ladder)[0] in said.getvalue() and words.incomplete(ladder)[0] in page
    for rung, row in zip(ladder.rungs, rows, strict=False):
        ratio, interval = words.speed(rung)
        assert f"{ratio}×" in said.getvalue() and interval in page
        assert rung.is_baseline or f"{ratio}×" in page
        assert (row["contender"], row["rank_best"], row["rank_worst"]) == (rung.result.label, *rung.rank)
        assert row["time_ratio"] == pytest.approx(rung.time_ratio.value)
    assert rows[-1]["contender"] == TENSORFLOW.slug and rows[-1]["rank_best"] is None
    assert "gpt" in rows[-1]["missing"]
