"""Compiled beside eager: the right pairs, paid back cold and warm only where a gain is shown, and pages that follow."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
import pytest

from framebench import dataset
from framebench.dataset.compiled_pairs import CompiledPair, compiled_pairs, compiler
from framebench.pages.evidence import Evidence, gather
from framebench.pages.guides import GUIDES
from framebench.pages.guides.graphs import decides
from framebench.pages.render import page
from framebench.records import store
from harness import workloads
from harness.record import Case, Contender, Record
from tests.record_factory import CASE, make_trials

ROOT = Path(__file__).resolve().parents[2]
EAGER, COMPILED = (Contender(stack="torch", mode=mode) for mode in ("eager", "compiled"))
LAST, LAST_COMPILED = (
    Contender(stack="torch", mode=mode, variant="channels-last") for mode in ("eager", "compiled")
)
XLA = Contender(stack="tensorflow", mode="compiled", variant="xla")
OP_BY_OP = Contender(stack="tensorflow", mode="eager")
KERAS = Contender(stack="keras-tensorflow", mode="compiled", variant="graph-loop")


def first_step(record: Record) -> Record:
    """In the factory an eager first step takes 0.5 s and a compiled one 9 s; from a cold cache let it be 30 s."""
    if record.kind != "cold-start" or record.contender.mode == "eager":
        return record
    phases = [
        msgspec.structs.replace(phase, wall_ns=30_000_000_000) if phase.name == "first_step" else phase
        for phase in record.phases
    ]
    return msgspec.structs.replace(record, phases=phases)


def load(
    folder: Path,
    times: Mapping[Contender, float],
    case: Case = CASE,
    kinds: Sequence[str] = ("parity", "cold-start", "timing"),
) -> Evidence:
    steps = {contender.slug: time for contender, time in times.items()}
    for record in make_trials([*times], [case], spread=1e-6, step_ns=steps, kinds=kinds):  # type: ignore[arg-type]
        store.write(first_step(record), folder)
    return gather(ROOT, dataset.load([folder]))


def pairs(evidence: Evidence) -> list[CompiledPair]:
    (group,) = evidence.groups
    return compiled_pairs(group.timed, group.against)


def shown(name: str, evidence: Evidence) -> str:
    """The text of a guide, without its tags."""
    text = page(ROOT / "site" / "templates", f"guides/{name}.md.j2", **GUIDES[name](evidence))
    return re.sub(r"\s+", " ", re.sub("<[^>]+>", " ", text))


def test_each_compiled_form_has_its_own_eager_one(tmp_path: Path) -> None:
    times = {
        EAGER: 80e6,
        COMPILED: 40e6,
        LAST: 60e6,
        LAST_COMPILED: 20e6,
        XLA: 30e6,
        OP_BY_OP: 90e6,
        KERAS: 50e6,
    }
    assert [
        (one.compiled.contender.slug, one.eager.contender.slug) for one in pairs(load(tmp_path, times))
    ] == [
        ("torch-compiled-channels-last", "torch-eager-channels-last"),
        ("tensorflow-compiled-xla", "tensorflow-eager"),
        ("torch-compiled", "torch-eager"),
    ]


def test_what_a_variant_says_beyond_its_eager_form_is_its_compiler() -> None:
    assert [compiler(one) for one in (XLA, LAST_COMPILED, COMPILED, OP_BY_OP)] == ["xla", "", "", ""]


def test_it_is_paid_back_later_from_a_cold_cache(tmp_path: Path) -> None:
    (pair,) = pairs(load(tmp_path, {EAGER: 80e6, COMPILED: 40e6}))
    assert pair.compared is not None and pair.compared.verdict == "faster"
    cold, warm = pair.cold, pair.warm
    assert cold is not None and (cold.compiled_ns, cold.eager_ns) == (30e9, 0.5e9)
    assert warm is not None and (warm.compiled_ns, warm.eager_ns) == (9e9, 0.5e9)
    # 29.5 s at 40 ms a step, and 8.5 s; then the first step and those later ones
    assert cold.repaid_steps == pytest.approx(738, abs=2) and warm.repaid_steps == pytest.approx(213, abs=1)
    assert cold.repaid_ns == pytest.approx(30e9 + 738 * 40e6, rel=0.005)


def test_a_state_that_nobody_measured_is_left_open(tmp_path: Path) -> None:
    (pair,) = pairs(load(tmp_path, {EAGER: 80e6, COMPILED: 40e6}, kinds=("parity", "timing")))
    assert pair.cold is None and pair.warm is not None


@pytest.mark.parametrize("compiled", [80e6, 120e6])
def test_without_a_shown_gain_nothing_is_paid_back(compiled: float, tmp_path: Path) -> None:
    (pair,) = pairs(load(tmp_path, {EAGER: 80e6, COMPILED: compiled}))
    assert pair.warm is not None and pair.warm.repaid_steps is None and pair.warm.repaid_ns is None


def test_one_round_pays_nothing_back(tmp_path: Path) -> None:
    for record in make_trials([EAGER, COMPILED], rounds=1, step_ns={EAGER.slug: 80e6, COMPILED.slug: 20e6}):
        store.write(record, tmp_path)
    (pair,) = pairs(gather(ROOT, dataset.load([tmp_path])))
    assert pair.warm is not None and pair.warm.repaid_steps is None


def test_the_page_of_compilers_follows_the_data(tmp_path: Path) -> None:
    gained = shown("compilers", load(tmp_path / "gained", {EAGER: 80e6, COMPILED: 40e6}))
    lost = shown("compilers", load(tmp_path / "lost", {EAGER: 80e6, COMPILED: 160e6}))
    assert re.search(r"[12]\.[09]\d*× \([^)]*\), faster", gained)
    assert re.search(r"73\d steps, 59\.\d s", gained) and re.search(r"21\d steps, 17\.\d s", gained)
    assert re.search(r"0\.(500|499)\d*× \([^)]*\), slower", lost)
    assert "no gain shown (slower)" in lost and " steps, " not in lost


def test_the_page_of_graphs_shows_the_workload_apart_from_the_others(tmp_path: Path) -> None:
    (name,) = filter(decides, workloads.names())
    case = Case(workload=name, preset="tree", task="infer", batch=16, cores=2)
    own = load(tmp_path / "own", {EAGER: 80e6, COMPILED: 20e6}, case)
    view = GUIDES["graphs"](own)
    ((row,),) = [one.gain.rows for one in view["cases"]]
    assert row[3].text.startswith("4.0") and view["elsewhere"].rows == []
    view = GUIDES["graphs"](load(tmp_path / "other", {EAGER: 80e6, COMPILED: 20e6}))
    ((first, *_rest),) = view["elsewhere"].rows
    assert view["cases"] == [] and "convstack" in first.text


def test_the_page_of_graphs_prints_each_form_in_each_framework(tmp_path: Path) -> None:
    view = GUIDES["graphs"](load(tmp_path, {}))
    frameworks = [file.name for file in view["sources"]]
    assert len(frameworks) > 1 and view["forms"]
    for form in view["forms"]:
        assert [file.name for file in form.code] == frameworks
        assert all(file.code.startswith(("class ", "def ")) for file in form.code)


@pytest.mark.parametrize(("name", "times"), [("compilers", 1), ("graphs", 2)])
def test_an_empty_dataset_is_said_plainly(name: str, times: int, tmp_path: Path) -> None:
    assert shown(name, load(tmp_path, {})).count("Not measured yet") == times
