"""What a result's page draws over time: blocks behind their warm-up, telemetry by unit, the ends of each in words."""

from __future__ import annotations

from pathlib import Path

import msgspec

from framebench import dataset
from framebench.language import CHINESE, speaking
from framebench.pages import flags as flag_words
from framebench.pages import over_time, result, trials
from framebench.pages.depends import Dependencies
from framebench.pages.evidence import Evidence, gather, sidecar_file
from framebench.pages.of_results import beside
from framebench.records import store
from harness.record import Block, Record
from tests.record_factory import CONTENDERS, inline_sidecar, make_record, make_trials, telemetry_series

ROOT = Path(__file__).resolve().parents[2]


def blocks_of(warm_ns: int, *walls_ns: int, number: int = 1) -> Record:
    record = make_record(round=number, trial_id=f"{number:026d}")
    assert record.timing is not None
    timing = msgspec.structs.replace(
        record.timing,
        warmup=msgspec.structs.replace(record.timing.warmup, wall_ns=warm_ns),
        blocks=[Block(steps=1, wall_ns=wall, cpu_ns=wall, wait_ns=None) for wall in walls_ns],
    )
    return msgspec.structs.replace(record, timing=timing)


def evidence(folder: Path, records: list[Record]) -> Evidence:
    for record in records:
        store.write(record, folder)
    return gather(ROOT, dataset.load([folder]))


def watched(folder: Path, gpus: int = 0) -> Evidence:
    records = make_trials(
        contenders=CONTENDERS[:1],
        rounds=2,
        kinds=("timing",),
        sidecar=inline_sidecar(telemetry_series(gpus)),
    )
    return evidence(folder, records)


def test_each_trials_blocks_stand_behind_its_warm_up_to_scale() -> None:
    second = 1_000_000_000
    records = [blocks_of(second, second, second), blocks_of(9 * second, second, second, number=2)]
    shown = over_time.blocks(records, "../")
    assert shown is not None
    (course,) = shown.courses
    # 1 s + 2 s, then of 9 s as much as the blocks last + 2 s: 7 s in 1000 units
    assert [(band.x, band.width) for band in course.plot.bands] == [(0, 143), (429, 285)]
    assert [trace.path.count("h0") for trace in course.plot.traces] == [2, 2]
    assert course.plot.traces[0].path.startswith("m214+") and course.plot.x_right == "7.00 s"
    assert "warm-up" in course.plot.band_label
    assert (shown.folder, shown.ending) == ("../records/", ".json")
    assert shown.trials == [record.trial_id for record in records]
    assert (course.unit, course.scale) == ("s", 1e-9)


def test_the_ends_of_each_series_are_said() -> None:
    record = blocks_of(1, 100_000_000, 125_000_000, 110_000_000)
    shown = over_time.blocks([record], "")
    assert shown is not None
    (trace,) = shown.courses[0].plot.traces
    assert (trace.label, trace.span) == ("round 1", "100\u2009–\u2009125 ms")
    assert over_time.blocks([msgspec.structs.replace(record, timing=None)], "") is None


def test_telemetry_is_drawn_by_unit_with_what_no_metric_lacks(tmp_path: Path) -> None:
    found = watched(tmp_path)
    shown = over_time.telemetry(found.dataset.results[0], found, "../../")
    assert shown is not None and "round 2" in shown.lead
    assert [course.plot.y_name for course in shown.courses] == ["Cores at work", "Resident memory"]
    cores, memory = shown.courses
    assert (cores.metrics, cores.counter, cores.unit) == (
        "cpu_time host_busy",
        True,
        "cores",
    )  # no steal: it is 0
    assert [trace.span for trace in cores.plot.traces] == [
        "1.50\u2009–\u20091.90 cores",
        "2.00\u2009–\u20092.10 cores",
    ]
    assert memory.plot.traces[0].span == "500\u2009–\u2009529 MiB" and not memory.counter


def test_one_gpu_shows_its_metrics_and_several_one_each(tmp_path: Path) -> None:
    for gpus, lines in ((1, "0:power_instant"), (2, "0:power_instant 1:power_instant")):
        found = watched(tmp_path / str(gpus), gpus)
        shown = over_time.telemetry(found.dataset.results[0], found, "")
        assert shown is not None
        power = next(course for course in shown.courses if course.unit == "W")
        assert power.metrics == lines  # a temperature that was read once is no line
        labels = [trace.label for trace in power.plot.traces]
        assert labels[0].startswith("GPU 0, ") == (gpus == 2)


def test_the_page_keeps_the_sidecar_that_it_draws_and_names_it(tmp_path: Path) -> None:
    found = watched(tmp_path)
    (one,) = found.dataset.results
    last = over_time.watched(one)
    assert last is not None and last.round == 2
    address = sidecar_file(last.trial_id)
    assert isinstance(beside(found, Dependencies(found))[address], Path)
    named = f'records/" data-ending=".sidecar.json.gz" data-trials="{last.trial_id}"'
    assert f'data-folder="../../{named}' in result.page(one, found).content
    with speaking(CHINESE, ROOT):
        assert f'data-folder="../../../{named}' in result.page(one, found).content


def test_a_trial_without_a_series_has_its_table_and_no_drawing(tmp_path: Path) -> None:
    found = evidence(tmp_path, make_trials(contenders=CONTENDERS[:1], rounds=1, kinds=("timing",)))
    (one,) = found.dataset.results
    assert over_time.telemetry(one, found, "") is None
    content = result.page(one, found).content
    assert "resident memory of the trial" in content and "sidecar" not in content


def test_a_trials_course_is_said_in_the_words_of_its_flags() -> None:
    record = make_record()
    assert record.timing is not None
    for steady in (True, False):
        for course in ("steady", "slowdown", "no-steady-state"):
            warmup = msgspec.structs.replace(record.timing.warmup, steady=steady)
            timing = msgspec.structs.replace(record.timing, warmup=warmup, steady_class=course)
            (row,) = trials.trial_table([msgspec.structs.replace(record, timing=timing)], {}).rows
            said = row[4].text
            assert (said == "steady") == (steady and course == "steady")
            assert (flag_words.word("not_steady") in said) == (not steady)
            assert (flag_words.word("slowdown") in said) == (course == "slowdown")
