"""What a result's page says of telemetry: only what a record has, per GPU, with the reasons for the rest."""

from __future__ import annotations

from pathlib import Path

import msgspec

from framebench import dataset
from framebench.pages import result, telemetry
from framebench.pages.evidence import gather
from framebench.pages.views import Fact, Table
from framebench.records import store
from harness import flags
from harness.record import Energy, Metric, Record
from harness.telemetry import cpu, gpm, nvml_metrics
from tests import record_factory
from tests.record_factory import make_record

ROOT = Path(__file__).resolve().parents[2]


def with_gpus(count: int, **changes: object) -> Record:
    gpus = [record_factory.gpu_telemetry(number) for number in range(count)]
    gpus = [msgspec.structs.replace(gpu, **changes) for gpu in gpus]
    seen = msgspec.structs.replace(record_factory.telemetry(), gpus=gpus, gpu_reason=None)
    return make_record(telemetry=seen)


def facts(listed: list[Fact]) -> dict[str, str]:
    return {fact.name: fact.text for fact in listed}


def rows(table: Table | None) -> dict[str, list[str]]:
    assert table is not None
    return {row[0].text: [cell.text for cell in row[1:]] for row in table.rows}


def test_a_record_without_a_gpu_has_no_gpu_table_but_the_reason() -> None:
    records = [make_record()]
    assert telemetry.gpu_table(records) is None
    assert telemetry.energy_table(records) is None
    assert facts(telemetry.process_facts(records))["resident memory of the trial"] == "658 MiB"
    assert facts(telemetry.missing(records)) == {"GPUs": "no NVIDIA library"}
    assert telemetry.process_facts([make_record(telemetry=None)]) == []


def test_over_several_trials_a_metric_goes_from_the_least_to_the_greatest() -> None:
    seen = record_factory.telemetry()
    more = {"rss": Metric(unit="B", mean=734003200.0), "steal": Metric(unit="ns", delta=20_000_000)}
    records = [
        make_record(),
        make_record(telemetry=msgspec.structs.replace(seen, metrics=seen.metrics | more)),
    ]
    found = facts(telemetry.process_facts(records))
    assert found["resident memory of the trial"] == "658\u2009–\u2009700 MiB"
    assert found["CPU time that went to other virtual machines (steal)"] == "0 s\u2009–\u200920.0 ms"


def test_each_gpu_is_a_column_with_every_kind_of_figure() -> None:
    records = [with_gpus(2)]
    table = telemetry.gpu_table(records)
    assert table is not None and table.head == ["Metric", "GPU 0", "GPU 1"]
    found = rows(table)
    assert found["power, instantaneous"] == ["597 W", "597 W"]
    assert found["SMs active (GPM)"] == ["81.2 %", "81.2 %"]
    assert found["PCIe, sent (GPM)"] == ["940 MiB/s", "940 MiB/s"]
    assert found["time at the power limit"] == ["25 %", "25 %"]
    assert found["held back by the power limit"] == ["750 ms", "750 ms"]
    assert found["GPU memory in use"] == ["5.00 GiB", "5.00 GiB"]
    assert found["clock of the SMs"] == ["–", "–"]  # too few samples


def test_every_metric_that_the_sampler_reads_has_its_words() -> None:
    of_gpus = [name for call in nvml_metrics.CALLS for name in call.metrics]
    read = [*cpu.METRICS, *cpu.ENERGY[:1], *nvml_metrics.FIELDS, *of_gpus, *gpm.METRICS]
    assert [name for name in read if telemetry.metric_name(name) == name.replace("_", " ")] == []


def test_energy_carries_its_sensors_error_and_its_reason() -> None:
    table = telemetry.energy_table([with_gpus(1)])
    assert table is not None and "±5 %" in table.caption
    assert rows(table)["round 1"][:5] == [
        "1\u202f792 J",
        "1\u202f492 J",
        "0.210 J",
        "100 W / –",
        "the driver's counter",
    ]
    null = telemetry.energy_table(
        [with_gpus(1, energy=Energy(reason="the window is 3.0 s long, energy needs 5 s"))]
    )
    assert rows(null)["round 1"] == [
        "–",
        "–",
        "–",
        "– / –",
        "–",
        "the window is 3.0 s long, energy needs 5 s",
    ]


def test_what_a_gpu_refused_is_listed_with_its_reason() -> None:
    found = {fact.name: fact.text for fact in telemetry.missing([with_gpus(1)])}
    assert found == {"fp64 pipes active (GPM), memory errors, corrected": "not supported: Not Supported"}


def test_the_page_of_a_gpu_trial_has_its_tables_and_its_flags_in_words(tmp_path: Path) -> None:
    record = msgspec.structs.replace(with_gpus(1), flags=[flags.GPU_POWER_LIMITED])
    store.write(record, tmp_path)
    evidence = gather(ROOT, dataset.load([tmp_path]))
    page = result.page(evidence.dataset.results[0], evidence).content
    for words in (
        "The GPU over the timed window",
        "Energy over the timed window",
        "SMs active (GPM)",
        "normal at full load",
    ):
        assert words in page
