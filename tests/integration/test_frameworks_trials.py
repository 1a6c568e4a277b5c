"""Each stack for real: whole trials of mlp in fresh processes, as the host starts them."""

from __future__ import annotations

import importlib.util
import json
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from framebench.records.versions import decode_record, encode_spec
from harness import flags, frameworks
from harness.frameworks.exported import is_exported
from harness.record import RECORD_VERSION, Contender, Record, TrialSpec
from harness.thread_pools import TEAMS
from tests.integration.test_gate_frameworks import EXPORTED, PLAINEST, STACKS, slow
from tests.requirement import require
from tests.unit.test_harness_trials import spec

pytestmark = pytest.mark.frameworks

# Of each mode the plain form and the one that is farthest from it
CONTENDERS = [
    Contender(stack=name, mode=mode, variant=variant)
    for name, info in STACKS.items()
    if not is_exported(info)
    for mode, variants in info.modes.items()
    for variant in dict.fromkeys((variants[0], variants[-1]))
]


def parameters(contenders: list[Contender]) -> list[Any]:
    return [pytest.param(one, id=one.slug, marks=slow(one)) for one in contenders]


def backend(stack: str) -> str:
    return STACKS[stack].backend or STACKS[stack].framework


def expected_teams(contender: Contender) -> set[str]:
    """What can be read back of this contender's pools: TensorFlow says no number unless it was given one."""
    if backend(contender.stack) == "torch":
        return {"intra", "inter", "omp"} | ({"mkl"} if platform.machine() == "x86_64" else set())
    if backend(contender.stack) == "jax":
        return {"affinity", "xla_pool"}
    return {"xla_pool"} if contender.variant.startswith("xla") else set()


def run(trial: TrialSpec, contender: Contender, cache: Path) -> Record:
    modules = STACKS[contender.stack].modules
    absent = [name for name in modules if importlib.util.find_spec(name) is None]
    require("frameworks", not absent, f"not installed here: {', '.join(absent)}")
    trial = msgspec.structs.replace(trial, contender=contender, cache_dir=str(cache))
    answer = subprocess.run(
        [sys.executable, "-m", "harness"],
        input=encode_spec(trial),
        capture_output=True,
        check=True,
        timeout=900,
    )
    record = decode_record(answer.stdout)
    assert json.loads(answer.stdout)["record_version"] == record.record_version == RECORD_VERSION
    return record


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.mark.parametrize("contender", parameters(PLAINEST))
def test_parity_of_training(contender: Contender, cache: Path) -> None:
    record = run(spec("parity"), contender, cache)
    assert record.outcome.status == "ok", record.outcome
    assert record.parity is not None and record.parity.passed and record.parity.diffs == []
    assert {part.name for part in record.parity.parts} == {
        *("data", "logic", "precision", "optimizer", "state", "shape")
    }
    assert all(part.failed == 0 for part in record.parity.parts)


@pytest.mark.parametrize("contender", parameters(CONTENDERS))
def test_timing_of_training(contender: Contender, cache: Path) -> None:
    record = run(spec(), contender, cache)
    timed_as_it_should_be(record)
    assert record.shape_before is not None and record.shape_before.checks > 1
    assert record.shape_after is not None and record.shape_after.checks == record.shape_before.checks
    assert flags.SHAPE_UNCHECKED not in record.flags


@pytest.mark.parametrize("contender", parameters(PLAINEST))
def test_timing_of_inference(contender: Contender, cache: Path) -> None:
    record = run(spec(task="infer"), contender, cache)
    timed_as_it_should_be(record)
    assert record.timing is not None and record.timing.latency is not None


@pytest.mark.parametrize("contender", parameters(EXPORTED))
def test_timing_of_what_was_exported(contender: Contender, cache: Path) -> None:
    record = run(spec(task="infer"), contender, cache)
    timed_as_it_should_be(record)
    facts = record.settings.compile if record.settings else {}
    assert facts["exporter"] and facts["file_bytes"] and "load_ms" in facts


def timed_as_it_should_be(record: Record) -> None:
    contender, settings, timing = record.contender, record.settings, record.timing
    assert record.outcome.status == "ok", record.outcome
    assert settings is not None and timing is not None
    threads = settings.threads
    assert expected_teams(contender) <= {name for name, count in threads.items() if count is not None}
    assert all(threads.get(name) in (1, None) for name in TEAMS), threads
    assert settings.compile["mode"] == contender.mode
    assert timing.warmup.compile_events is not None
    assert timing.blocks and (timing.unit, timing.units_per_step) == ("images", record.case.batch)
    assert record.software is not None and record.software.framework is not None
    assert record.shape_before is not None and record.shape_before.failed == 0
    assert record.shape_after is not None and record.shape_after.failed == 0
    assert record.canaries and all(canary.passed for canary in record.canaries)


@pytest.mark.parametrize("contender", parameters(PLAINEST))
def test_memory(contender: Contender, cache: Path) -> None:
    record = run(spec("memory"), contender, cache)
    assert record.outcome.status == "ok", record.outcome
    memory = record.memory
    assert memory is not None
    assert memory.host_rss_peak is not None and memory.host_rss_after_import is not None
    assert memory.host_rss_peak >= memory.host_rss_after_import > 50 << 20
    assert memory.device_delta is None and "device_delta" in memory.reasons
    assert (memory.allocator_peak is None) == ("allocator_peak" in memory.reasons)


@pytest.mark.parametrize("contender", parameters(PLAINEST))
def test_cold_start(contender: Contender, cache: Path) -> None:
    record = run(spec("cold-start"), contender, cache)
    assert record.outcome.status == "ok", record.outcome
    assert (record.cache_state, record.timing) == ("cold", None)
    names = [phase.name for phase in record.phases]
    assert names == ["import", "configure", "data", "build", "first_step", "second_step"]
    assert not list(cache.glob("cold-*"))  # its own folder is gone


@pytest.mark.parametrize("contender", parameters(PLAINEST))
def test_a_cpu_case_sees_no_gpu(contender: Contender, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")  # whatever the machine offers
    record = run(spec("memory"), contender, cache)
    assert record.settings is not None
    assert record.settings.gpus_visible == 0
    assert "cpu" in (record.settings.device or "").lower()


@pytest.mark.parametrize("stack", STACKS)
def test_an_unknown_variant_is_unsupported_before_anything_is_imported(stack: str, cache: Path) -> None:
    contender = Contender(stack=stack, mode=frameworks.info(stack).plainest[0], variant="nonsense")
    record = run(spec(), contender, cache)
    assert record.outcome.status == "unsupported"
    assert f"{stack} has no variant 'nonsense'" in (record.outcome.reason or "")
    assert (record.outcome.mend or "").startswith("it has ")
    assert record.phases == []


def test_a_retrace_inside_keras_is_counted() -> None:
    """Another batch size makes Keras' own functions trace again; the same one does not."""
    absent = [name for name in ("keras", "tensorflow") if importlib.util.find_spec(name) is None]
    require("frameworks", not absent, f"not installed here: {', '.join(absent)}")
    code = """
import json, os, numpy
from harness import frameworks
from harness.gate.check import timed_job
from harness.record import Case, Contender
os.environ.update(frameworks.environment("keras-tensorflow", 1, None))
stack = frameworks.load("keras-tensorflow")
case = Case(workload="mlp", preset="smoke", task="train", batch=16, cores=1)
counts = {}
for variant in ("graph-loop", "xla-direct"):
    contender = Contender(stack="keras-tensorflow", mode="compiled", variant=variant)
    stack.configure(case, contender, 0)
    driver = frameworks.build(timed_job(case, contender), stack)
    counts[variant] = []
    other = (numpy.zeros((5, 8, 8), "f4"), numpy.zeros(5, "i8"))
    fit = lambda: driver.model.fit(*other, batch_size=5, verbose=0)
    for step in (lambda: driver.run(1), lambda: driver.run(4), fit):
        step()
        counts[variant].append(stack.compile_events())
print(json.dumps(counts))
"""
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=900
    )
    for first, again, other in json.loads(answer.stdout.splitlines()[-1]).values():
        assert 1 <= first == again < other


@pytest.mark.slow
def test_torch_compiled_needs_no_second_compilation(cache: Path) -> None:
    contender = Contender(stack="torch", mode="compiled")
    record = run(spec(task="infer"), contender, cache)
    assert record.outcome.status == "ok", record.outcome
    assert record.settings is not None
    assert record.settings.compile["graphs"] == 1
    assert record.settings.compile["graph_breaks"] == 0
