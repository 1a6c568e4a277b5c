"""The price of a call: ladders by batch, where compiling pays, shares of the right ceiling, and a page that follows."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from framebench import dataset
from framebench.dataset.price_of_a_call import CALL, CallLadder, call_ladders, pays_from
from framebench.pages import figures
from framebench.pages.evidence import Evidence, gather
from framebench.pages.guides import GUIDES
from framebench.pages.render import page
from framebench.pages.site import render
from framebench.records import store
from harness import workloads
from harness.record import Case, Contender, Precision, Record
from tests.record_factory import CASE, make_record, make_trials

ROOT = Path(__file__).resolve().parents[2]
OPS = next(name for name in workloads.names() if CALL in workloads.get(name).tasks)
TORCH, COMPILED = (Contender(stack="torch", mode=mode) for mode in ("eager", "compiled"))
JAX, JIT = (Contender(stack="jax", mode=mode) for mode in ("eager", "compiled"))
Times = Mapping[int, Mapping[Contender, float]]  # by batch, in µs
CLIMB: Times = {
    1: {TORCH: 10, COMPILED: 20, JAX: 40, JIT: 30},
    64: {TORCH: 60, COMPILED: 30, JAX: 90, JIT: 80},
    4096: {TORCH: 1000, COMPILED: 500, JAX: 800, JIT: 1600},
}


def climb(
    preset: str, times: Times, flops: int = 0, seed: int = 7, precision: Precision = "fp32", **changes: Any
) -> list[Record]:
    """Five rounds of each contender at each batch; ``flops`` for each unit of the batch."""
    spec = workloads.get(OPS)
    config = spec.config_sha256(spec.presets[preset])
    made = []
    for number, (batch, contenders) in enumerate(times.items()):
        case = Case(workload=OPS, preset=preset, task="call", batch=batch, precision=precision, cores=2)
        steps = {one.slug: time * 1e3 for one, time in contenders.items()}
        made += make_trials([*contenders], [case], spread=1e-4, step_ns=steps, seed=seed + number, **changes)
    return [_with(record, config, flops * record.case.batch) for record in made]


def _with(record: Record, config: str, flops: int) -> Record:
    timing = record.timing and msgspec.structs.replace(record.timing, flops_per_step=flops, unit="calls")
    return msgspec.structs.replace(record, timing=timing, workload_config_sha256=config)


def load(folder: Path, records: Sequence[Record]) -> Evidence:
    for record in records:
        store.write(record, folder)
    return gather(ROOT, dataset.load([folder]))


def climbed(evidence: Evidence) -> list[CallLadder]:
    data = evidence.dataset
    return call_ladders(data.comparisons, data.baselines, data.ceilings)


def shown(evidence: Evidence) -> str:
    """The text of the guide, without its tags."""
    text = page(ROOT / "site" / "templates", "guides/operations.md.j2", **GUIDES["operations"](evidence))
    return re.sub(r"\s+", " ", re.sub("<[^>]+>", " ", text))


def rows(table: Any) -> dict[str, list[str]]:
    """What a table says, by the first cell of its rows."""
    return {row[0].text: [cell.text for cell in row[1:]] for row in table.rows}


def paying(ladder: CallLadder) -> dict[str, int | None]:
    return {label: pays_from(pairs) for label, pairs in ladder.compiled.items()}


def test_a_ladder_goes_by_batch_and_is_one_call_in_one_place(tmp_path: Path) -> None:
    elsewhere = climb("softmax", {1: {TORCH: 5}}, host_id="other-2c-ab12cd34", seed=30)
    records = climb("softmax", CLIMB) + climb("sum", {1: {TORCH: 7}}, seed=20) + elsewhere
    records += climb("softmax", {1: {TORCH: 9}}, seed=40, precision="bf16")
    training = make_trials([TORCH], [CASE], seed=50)
    found = climbed(load(tmp_path, records + training))
    assert [[rung.batch for rung in ladder.rungs] for ladder in found] == [[1], [1, 64, 4096], [1], [1]]
    assert {(one.case.case.preset, one.case.case.precision, one.case.host_id) for one in found} == {
        ("softmax", "fp32", "epyc-2c-ab12cd34"),
        ("softmax", "bf16", "epyc-2c-ab12cd34"),
        ("softmax", "fp32", "other-2c-ab12cd34"),
        ("sum", "fp32", "epyc-2c-ab12cd34"),
    }


def test_compiling_pays_from_where_it_is_faster_and_stays_so(tmp_path: Path) -> None:
    (ladder,) = climbed(load(tmp_path, climb("softmax", CLIMB)))
    # JAX compiled is faster at 1 and 64, and slower at the end
    assert paying(ladder) == {"torch-compiled": 64, "jax-compiled": None}


@pytest.mark.parametrize(
    ("eager_and_compiled", "batch"),
    [
        ({1: (20, 10), 64: (60, 30)}, 1),
        ({1: (10, 20), 64: (60, 30)}, 64),
        ({1: (20, 10), 64: (60, 60)}, None),  # tied at the end
        ({1: (20, 10), 64: (60, 90), 4096: (900, 600)}, 4096),
        ({1: (10, 20)}, None),
    ],
)
def test_one_batch_without_a_gain_moves_it_up(
    eager_and_compiled: Mapping[int, tuple[float, float]], batch: int | None, tmp_path: Path
) -> None:
    times = {size: {TORCH: eager, COMPILED: fast} for size, (eager, fast) in eager_and_compiled.items()}
    (ladder,) = climbed(load(tmp_path, climb("sum", times)))
    assert paying(ladder) == {"torch-compiled": batch}


def test_one_round_shows_no_gain(tmp_path: Path) -> None:
    records = [one for one in climb("sum", {1: {TORCH: 20, COMPILED: 10}}) if one.round in (0, 1)]
    evidence = load(tmp_path, records)
    assert paying(*climbed(evidence)) == {"torch-compiled": None}
    assert rows(*GUIDES["operations"](evidence)["paying"]) == {"PyTorch, torch.compile": ["not shown"]}


def test_the_price_is_the_time_at_the_smallest_batch_with_its_interval(tmp_path: Path) -> None:
    records = climb("softmax", CLIMB) + climb("sum", {4: {TORCH: 7}, 8: {TORCH: 70}}, seed=20)
    (table,) = GUIDES["operations"](load(tmp_path, records))["prices"]
    assert table.head == ["Contender", "softmax, batch 1", "sum, batch 4"]
    by_name = rows(table)
    assert [*by_name] == ["JAX, eager", "JAX, jit", "PyTorch, eager", "PyTorch, torch.compile"]
    softmax, total = by_name["PyTorch, eager"]
    number = r"(9\.99|10\.0)\d*"
    assert re.fullmatch(rf"{number} µs \({number}\u2009–\u2009{number}\)", softmax)
    assert float(total.split()[0]) == pytest.approx(7, rel=0.01) and by_name["JAX, jit"][1] == "–"


def test_products_stand_over_the_product_and_what_multiplies_nothing_over_the_copy(tmp_path: Path) -> None:
    ceiling = make_record(kind="ceiling", round=0, trial_id="0" * 26)
    assert ceiling.ceiling is not None and ceiling.ceiling.copy_bytes_per_s is not None
    times: Times = {1: {TORCH: 10}, 4096: {TORCH: 100_000, JAX: 50_000}}
    products = climb("matmul", times, flops=2 * 512 * 512, seed=20)
    evidence = load(tmp_path, [*climb("softmax", times), *products, ceiling])
    by_preset = {ladder.case.case.preset: ladder for ladder in climbed(evidence)}
    copied = 2 * 4 * 512 * 4096 / 50e-3 / ceiling.ceiling.copy_bytes_per_s
    multiplied = 2 * 512 * 512 * 4096 / 50e-3 / ceiling.ceiling.matmul_flops_per_s["fp32"]
    for preset, share in (("softmax", copied), ("matmul", multiplied)):
        first, second = by_preset[preset].rungs[-1].fastest
        assert first.result.contender == JAX and first.share == pytest.approx(share, rel=0.01)
        assert second.share == pytest.approx(share / 2, rel=0.01)
    view = GUIDES["operations"](evidence)
    assert rows(*view["shares"]) == {
        "matmul, batch 4096": ["product", *(figures.percent(multiplied / n) for n in (1, 2))],
        "softmax, batch 4096": ["copy", *(figures.percent(copied / n) for n in (1, 2))],
    }


def test_without_a_ceiling_there_is_no_share(tmp_path: Path) -> None:
    (ladder,) = climbed(load(tmp_path, climb("softmax", CLIMB)))
    assert {one.share for rung in ladder.rungs for one in rung.fastest} == {None}


def test_at_each_batch_another_contender_may_be_the_fastest_of_its_stack(tmp_path: Path) -> None:
    (view,) = GUIDES["operations"](load(tmp_path, climb("softmax", CLIMB)))["calls"]
    torch = rows(view.fastest)["PyTorch"]
    assert [text.rpartition(", ")[2] for text in torch[::2]] == ["eager", "torch.compile", "torch.compile"]
    assert view.plot is not None and [trace.label for trace in view.plot.traces] == ["JAX", "PyTorch"]
    assert (view.plot.x_left, view.plot.x_right) == ("batch 1", "batch 4096")
    ends = [float(text.split()[0]) for text in (view.plot.y_bottom, view.plot.y_top)]
    assert ends == pytest.approx([10, 800], rel=0.01)


def test_a_single_batch_draws_no_line(tmp_path: Path) -> None:
    (view,) = GUIDES["operations"](load(tmp_path, climb("softmax", {1: {TORCH: 10, JAX: 20}})))["calls"]
    assert view.plot is None


def test_who_may_not_be_ranked_is_not_a_stacks_fastest_and_has_a_star(tmp_path: Path) -> None:
    gated = climb("softmax", {1: {TORCH: 20, COMPILED: 10}})
    records = [one for one in gated if one.kind != "parity" or one.contender == TORCH]
    evidence = load(tmp_path, records)
    (ladder,) = climbed(evidence)
    assert [one.result.contender for one in ladder.rungs[0].fastest] == [TORCH]
    prices = rows(*GUIDES["operations"](evidence)["prices"])
    assert {name: price.endswith("*") for name, (price,) in prices.items()} == {
        "PyTorch, eager": False,
        "PyTorch, torch.compile": True,
    }


def test_the_page_follows_the_data(tmp_path: Path) -> None:
    gained = shown(load(tmp_path / "gained", climb("sum", {1: {TORCH: 20, COMPILED: 10}})))
    lost = shown(load(tmp_path / "lost", climb("sum", {1: {TORCH: 20, COMPILED: 40}})))
    ratio = re.compile(r"([\d.]+)× \([^)]*\), (faster|slower) (1|not shown) ")
    (one,), (other,) = ratio.findall(gained), ratio.findall(lost)
    assert float(one[0]) == pytest.approx(2, rel=0.01) and one[1:] == ("faster", "1")
    assert float(other[0]) == pytest.approx(0.5, rel=0.01) and other[1:] == ("slower", "not shown")
    assert "Not measured yet" not in gained


def test_the_workloads_page_leads_to_the_guide_and_no_other_does(tmp_path: Path) -> None:
    files = render(load(tmp_path, []))
    leading = {name for name, text in files.items() if name.startswith("workloads/") and _leads(text)}
    assert leading == {f"workloads/{OPS}.md"}
    assert "operations.md" in str(files["guides/faq.md"])


def _leads(text: object) -> bool:
    return isinstance(text, str) and "guides/operations.md" in text


def test_an_empty_dataset_is_said_plainly(tmp_path: Path) -> None:
    assert shown(load(tmp_path, [])).count("Not measured yet") == 1


def test_a_gone_workload_and_a_gone_stack_break_nothing(tmp_path: Path) -> None:
    gone = Contender(stack="gone", mode="eager")
    case = Case(workload="gone", preset="softmax", task="call", batch=1, cores=2)
    records = make_trials([gone, TORCH], [case], step_ns={gone.slug: 1e4, TORCH.slug: 2e4})
    records = [_with(record, "0" * 64, 0) for record in records]
    evidence = load(tmp_path, records)
    (table,) = GUIDES["operations"](evidence)["prices"]
    assert [*rows(table)] == ["PyTorch, eager", "gone, eager"] and "softmax" in shown(evidence)
    assert GUIDES["operations"](evidence)["workloads"] == [OPS]  # whose pages there are
