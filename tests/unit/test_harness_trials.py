"""Whole trials in this process, with NumPy as the framework: what the record holds, and every outcome."""

from __future__ import annotations

import base64
import gzip
import json
import os
from typing import Any

import msgspec
import pytest

from framebench.records.versions import decode_record
from harness import __main__ as harness
from harness import flags, frameworks, workloads
from harness.frameworks import Unsupported
from harness.frameworks.numpy.stack import NumpyStack
from harness.record import Canary, Case, Contender, ImageRef, Protocol, Provenance, Record, TrialSpec, encode
from tests.unit.numpy_mlp import NumpyMlp

MLP = workloads.get("mlp")
QUICK = Protocol(
    name="quick",
    warmup_block_ms=1.0,
    warmup_window=2,
    warmup_tolerance=0.5,
    warmup_agreements=1,
    warmup_min_s=0.0,
    warmup_max_s=0.5,
    block_ms=5.0,
    block_max_ms=50.0,
    measure_blocks=5,
    measure_s=0.1,
    latency_steps=20,
    telemetry_hz=50.0,
)


def spec(kind: str = "timing", task: str = "train", cores: int = 1, **protocol: Any) -> TrialSpec:
    return TrialSpec(
        kind=kind,  # type: ignore[arg-type]
        trial_id="t",
        campaign_id="c",
        round=1,
        seed=3,
        case=Case(workload="mlp", preset="smoke", task=task, batch=32, cores=cores),  # type: ignore[arg-type]
        contender=Contender(stack="numpy", mode="eager"),
        protocol=msgspec.structs.replace(QUICK, **protocol),
        image=ImageRef(name=None),
        provenance=Provenance(
            executor="system",
            host_id="h",
            git_commit=None,
            dirty=None,
            harness_tree_sha256="0",
            work_hash="0",
        ),
    )


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run a spec with NumPy; ``fault`` is the work's, ``stack`` another stack or an error to raise."""

    def _run(trial: TrialSpec, fault: str = "", stack: Any = None, canary: bool | None = True) -> Record:
        monkeypatch.delenv(
            "OMP_WAIT_POLICY", raising=False
        )  # a trial's process ends with it, this one does not

        def load(name: str) -> Any:
            if isinstance(stack, BaseException):
                raise stack
            waits.append(os.environ.get("OMP_WAIT_POLICY"))
            return stack or NumpyStack(frameworks.info("numpy"))

        monkeypatch.setattr(frameworks, "load", load)
        monkeypatch.setattr(workloads, "has_file", lambda workload, framework: True)
        monkeypatch.setattr(workloads, "file", lambda workload, framework: None)
        monkeypatch.setattr(frameworks, "build", lambda job, stack: NumpyMlp(job, fault))
        answer = [Canary(name="sync", passed=canary, expected="", observed="")]
        monkeypatch.setattr("harness.canaries.check", lambda *_: answer)
        return decode_record(encode(harness.run(trial)))  # what arrives at the host

    waits: list[str | None] = []
    _run.waits = waits  # type: ignore[attr-defined]
    return _run


def test_waiting_threads_yield_where_trials_run_beside_each_other(run: Any) -> None:
    """The frameworks' own choice for the clock; read by OpenMP when the framework is imported."""
    for kind in ("parity", "memory", "timing", "cold-start"):
        run(spec(kind))
    assert run.waits == ["passive", "passive", None, None]


def test_a_slowed_sampler_is_flagged(run: Any) -> None:
    assert flags.SLOW_SAMPLER not in run(spec()).flags
    assert flags.SLOW_SAMPLER in run(spec(telemetry_hz=2.0)).flags


def test_timing_trial_fills_the_record(run: Any) -> None:
    record = run(spec(learning_epochs=3))
    assert record.outcome.status == "ok", record.outcome
    names = [phase.name for phase in record.phases]
    assert names[:8] == [
        "import",
        "configure",
        "data",
        "build",
        "first_step",
        "second_step",
        "shape_before",
        "canaries",
    ]
    assert names[-5:] == ["warm_up", "block_size", "blocks", "shape_after", "learning"]
    for part in (record.shape_before, record.shape_after):
        # 16 batches, one step more, the count
        assert part is not None and part.checks == 18 and part.failed == 0
    timing = record.timing
    assert timing is not None and (timing.units_per_step, timing.unit) == (32, "images")
    assert timing.flops_per_step == MLP.flops(MLP.presets["smoke"], 32, "train")
    assert len(timing.blocks) >= 5
    assert len({block.steps for block in timing.blocks}) == 1
    assert timing.latency is None
    assert record.settings is not None and record.settings.compile == {"mode": "eager", "compiler": None}
    assert record.telemetry is not None and record.telemetry.metrics["cpu_time"].support == "ok"
    assert record.hardware is not None and record.hardware.cores_allowed == 1  # pinned
    assert record.software is not None and record.software.packages["numpy"]
    assert record.workload_config_sha256 is not None
    assert record.learning is not None
    assert record.learning.epochs_to_target == 2
    assert record.learning.wall_ns_to_target == sum(
        point.train_wall_ns for point in record.learning.curve[:2]
    )
    shorter = msgspec.structs.replace(timing, blocks=timing.blocks[:20])  # a fast machine has more
    assert len(encode(msgspec.structs.replace(record, sidecar=None, timing=shorter))) <= 8000


def test_blocks_with_and_without_the_sampler(run: Any) -> None:
    record = run(spec(observer_blocks=3))
    assert record.outcome.status == "ok", record.outcome
    assert record.timing is not None and record.timing.observer is not None
    observer = record.timing.observer
    assert len(observer.on) == len(observer.off) == 3
    assert {block.steps for block in observer.on + observer.off} == {record.timing.blocks[0].steps}
    assert all(block.wait_ns is not None and block.wait_ns >= 0 for block in observer.on + observer.off)
    assert record.telemetry is not None  # of the timed blocks, not of these
    assert record.telemetry.window_ns >= sum(block.wall_ns for block in record.timing.blocks)
    names = [phase.name for phase in record.phases]
    assert names.index("block_size") < names.index("observer") < names.index("blocks")


def test_which_comes_first_is_drawn_per_trial(run: Any) -> None:
    first = {
        run(msgspec.structs.replace(spec(observer_blocks=1), trial_id=f"t{i}")).timing.observer.first
        for i in range(8)
    }
    assert first == {"on", "off"}


def test_a_cpu_trial_never_rests_for_a_gpu(run: Any) -> None:
    record = run(spec(idle_s=60.0))
    assert record.telemetry is not None and record.telemetry.gpu_reason
    assert not {"rest_before", "rest_after"} & {phase.name for phase in record.phases}


def test_inference_has_latencies_in_the_sidecar(run: Any) -> None:
    record = run(spec(task="infer", learning_epochs=3))
    assert record.outcome.status == "ok", record.outcome
    assert record.learning is None
    assert record.timing is not None and record.timing.latency is not None
    assert record.timing.latency.steps == 20
    assert record.sidecar is not None and record.sidecar.inline is not None
    series = json.loads(gzip.decompress(base64.b64decode(record.sidecar.inline)))
    assert len(series["latencies_ns"]) == 20
    assert min(series["latencies_ns"]) <= record.timing.latency.p50_ns <= max(series["latencies_ns"])


def test_wrong_work_is_not_timed(run: Any) -> None:
    record = run(spec(), fault="wrong flatten order")
    assert record.outcome.status == "not_comparable"
    assert record.shape_before is not None and record.shape_before.failed
    assert record.timing is None


def test_failed_canary_is_invalid_and_named(run: Any) -> None:
    record = run(spec(), canary=False)
    assert (record.outcome.status, record.outcome.reason) == ("invalid", "canary failed: sync")
    assert record.timing is None
    assert run(spec(), canary=None).outcome.status == "ok"  # could not be asked here


def test_output_that_is_not_finite_is_not_comparable(run: Any) -> None:
    record = run(spec(), fault="not finite")
    assert record.outcome.status == "not_comparable"
    assert "non-finite" in (record.outcome.reason or "")


@pytest.mark.parametrize(
    ("fault", "words"),
    [("half of the steps", "the framework counted"), ("half of the steps, and it counts them all", "loss")],
)
def test_steps_that_are_not_done_do_not_end_ok(run: Any, fault: str, words: str) -> None:
    """A wrong counter is invalid; where the counter lies too the gate has refused the contender before any clock."""
    record = run(spec() if "counted" in words else spec("parity"), fault=fault)
    assert record.outcome.status != "ok"
    assert words in (record.outcome.reason or "") or "steps at once" in (record.outcome.reason or "")


def test_faster_than_the_machine_is_invalid(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.canaries.flops_bound", lambda settings, device: 1e3)
    record = run(spec())
    assert record.outcome.status == "invalid"
    assert (record.outcome.reason or "").startswith("faster than the machine")


def test_a_shape_without_a_reference_is_flagged(run: Any) -> None:
    trial = spec()
    record = run(msgspec.structs.replace(trial, case=msgspec.structs.replace(trial.case, batch=31)))
    assert record.outcome.status == "ok"
    assert flags.SHAPE_UNCHECKED in record.flags
    assert record.shape_before is not None and "framebench reference mlp" in (
        record.shape_before.skipped or ""
    )


def test_parity_trial(run: Any) -> None:
    record = run(spec("parity"))
    assert record.outcome.status == "ok", record.outcome
    assert record.parity is not None and record.parity.passed and record.parity.steps == 3
    wrong = run(spec("parity"), fault="learning rate 1 % off")
    assert wrong.outcome.status == "not_comparable"
    assert "updates dense.0.kernel" in (wrong.outcome.reason or "")
    assert wrong.parity is not None and not wrong.parity.passed
    assert [part.name for part in wrong.parity.parts] == ["data", "logic"]
    assert wrong.parity.diffs and not any(diff.passed for diff in wrong.parity.diffs)


def test_memory_trial_says_why_a_figure_is_missing(run: Any) -> None:
    memory = run(spec("memory")).memory
    assert memory is not None
    assert memory.host_rss_peak >= memory.host_rss_after_import > 1 << 20
    assert memory.allocator_peak is None and memory.reasons["allocator_peak"] == "NumPy keeps no peak"
    assert memory.device_delta is None and memory.reasons["device_delta"]


def test_cold_start_has_phases_and_no_blocks(run: Any) -> None:
    record = run(spec("cold-start"))
    assert record.outcome.status == "ok"
    assert record.cache_state == "cold"
    assert record.timing is None
    assert [phase.name for phase in record.phases][-2:] == ["first_step", "second_step"]


def test_unsupported_carries_reason_and_mend(run: Any) -> None:
    outcome = run(spec(), stack=Unsupported("no C++ compiler", "install g++")).outcome
    assert (outcome.status, outcome.reason, outcome.mend) == (
        "unsupported",
        "no C++ compiler",
        "install g++",
    )


def test_more_cores_than_allowed_is_unsupported(run: Any) -> None:
    outcome = run(spec(cores=4096)).outcome
    assert outcome.status == "unsupported"
    assert "4096 cores" in (outcome.reason or "")


def test_out_of_memory(run: Any) -> None:
    assert run(spec(), stack=MemoryError()).outcome.status == "oom"


@pytest.mark.parametrize(
    ("said", "status"),
    [
        ("CUDA out of memory. Tried to allocate 20.00 GiB. GPU 0 has a total capacity of 80.00 GiB", "oom"),
        ("RESOURCE_EXHAUSTED: Out of memory while trying to allocate 21474836480 bytes.", "oom"),
        ("OOM when allocating tensor with shape[256,64,112,112] and type float on GPU:0", "oom"),
        ("Graph execution error:\nOOM when allocating tensor with shape[1]", "oom"),
        ("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`", "oom"),
        ("DefaultCPUAllocator: can't allocate memory: you tried to allocate 1099511627776 bytes.", "oom"),
        (
            "[ONNXRuntimeError] : 1 : FAIL : Non-zero status code returned while running MatMul node. Name:'' Status "
            "Message: bfc_arena.cc:360 Failed to allocate memory for requested buffer of size 40000000000",
            "oom",
        ),
        ("[Errno 12] Cannot allocate memory", "oom"),
        ("std::bad_alloc", "oom"),
        ("RESOURCE_EXHAUSTED: Shared memory size limit exceeded", "crashed"),
        ("CUDA error: unspecified launch failure", "crashed"),
    ],
)
def test_memory_that_does_not_suffice_is_a_result_in_every_frameworks_words(
    run: Any, said: str, status: str
) -> None:
    outcome = run(spec(), stack=RuntimeError(said)).outcome
    assert outcome.status == status
    assert outcome.stderr_tail
    assert status == "crashed" or outcome.reason in said


def test_crash_keeps_the_traceback(run: Any) -> None:
    record = run(spec(), stack=RuntimeError("the framework is broken"))
    assert record.outcome.status == "crashed"
    assert record.outcome.reason == "RuntimeError: the framework is broken"
    assert any("harness/trials/prepare.py" in row for row in record.outcome.stderr_tail)
    assert [phase.name for phase in record.phases] == ["import"]  # what was learnt so far is kept
