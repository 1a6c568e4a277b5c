"""What the compare page offers and what its script reads: every result once, and no figure that was not measured."""

from __future__ import annotations

import datetime
import json
import math
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

from framebench import dataset
from framebench.dataset.prices import Price, cost_per_million, read_prices
from framebench.errors import UserError
from framebench.pages import compare, compare_data
from framebench.pages.evidence import Evidence, gather
from framebench.pages.facets import choices, facets
from framebench.pages.metrics import metrics
from framebench.pages.render import page
from framebench.records import store
from harness.record import Case, Contender, Record, Telemetry
from tests.record_factory import (
    CASE,
    GPT_CASE,
    MLP_CASE,
    gpu_telemetry,
    make_failed,
    make_record,
    make_trials,
    telemetry,
    trial_id,
)

ROOT = Path(__file__).resolve().parents[2]
BATCHES = [msgspec.structs.replace(CASE, batch=batch) for batch in (128, 16, 8)]


def evidence(folder: Path, records: list[Record]) -> Evidence:
    (folder / "results").mkdir()
    for record in records:
        store.write(record, folder / "results")
    return gather(ROOT, dataset.load([folder / "results"]))


def rows(found: Evidence) -> list[dict[str, Any]]:
    """The results of ``data/compare.json``, each with its group, contender, texts and figures."""
    data = json.loads(compare_data.compare_json(found))
    results = data["results"]
    for name, column in [*results.items(), *data["figures"].items()]:
        assert len(column) == len(results["id"]), name
    made = []
    for number, result_id in enumerate(results["id"]):
        group, who = results["group"][number], results["contender"][number]
        made.append(
            {"id": result_id}
            | {name: column[group] for name, column in data["groups"].items()}
            | {name: column[who] for name, column in data["contenders"].items()}
            | {
                name: data["texts"][results[name][number]]
                for name in ("failure", "kernels", "marks", "image")
            }
            | {name: column[number] for name, column in data["figures"].items()}
        )
    return made


def test_every_result_is_there_once_with_its_own_figures(tmp_path: Path) -> None:
    broken = make_failed(
        "crashed", "it fell over", contender=Contender(stack="jax", mode="eager"), trial_id=trial_id(5)
    )
    found = evidence(
        tmp_path,
        [*make_trials(cases=[CASE, GPT_CASE], kinds=("parity", "memory", "cold-start", "timing")), broken],
    )
    table = {row["id"]: row for row in rows(found)}
    assert table.keys() == {result.id for result in found.dataset.results}
    for result in found.dataset.results:
        row = table[result.id]
        assert row["label"] == result.label and row["case"] == result.case.path
        if result.throughput is None:
            assert row["units_per_s"] is None and "it fell over" in row["failure"]
            continue
        assert row["failure"] == ""
        assert row["units_per_s"] == pytest.approx(result.throughput.value, rel=1e-5)
        assert row["units_per_s_low"] == pytest.approx(result.throughput.low, rel=1e-5)
        assert result.latency and row["latency_p50_ns"] == pytest.approx(result.latency.p50.value, rel=1e-5)
        assert row["first_step_cold_ns"] == (0.5e9 if result.contender.mode == "eager" else 9e9)
        assert row["peak_memory_bytes"] == pytest.approx(734_003_200 - 310_378_496, rel=1e-5)
        assert row["kernels"] == ("attention: flash" if result.case.workload == "gpt" else "")


def test_a_metric_that_nobody_measured_is_not_offered(tmp_path: Path) -> None:
    assert [
        one.key for one in compare.offered(evidence(tmp_path, make_trials(kinds=("parity", "timing"))))
    ] == [
        "throughput",
        "p50",
        "p90",
        "p95",
        "first-step-warm",
    ]


def test_limits_are_for_p99_and_memory_where_they_were_measured(tmp_path: Path) -> None:
    replace = msgspec.structs.replace
    timed = [
        replace(
            one,
            timing=replace(one.timing, latency=replace(one.timing.latency, steps=600, p99_ns=123_000_000)),
        )
        if one.timing and one.timing.latency
        else one
        for one in make_trials(kinds=("parity", "memory", "timing"))
    ]
    found = evidence(tmp_path, timed)
    assert [one.key for one in compare.view(found)["limits"]] == ["p99", "memory"]
    assert {row["latency_p99_ns"] for row in rows(found)} == {123_000_000}
    text = page(ROOT / "site" / "templates", "compare.md.j2", **compare.view(found))
    assert 'name="limit-p99"' in text and 'data-scale="1000000"' in text


def test_energy_is_offered_where_a_gpu_told_it(tmp_path: Path) -> None:
    case = Case(workload="convstack", preset="cpu", task="train", batch=16, device="gpu", cores=2)
    told: Telemetry = msgspec.structs.replace(telemetry(), gpus=[gpu_telemetry()], gpu_reason=None)
    found = evidence(tmp_path, make_trials(cases=[case], kinds=("parity", "timing"), telemetry=told))
    assert "energy" in [one.key for one in compare.offered(found)]
    assert {row["joules_per_unit"] for row in rows(found)} == {0.21}


@pytest.mark.parametrize("count", [0, 1])
def test_with_no_record_or_one_the_page_is_whole(tmp_path: Path, count: int) -> None:
    found = evidence(tmp_path, [make_record()][:count])
    text = page(ROOT / "site" / "templates", "compare.md.j2", **compare.view(found))
    assert ("Nothing has been measured yet" in text) == (count == 0)
    assert len(rows(found)) == count
    if count:
        assert "1 of 1 results, in 1 of 1 cases" in text and "fb-chips" not in text


def test_choices_are_in_an_order_that_readers_expect(tmp_path: Path) -> None:
    infer = msgspec.structs.replace(CASE, task="infer")
    found = evidence(tmp_path, make_trials(cases=[*BATCHES, infer, MLP_CASE], rounds=1))
    values = {facet.key: [one.value for one in choices(facet, found.groups)] for facet in facets()}
    assert values["batch"] == ["8", "16", "32", "128"]
    assert values["task"] == ["train", "infer"]
    assert values["workload"] == ["convstack", "mlp"]
    shown = {row.key for row in compare.view(found)["chips"]}
    assert "batch" in shown and "precision" not in shown, "one value is no choice"


def test_hosts_of_one_processor_are_one_hardware(tmp_path: Path) -> None:
    trials = [
        *make_trials(rounds=1, kinds=("timing",)),
        *make_trials(rounds=1, seed=8, host_id="other-2c-0", kinds=("timing",)),
    ]
    found = evidence(tmp_path, trials)
    assert {row["hardware"] for row in rows(found)} == {"AMD EPYC"}
    assert len({row["host"] for row in rows(found)}) == 2


def test_it_begins_with_the_case_of_homes_first_answer(tmp_path: Path) -> None:
    found = evidence(tmp_path, make_trials(cases=[MLP_CASE, CASE, GPT_CASE], kinds=("parity", "timing")))
    first = next(answer for answer in found.dataset.answers if answer.case)
    shown = compare.first_shown(found)
    assert shown and shown.comparison is first.case
    chosen = {
        row.key: [one.value for one in row.options if one.chosen] for row in compare.view(found)["chips"]
    }
    assert chosen["workload"] == [first.question.workload] and chosen["mode"] == []


def test_every_case_has_an_anchor_and_leads_to_its_table(tmp_path: Path) -> None:
    found = evidence(tmp_path, make_trials(cases=[CASE, MLP_CASE], rounds=1))
    text = page(ROOT / "site" / "templates", "compare.md.j2", **compare.view(found))
    for group in found.groups:
        assert f'<li id="{group.anchor}">' in text
        assert f'href="../workloads/{group.case.workload}/#{group.anchor}"' in text


def test_the_script_has_no_words_of_its_own() -> None:
    script = (ROOT / "site" / "assets" / "compare.js").read_text()
    used = set(re.findall(r"\bwords\.(\w+)", script))
    assert used == compare.words().keys()


PRICE = """[[price]]
host = "{host}"
instance = "example.large, on demand"
per_hour = {per_hour}
currency = "{currency}"
date = 2026-11-30
source = "https://example.org/prices"
"""


def prices(folder: Path, *rows: dict[str, object]) -> dict[str, Price]:
    usual: dict[str, object] = {"host": "epyc-2c-ab12cd34", "per_hour": 0.36, "currency": "USD"}
    path = folder / "prices.toml"
    path.write_text("\n".join(PRICE.format(**(usual | row)) for row in rows))
    return read_prices(path)


def test_cost_is_the_price_over_throughput_says_so_and_is_null_elsewhere(tmp_path: Path) -> None:
    table = prices(tmp_path, {})
    here, elsewhere = dataset.results(make_trials())[0], dataset.results(make_trials(host_id="other"))[0]
    assert here.throughput is not None
    cost = cost_per_million(here, table.get(here.host_id))
    assert cost == pytest.approx(0.36 / 3600 * 1e6 / here.throughput.value)
    assert cost_per_million(elsewhere, table.get(elsewhere.host_id)) is None
    last = metrics([here], table)[-1]
    assert last.key == "cost" and "derived" in last.name and "2026-11-30" in last.notes and last.unit == "USD"
    assert "cost" not in [one.key for one in metrics([elsewhere], table)]


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([{"per_hour": 0}], "per_hour"),
        ([{"currency": "dollars"}], "currency"),
        ([{}, {"per_hour": 1}], "two rows"),
        ([{}, {}], "two rows"),
        ([{}, {"host": "b", "currency": "EUR"}], "one currency"),
        ([{"per_hour": "nan"}], "per_hour"),
    ],
)
def test_a_table_of_prices_that_cannot_be_right_is_refused_by_name(
    tmp_path: Path, rows: list[dict[str, object]], said: str
) -> None:
    with pytest.raises(UserError, match=said) as error:
        prices(tmp_path, *rows)
    assert "prices.toml" in str(error.value)


def test_the_repositorys_own_prices_can_be_read() -> None:
    for host, price in read_prices(ROOT / "site" / "prices.toml").items():
        assert price.host == host and math.isfinite(price.per_hour) and price.date <= datetime.date.today()
