"""The real pynvml path through a fake driver library whose truth is known (``tests/fake_nvml``)."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from framebench.campaign.suite_bounds import MOST_BLOCKS
from framebench.records.versions import decode_record
from framebench.records.writing import MAX_RECORD_BYTES
from harness import flags
from harness.record import GpuTelemetry, Record, Telemetry, encode
from harness.telemetry import proc
from harness.telemetry.gpm import METRICS as GPM_METRICS
from harness.telemetry.nvml_metrics import FIELDS
from harness.telemetry.recorder import Telemetry as Recorder
from harness.telemetry.window import MIN_SAMPLES
from harness.trials.settling import settle
from tests.fake_nvml import BUSY_W, GPU, MIG, REST_W, SECOND_GPU, Load, build

TICK_S = 0.1


@pytest.fixture(scope="module")
def drivers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("drivers")
    return {"today": build(folder / "today"), "old": build(folder / "old", "-DOLD_DRIVER")}


@pytest.fixture
def load(drivers: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Load:
    """Children started from here on see the fake driver."""
    made = Load(tmp_path / "load")
    monkeypatch.setenv("LD_LIBRARY_PATH", str(drivers["today"]))
    monkeypatch.setenv("FAKE_LOAD", str(made.path))
    return made


def watch(seconds: float = 0.0, hz: float = 20.0, gpus: tuple[str, ...] = (GPU,)) -> Telemetry:
    """A window of so many seconds with nothing to do."""
    with Recorder(hz) as telemetry:
        telemetry.start(gpus)
        with telemetry.window():
            time.sleep(seconds)
        return telemetry.record()


def only(record: Telemetry) -> GpuTelemetry:
    assert len(record.gpus) == 1, record.gpu_reason
    return record.gpus[0]


def refusals(gpu: GpuTelemetry) -> dict[str, tuple[str, str]]:
    """``{metric: (kind of refusal, reason)}``."""
    return {name: (one.support, one.reason) for one in gpu.refused for name in one.metrics}


def in_a_process(code: str) -> Any:
    """The JSON that ``code`` prints, in a process that the fake driver is there for from the start."""
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return json.loads(answer.stdout)


# --- energy and windows ------------------------------------------------------------------------


def test_energy_and_averages_against_the_truth(load: Load) -> None:
    """Work before and after, a window of 5.3 s of work, and rest: each figure is about its own window only."""
    with Recorder(20.0) as telemetry:
        telemetry.start([GPU])
        load.work(0.5)
        with telemetry.window("rest before"):
            time.sleep(1.0)
        with telemetry.window() as window:
            load.work(2.0)
            time.sleep(0.3)
            load.work(3.0)
        record = telemetry.record(samples=1000)
    gpu = only(record)
    energy, truth = gpu.energy, load.joules(window.start_ns, window.end_ns)
    assert energy.source == "counter" and energy.reason is None
    assert energy.total_j == pytest.approx(truth, rel=TICK_S / window.seconds)
    assert energy.idle_before_w == pytest.approx(REST_W, rel=0.01)
    busy_s = load.busy_s(window.start_ns, window.end_ns)
    assert energy.above_idle_j == pytest.approx((BUSY_W - REST_W) * busy_s, rel=2 * TICK_S / window.seconds)
    assert energy.j_per_sample == pytest.approx(energy.total_j / 1000, rel=1e-4)
    assert energy.slack_ns is not None and energy.slack_ns > 0
    assert energy.counter_ns == energy.slack_ns + record.window_ns

    most = 100 * busy_s / window.seconds
    least = 1e11 * busy_s / (window.edges[1]["t"] - window.edges[0]["t"])  # its marks lie outside the window
    assert least - 0.5 <= gpu.gpm["graphics"] <= most + 0.5
    assert 0.4 * least - 0.5 <= gpu.gpm["tensor"] <= 0.4 * most + 0.5
    busy_later = load.busy_s(window.start_ns + 10**9, window.end_ns) / (window.seconds - 1)
    assert gpu.metrics["utilization"].mean == pytest.approx(100 * busy_later, abs=5.0)  # it looks back 1 s
    assert gpu.metrics["power_instant"].maximum == BUSY_W
    assert gpu.metrics["sm_clock"].maximum == 1980
    assert gpu.metrics["memory_used"].samples < gpu.metrics["sm_clock"].samples / 5  # every tenth tick
    assert gpu.uuid_sha256 == hashlib.sha256(GPU.encode()).hexdigest()
    assert refusals(gpu) == dict.fromkeys(
        ("gpm_nvlink_rx", "gpm_nvlink_tx"), ("not supported", "Not Supported")
    )
    assert (gpu.processes, gpu.rest_utilization, gpu.lost) == (1, None, None)
    assert gpu.metrics["ecc_corrected"].delta == 0  # they came with the work before the window
    assert flags.gpu(record) == []


def test_a_window_of_rest_after_work_shows_rest(load: Load) -> None:
    with Recorder(20.0) as telemetry:
        telemetry.start([GPU])
        load.work(1.5)
        with telemetry.window():
            time.sleep(1.8)
        gpu = only(telemetry.record())
    metrics = gpu.metrics
    assert metrics["utilization"].mean == 0  # looks back 1/6 s
    assert metrics["power_average"].mean == pytest.approx(REST_W)  # looks back 1 s
    assert metrics["power_instant"].mean == REST_W
    assert gpu.gpm["graphics"] == 0


@pytest.mark.parametrize("counter_alone_fails", [True, False])
def test_without_a_counter_only_instant_power_is_integrated(
    load: Load, monkeypatch: pytest.MonkeyPatch, counter_alone_fails: bool
) -> None:
    monkeypatch.setenv("FAKE_FAIL", "field83=3" if counter_alone_fails else "field83=3,field186=3")
    with Recorder(50.0) as telemetry:
        telemetry.start([GPU])
        load.work(1.0)  # what a 1-s average would still count
        with telemetry.window() as window:
            for _ in range(10):
                load.work(0.21)
                time.sleep(0.3)
        gpu = only(telemetry.record())
    if counter_alone_fails:
        assert gpu.energy.source == "instant power"
        assert gpu.energy.total_j == pytest.approx(load.joules(window.start_ns, window.end_ns), rel=0.05)
    else:
        assert gpu.metrics["power_average"].mean is not None
        assert gpu.energy.source is gpu.energy.total_j is None
        assert gpu.energy.reason == "no energy counter: Not Supported; no instant power: Not Supported"


# --- refusals --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "support"),
    [(3, "not supported"), (4, "no permission"), (13, "function not found"), (10, "failed"), (999, "failed")],
)
def test_every_refusal_is_null_with_its_reason(
    load: Load, monkeypatch: pytest.MonkeyPatch, code: int, support: str
) -> None:
    calls = {
        "nvmlDeviceGetUtilizationRates": ["utilization", "memory_utilization"],
        "nvmlDeviceGetClockInfo": ["sm_clock", "memory_clock"],
        "nvmlDeviceGetTotalEccErrors": ["ecc_corrected", "ecc_uncorrected"],
        "nvmlDeviceGetComputeRunningProcesses_v3": ["processes"],
        "nvmlDeviceGetMemoryInfo_v2": ["memory_used", "memory_reserved"],
        "nvmlDeviceRegisterEvents": ["xid_errors"],
        "field186": ["power_instant"],
        "field270": ["event_hw_thermal"],
        "gpm5": ["gpm_tensor"],
    }
    monkeypatch.setenv("FAKE_FAIL", ",".join(f"{call}={code}" for call in calls))
    gpu = only(watch(0.2))
    refused = {name: how for name, how in refusals(gpu).items() if "nvlink" not in name}
    assert set(refused) == {name for names in calls.values() for name in names}  # nothing else suffered
    assert all(kind == support and reason for kind, reason in refused.values())
    assert not set(refused) & {*gpu.metrics, *gpu.held_back_ns, *(f"gpm_{name}" for name in gpu.gpm)}
    assert gpu.processes is None


@pytest.mark.parametrize(
    "call", ["nvmlDeviceGetFieldValues", "nvmlGpmQueryDeviceSupport", "nvmlGpmSampleGet"]
)
def test_a_group_that_is_refused_takes_only_its_own_metrics(
    load: Load, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    monkeypatch.setenv("FAKE_FAIL", f"{call}=4")
    gpu = only(watch(0.2))
    refused = {name for name, (support, _) in refusals(gpu).items() if support == "no permission"}
    assert refused == set(FIELDS if "Field" in call else GPM_METRICS)
    assert gpu.metrics["utilization"].support == "ok"


def test_a_refusal_in_the_middle_keeps_what_was_read(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    """Permission has been seen to go after minutes."""
    monkeypatch.setenv("FAKE_FAIL", "nvmlDeviceGetClockInfo=4,nvmlGpmSampleGet=4")
    monkeypatch.setenv(
        "FAKE_FAIL_AFTER", "8"
    )  # GPM's 8th sample is never taken: its two probes and two edges pass
    gpu = only(watch(1.0))
    clock = gpu.metrics["sm_clock"]
    assert gpu.lost is None and clock.support == "ok" and clock.mean is None
    assert clock.dropped >= 5
    assert "Insufficient Permissions" in (clock.reason or "")
    assert gpu.gpm["sm"] == 0


def test_gpm_refused_at_an_edge(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_FAIL", "nvmlGpmSampleGet=4")
    monkeypatch.setenv("FAKE_FAIL_AFTER", "4")  # two probes, the first edge
    gpu = only(watch(0.2))
    assert gpu.gpm == {}
    assert refusals(gpu)["gpm_sm"] == ("failed", "Insufficient Permissions")


def test_gpm_needs_more_than_a_tenth_of_a_second(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_FAIL", "field83=3")  # so that the edges do not wait for a tick
    said = ("failed", "the window is shorter than GPM's 100 ms")
    assert any(
        refusals(only(watch())).get("gpm_sm") == said for _ in range(20)
    )  # a busy machine makes it longer


@pytest.mark.parametrize(("code", "words"), [(9, "Driver Not Loaded"), (18, "version mismatch")])
def test_a_driver_that_does_not_start_leaves_the_trial_alone(
    load: Load, monkeypatch: pytest.MonkeyPatch, code: int, words: str
) -> None:
    monkeypatch.setenv("FAKE_FAIL", f"nvmlInitWithFlags={code}")
    record = watch(0.5)
    assert record.gpus == [] and words in (record.gpu_reason or "")
    assert record.reason is None and record.metrics["rss"].support == "ok"


def test_no_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LD_LIBRARY_PATH", "")
    record = watch()
    if record.gpu_reason != "no NVIDIA library":
        pytest.skip("this machine has NVML")
    assert record.gpus == [] and record.reason is None


def test_an_old_driver(load: Load, drivers: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LD_LIBRARY_PATH", str(drivers["old"]))
    load.work(0.1)
    names, reason = in_a_process(
        "import json; from harness.telemetry.devices import *; print(json.dumps(cuda_devices(1)))"
    )
    assert (names, reason) == (["0000:10:00.0"], None)  # it tells no UUID
    with Recorder(20.0) as telemetry:
        telemetry.start(names)
        with telemetry.window(), load.working():
            time.sleep(1.5)
        gpu = only(telemetry.record())
    metrics = gpu.metrics
    lacking = {name for name, (support, _) in refusals(gpu).items() if support == "function not found"}
    assert lacking >= {*FIELDS, "memory_used", "processes", "gpm_sm"}
    assert gpu.limited_share["power"] == 0  # by the name of before
    assert metrics["sm_clock"].support == "ok"
    assert metrics["temperature"].support == "ok"


# --- lost ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "words"), [(15, "GPU is lost"), (16, "GPU requires restart"), (999, "Unknown Error")]
)
def test_a_gpu_lost_in_the_middle_ends_the_ticks_and_keeps_the_samples(
    load: Load, monkeypatch: pytest.MonkeyPatch, code: int, words: str
) -> None:
    monkeypatch.setenv("FAKE_LOST_AFTER", "24")  # one probe, one edge, 21 ticks
    monkeypatch.setenv("FAKE_LOST_CODE", str(code))
    with Recorder(20.0) as telemetry:
        telemetry.start([GPU])
        with telemetry.window():
            time.sleep(3.0)
        assert telemetry.gpu_lost() == words
        record = telemetry.record()
    gpu = only(record)
    assert MIN_SAMPLES <= record.ticks <= 21  # the first may come before the window
    assert gpu.lost == words
    assert gpu.metrics["power_instant"].mean == REST_W
    assert refusals(gpu)["ecc_corrected"] == ("failed", f"the GPU was lost: {words}")
    assert gpu.energy.total_j is None and gpu.energy.reason == f"the GPU was lost: {words}"
    assert record.metrics["cpu_time"].delta is not None  # the process itself goes on being counted


# --- rubbish ---------------------------------------------------------------------------------------


def test_impossible_readings_are_dropped_and_counted(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_RUBBISH", "4")
    with Recorder(50.0) as telemetry:
        telemetry.start([GPU])
        with load.working(), telemetry.window():
            time.sleep(1.8)
        metrics = only(telemetry.record()).metrics
    for name, truth in {
        "utilization": 100,
        "power_instant": BUSY_W,
        "memory_temperature": 50,
        "sm_clock": 1980,
    }.items():
        metric = metrics[name]
        assert (metric.mean, metric.minimum, metric.maximum) == (truth, None, None), name  # all were equal
        assert 0.15 < metric.dropped / (metric.dropped + metric.samples) < 0.35, name


def test_an_energy_counter_that_runs_backwards(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_BACKWARDS", "1")
    monkeypatch.setenv("FAKE_FAIL", "field186=3")
    energy = only(watch(5.1)).energy
    assert energy.total_j is None
    assert energy.reason == "the energy counter went backwards; no instant power: Not Supported"


# --- what a page warns of ----------------------------------------------------------------------------


def test_limits_tenants_and_errors(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "FAKE_REASONS": "0x44",
        "FAKE_THROTTLE": "270",
        "FAKE_PROCESSES": "2",
        "FAKE_XID": "79",
    }.items():
        monkeypatch.setenv(name, value)
    with Recorder(20.0) as telemetry:
        telemetry.start([GPU])
        with telemetry.window() as window, load.working():
            time.sleep(0.8)
        record = telemetry.record()
    gpu = only(record)
    assert gpu.limited_share["power"] == gpu.limited_share["thermally"] > 0 == gpu.limited_share["externally"]
    busy_ns = 1e9 * load.busy_s(window.start_ns, window.end_ns)
    assert gpu.held_back_ns["event_hw_thermal"] == pytest.approx(busy_ns / 10, rel=0.05)
    assert gpu.held_back_ns["event_power_brake"] == 0
    assert gpu.metrics["ecc_corrected"].delta == 3
    assert (gpu.metrics["xid_errors"].delta, gpu.metrics["xid_errors"].reason) == (1, "XID 79")
    assert gpu.processes == 2
    assert flags.gpu(record) == [flags.GPU_LIMITED, flags.GPU_POWER_LIMITED, flags.GPU_SHARED]


def test_under_wsl_nobody_knows_who_else_is_there(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its driver tells neither utilization nor processes."""
    monkeypatch.setenv(
        "FAKE_FAIL", "nvmlDeviceGetUtilizationRates=3,nvmlDeviceGetComputeRunningProcesses_v3=3"
    )
    with Recorder(20.0) as telemetry:
        telemetry.start([GPU])
        with telemetry.window("rest before"):
            time.sleep(1.5)
        with telemetry.window(), load.working():
            time.sleep(0.8)
        record = telemetry.record()
    gpu = only(record)
    assert (gpu.processes, gpu.rest_utilization) == (None, None)
    assert {"utilization", "processes"} <= set(refusals(gpu))
    assert flags.gpu(record) == [flags.GPU_SHARE_UNKNOWN]


def test_a_gpu_is_timed_when_its_clock_and_temperature_have_settled(
    load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_WARM_S", "1")
    monkeypatch.setenv("FAKE_DROOP_MHZ", "300")
    with Recorder(20.0) as telemetry:
        telemetry.start([GPU])
        with load.working():
            short = settle(lambda: time.sleep(0.1), telemetry, limit_s=1.0)
            long = settle(lambda: time.sleep(0.1), telemetry)
        assert settle(lambda: None, Recorder(20.0)) is None  # no GPU
    assert short is not None and (short.windows, short.settled) == (1, False)
    assert long is not None and long.settled and long.windows >= 2
    timing = SimpleNamespace(observer=SimpleNamespace(settling=short))
    assert flags.settling(timing) == [flags.GPU_UNSETTLED]  # type: ignore[arg-type]


# --- the sampler's own way of working -----------------------------------------------------------------


def waited_s(pid: int) -> float:
    """How long a process has waited in run queues so far."""
    return sum(waiting for _, waiting in (proc.task_times(pid) or {}).values()) / 1e9


@pytest.mark.parametrize("slow", ["FAKE_SLEEP_US", "FAKE_SPIN_US"])
def test_it_holds_its_rate_beside_a_python_bound_parent(
    load: Load, monkeypatch: pytest.MonkeyPatch, slow: str
) -> None:
    monkeypatch.setenv(slow, "300")
    with Recorder(10.0) as telemetry:
        telemetry.start([GPU])
        assert telemetry.process is not None
        before = waited_s(telemetry.process.pid)
        with telemetry.window() as window:
            end = time.monotonic() + 3.0
            while time.monotonic() < end:
                pass
        waited = waited_s(telemetry.process.pid) - before  # for a core that others had, not for the parent
        record = telemetry.record()
    assert record.ticks >= 10 * (0.7 * window.seconds - waited)
    assert record.ticks + record.missed_ticks <= 10 * (window.edges[1]["t"] - window.edges[0]["t"]) / 1e9


# --- which GPU ---------------------------------------------------------------------------------------

WATCH = """
import json, msgspec, time
from harness.telemetry.devices import cuda_devices
from harness.telemetry.recorder import Telemetry
names, reason = cuda_devices({count})
with Telemetry(20.0) as telemetry:
    telemetry.start(names, reason)
    with telemetry.window():
        time.sleep(1.5)
    print(json.dumps([names, msgspec.to_builtins(telemetry.record())]))
"""


def watched(count: int) -> tuple[list[str], Telemetry]:
    names, record = in_a_process(WATCH.format(count=count))
    return names, msgspec.convert(record, Telemetry)


def hashed(*uuids: str) -> list[str]:
    return [hashlib.sha256(uuid.encode()).hexdigest() for uuid in uuids]


@pytest.mark.parametrize("by", ["UUID", "PCI address"])
def test_cudas_order_is_not_nvmls(load: Load, monkeypatch: pytest.MonkeyPatch, by: str) -> None:
    monkeypatch.setenv("FAKE_DEVICES", "3")
    monkeypatch.setenv("FAKE_CUDA_ORDER", "1,0")  # reversed, and the third not visible
    if by == "PCI address":
        monkeypatch.setenv("FAKE_FAIL", "cuDeviceGetUuid_v2=999")
    names, record = watched(2)
    if by == "UUID":
        assert [of_one.split(",")[0] for of_one in names] == [SECOND_GPU, GPU]
    else:
        assert names == ["0000:11:00.0", "0000:10:00.0"]
    assert [gpu.uuid_sha256 for gpu in record.gpus] == hashed(SECOND_GPU, GPU)
    assert [gpu.metrics["power_instant"].mean for gpu in record.gpus] == [2 * REST_W, REST_W]


def test_a_mig_instance(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sampled through its GPU and its number; what the whole GPU does is not its own and is null."""
    monkeypatch.setenv("FAKE_MIG", "1")
    _, record = watched(1)
    gpu = only(record)
    assert gpu.uuid_sha256 == hashed(MIG)[0]
    assert {"utilization", "power_instant", "sm_clock", "ecc_corrected"} <= set(refusals(gpu))
    assert gpu.metrics["memory_used"].support == "ok"
    assert gpu.gpm["sm"] == 0
    assert gpu.energy.reason is not None


@pytest.mark.parametrize(
    ("environment", "count", "reason"),
    [
        ({"FAKE_FAIL": "cuInit=100"}, 1, "the CUDA driver did not start (error 100)"),
        ({}, 2, "the CUDA driver has 1 devices, the case asks for 2"),
        (
            {"FAKE_FAIL": "cuDeviceGetUuid_v2=1,cuDeviceGetPCIBusId=1"},
            1,
            "the CUDA driver tells neither UUID nor PCI address",
        ),
        ({"LD_LIBRARY_PATH": "/nonexistent"}, 1, "no CUDA driver library"),
    ],
)
def test_no_gpu_of_the_trial_is_found(
    load: Load, monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], count: int, reason: str
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    names, record = watched(count)
    if reason == "no CUDA driver library" and names:
        pytest.skip("this machine has a CUDA driver")
    assert (names, record.gpus, record.gpu_reason) == ([], [], reason)
    assert record.metrics["rss"].support == "ok"


def test_the_machines_gpus(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_DEVICES", "2")
    monkeypatch.setenv("FAKE_MIG", "1")
    monkeypatch.setenv("FAKE_FAIL", "nvmlDeviceGetMaxClockInfo=3")
    monkeypatch.setenv("FAKE_LIMIT_W", "450")
    monkeypatch.setenv("FAKE_PERSISTENCE", "0")
    code = "import msgspec; from harness.environment import gpus; print(msgspec.json.encode(gpus()).decode())"
    first, second = in_a_process(code)
    assert first == {
        "name": "Fake GPU 0",
        "uuid_sha256": hashed(GPU)[0],
        "pci_device_id": "0x2335fa4e",  # no vendor of cards: it stands in for one
        "memory_bytes": 80 << 30,
        "power_limit_w": 450.0,  # and no clocks: what could not be read is left out
        "default_power_limit_w": BUSY_W,
        "capability": "9.0",
        "persistence": False,
        "ecc": True,
        "mig": True,
        "mig_uuid_sha256": hashed(MIG),
    }
    assert second["name"] == "Fake GPU 1" and second["mig"] is False
    monkeypatch.setenv("FAKE_FAIL", "nvmlInitWithFlags=9")
    assert in_a_process(code) == []


# --- whole trials ------------------------------------------------------------------------------------


def trial(kind: str, fault: str = "", **protocol: Any) -> Record:
    command = [sys.executable, "-m", "tests.fake_nvml.gpu_trial", kind, fault]
    answer = subprocess.run(
        command, input=json.dumps(protocol), capture_output=True, text=True, check=False, env=os.environ
    )
    assert answer.returncode == 0, answer.stderr
    return decode_record(answer.stdout.encode())


def test_a_whole_trial_with_everything_a_gpu_tells(load: Load) -> None:
    record = trial(
        "timing",
        block_ms=170.0,
        block_max_ms=1000.0,
        measure_blocks=30,
        measure_s=5.5,
        idle_s=0.9,
        observer_blocks=5,
        telemetry_hz=20.0,
    )
    assert record.outcome.status == "ok", record.outcome
    assert record.telemetry is not None and record.timing is not None
    gpu = only(record.telemetry)
    phases = [phase.name for phase in record.phases]
    assert [
        name for name in phases if name in ("rest_before", "warm_up", "observer", "blocks", "rest_after")
    ] == [
        "rest_before",
        "warm_up",
        "observer",
        "blocks",
        "rest_after",
    ]
    busy_s = sum(block.wall_ns for block in record.timing.blocks) / 1e9
    assert gpu.energy.source == "counter"
    assert gpu.energy.above_idle_j == pytest.approx((BUSY_W - REST_W) * busy_s, rel=0.05)
    assert gpu.energy.idle_before_w == pytest.approx(REST_W, rel=0.01)
    samples = 32 * sum(block.steps for block in record.timing.blocks)
    assert gpu.energy.total_j is not None
    assert gpu.energy.j_per_sample == pytest.approx(gpu.energy.total_j / samples, rel=1e-4)
    assert len(gpu.metrics) + len(gpu.gpm) + len(gpu.limited_share) + len(gpu.held_back_ns) >= 30
    assert record.hardware is not None
    assert gpu.uuid_sha256 in [one.uuid_sha256 for one in record.hardware.gpus]
    assert record.sidecar is not None and record.sidecar.inline is not None
    sidecar = base64.b64decode(record.sidecar.inline)
    series = json.loads(gzip.decompress(sidecar))["telemetry"]
    assert len(series["gpus"][0]["metrics"]["power_instant"]) == len(series["t_ns"]) > 50
    assert len(sidecar) <= 30_000
    own = msgspec.structs.replace(
        record, sidecar=None, flags=[]
    )  # how busy this machine was is not the card's
    # as many as a suite may ask for, and twice that where steps became faster
    assert (
        len(encode(own)) + (2 * MOST_BLOCKS - 30) * len("[10000,1000000000,1000000000,null],")
        <= MAX_RECORD_BYTES
    )


def test_a_trial_whose_gpu_is_lost_is_invalid_and_keeps_its_samples(
    load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_LOST_AFTER", "25")
    record = trial("timing", measure_s=2.0, telemetry_hz=20.0)
    assert (record.outcome.status, record.outcome.reason) == ("invalid", "gpu_lost: GPU is lost")
    assert record.telemetry is not None
    assert only(record.telemetry).lost == "GPU is lost"
    assert MIN_SAMPLES <= record.telemetry.ticks <= 22  # the 25th call, less one probe and one edge
    assert record.sidecar is not None


def test_a_framework_that_raises_because_its_gpu_is_lost(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_LOST_AFTER", "3")
    record = trial("timing", fault="framework", measure_s=60.0)
    assert record.outcome.status == "invalid"
    reason = record.outcome.reason or ""
    assert reason.startswith("gpu_lost: GPU is lost (RuntimeError: CUDA error")
    assert record.telemetry is not None and only(record.telemetry).lost == "GPU is lost"


def test_a_framework_that_raises_with_its_gpu_in_place_has_crashed(load: Load) -> None:
    record = trial("timing", fault="framework", measure_s=60.0)
    assert record.outcome.status == "crashed"
    assert record.telemetry is not None and only(record.telemetry).lost is None


def test_a_memory_trial_counts_what_the_device_lost_to_it(
    load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory = trial("memory").memory
    assert memory is not None
    assert memory.device_delta == 4 << 30
    assert "device_delta" not in memory.reasons
    monkeypatch.setenv("FAKE_FAIL", "nvmlDeviceGetMemoryInfo=3")
    memory = trial("memory").memory
    assert memory is not None
    assert (memory.device_delta, memory.reasons["device_delta"]) == (None, "NVML: Not Supported")
