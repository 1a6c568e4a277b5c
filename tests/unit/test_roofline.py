"""The table of GPUs, the precision that ran, and the shares of peak and ceiling that follow from them."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from framebench.dataset import device_share as shares
from framebench.dataset import results
from framebench.dataset.frames import results_frame
from framebench.images.make.harness_layer import harness_files
from framebench.records.versions import decode_record
from harness import roofline
from harness.record import Ceiling, Energy, Gpu, GpuTelemetry, Outcome, Record, Settings, encode
from tests.record_factory import CASE, CONTENDERS, make_record, make_trials, sha, telemetry
from tests.unit.test_plan import ROOT

H200 = Gpu(name="NVIDIA H200", pci_device_id="0x233510de", uuid_sha256=sha("h200"))


def like_h200(**changes: Any) -> Gpu:
    return msgspec.structs.replace(H200, **changes)


GPU_CASE = msgspec.structs.replace(CASE, device="gpu")


@pytest.mark.parametrize("gpu", roofline.table(), ids=lambda gpu: gpu.name)
def test_each_row_has_a_source_and_agrees_with_its_architecture(gpu: roofline.Gpu) -> None:
    assert gpu.source and gpu.url.startswith("https://")
    assert gpu.fp32 is not None and gpu.fp32 < (gpu.bf16 or gpu.fp16 or 0.0)
    assert gpu.tf32 is None or gpu.fp32 <= gpu.tf32 <= gpu.bf16 / 1.9
    if gpu.check is not None:
        units, per_clock, clock = gpu.check.multiprocessors, gpu.check.flops_per_clock, gpu.check.clock
        assert gpu.fp16 == pytest.approx(units * per_clock * clock / 1e3, rel=0.02)


def test_names_and_ids_are_unique() -> None:
    rows = roofline.table()
    assert len({gpu.name for gpu in rows}) == len(rows)
    ids = [pci for gpu in rows for pci in gpu.pci]
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize(
    ("name", "pci_id", "found"),
    [
        ("NVIDIA L4", "0x27b810de", True),
        ("NVIDIA L40S", "0x26b910de", True),
        ("NVIDIA L4", "0x26b910de", False),  # the id of another card
        ("NVIDIA L4", None, True),  # a record that does not know its id
        ("NVIDIA L40", None, False),
        ("L4", None, False),
        ("NVIDIA H100 80GB HBM3 MIG 1g.10gb", "0x233010de", False),
        ("NVIDIA GeForce RTX 4090 D", "0x268510de", False),
    ],
)
def test_a_gpu_is_found_by_its_whole_name_and_id(name: str, pci_id: str | None, found: bool) -> None:
    row = roofline.find(like_h200(name=name, pci_device_id=pci_id))
    assert (row is not None) is found
    assert row is None or row.name == name


def test_a_gpu_cut_into_instances_has_no_row() -> None:
    assert roofline.find(H200) is not None
    assert roofline.find(like_h200(mig=False)) is not None
    assert roofline.find(like_h200(mig=True)) is None


def test_the_table_is_in_every_image() -> None:
    assert "harness/gpus.toml" in harness_files(ROOT)


@pytest.mark.parametrize(
    ("read_back", "device", "ran"),
    [
        ({"float32_matmul": "highest", "cudnn_tf32": False}, "gpu", "fp32"),
        ({"float32_matmul": "highest", "cudnn_tf32": True}, "gpu", "tf32"),  # the convolutions may
        ({"float32_matmul": "high", "cudnn_tf32": False}, "gpu", "tf32"),
        ({"float32_matmul": "medium", "cudnn_tf32": False}, "cpu", "bf16"),
        ({"tensor_float_32": True}, "gpu", "tf32"),
        ({"tensor_float_32": False, "keras_dtype_policy": "mixed_bfloat16"}, "gpu", "bf16"),
        ({"default_matmul": "highest", "x64": False}, "gpu", "fp32"),
        ({"default_matmul": None}, "gpu", None),
        ({}, "gpu", None),
        ({}, "cpu", "fp32"),
    ],
)
def test_precision_is_the_one_read_back(read_back: dict[str, Any], device: str, ran: str | None) -> None:
    found, reason = roofline.precision_ran(read_back, device)
    assert found == ran
    assert (reason is None) is (ran is not None)


def gpu_record(gpus: list[Gpu], precision: dict[str, Any], **changes: Any) -> Record:
    plain = make_record(case=GPU_CASE, step_ns=1e6, **changes)
    assert plain.hardware is not None and plain.settings is not None
    return msgspec.structs.replace(
        plain,
        hardware=msgspec.structs.replace(plain.hardware, gpus=gpus),
        settings=msgspec.structs.replace(plain.settings, precision=precision),
    )


FP32 = {"float32_matmul": "highest", "cudnn_tf32": False}


@pytest.mark.parametrize(
    ("precision", "peak"), [(FP32, 67e12), (FP32 | {"cudnn_tf32": True}, 494.5e12)], ids=["fp32", "tf32"]
)
def test_mfu_is_of_the_peak_of_the_precision_that_ran(precision: dict[str, Any], peak: float) -> None:
    found = shares.utilization(gpu_record([H200], precision), 1e6, {})
    assert found is not None and found.peak == peak
    assert found.flops_per_s == pytest.approx(3.5e12)  # 3.5 GFLOP in 1 ms
    assert found.mfu == pytest.approx(3.5e12 / peak)
    assert found.mfu_reason is None


@pytest.mark.parametrize(
    ("gpus", "precision", "word"),
    [
        ([like_h200(name="NVIDIA H300")], FP32, "not in the table"),
        ([like_h200(pci_device_id="0xffff10de")], FP32, "10de:ffff"),
        ([H200, like_h200(uuid_sha256=sha("other"))], FP32, "which GPU"),
        ([], FP32, "which GPU"),
        ([like_h200(mig=True)], FP32, "instances"),
        ([H200], {}, "no precision"),
        (
            [like_h200(name="Tesla T4", pci_device_id="0x1eb810de")],
            FP32 | {"cudnn_tf32": True},
            "no tf32 peak",
        ),
    ],
)
def test_without_a_peak_there_is_no_mfu_but_a_reason(
    gpus: list[Gpu], precision: dict[str, Any], word: str
) -> None:
    found = shares.utilization(gpu_record(gpus, precision), 1e6, {})
    assert found is not None and found.mfu is None and found.peak is None
    assert word in (found.mfu_reason or "")


def test_of_several_gpus_the_one_that_was_watched_counts() -> None:
    watched = GpuTelemetry(uuid_sha256=H200.uuid_sha256, metrics={}, energy=Energy())
    record = gpu_record(
        [like_h200(name="NVIDIA L4", pci_device_id="0x27b810de", uuid_sha256=sha("l4")), H200],
        FP32,
        telemetry=msgspec.structs.replace(telemetry(), gpus=[watched]),
    )
    found = shares.utilization(record, 1e6, {})
    assert found is not None and found.peak == 67e12


def ceiling_record(flops: dict[str, float], copy: float | None = 2e10, **changes: Any) -> Record:
    measured = Ceiling(matmul_flops_per_s=flops, copy_bytes_per_s=copy, reasons={"bf16": "not asked"})
    return make_record(**({"kind": "ceiling", "round": 0, "ceiling": measured} | changes))


def cpu_trials(**changes: Any) -> list[Record]:
    settings = Settings(layout="NCHW", threads={"intra": 2}, precision=FP32, compile={})
    return make_trials(contenders=CONTENDERS[:1], rounds=3, settings=settings, **changes)


def test_on_a_cpu_the_share_of_the_best_measured_ceiling_is_given_and_no_mfu() -> None:
    ceilings = [
        ceiling_record({"fp32": 4e10}, trial_id="c1"),
        ceiling_record({"fp32": 5e10}, copy=3e10, trial_id="c2"),
    ]
    (found,) = results([*cpu_trials(), *ceilings])
    used = found.utilization
    assert used is not None and used.precision == "fp32"
    assert used.mfu is None and "CPU" in (used.mfu_reason or "")
    assert used.ceiling == 5e10
    assert found.time_ns is not None
    assert used.ceiling_share == pytest.approx(3.5e9 / (found.time_ns.value / 1e9) / 5e10)
    assert {kind: len(trials) for kind, trials in found.trials.items()} == {
        "parity": 1,
        "timing": 3,
        "ceiling": 2,
    }
    assert found.status == "ok" and found.ranked


@pytest.mark.parametrize(
    "other",
    [
        {"host_id": "another-host"},
        {"case": msgspec.structs.replace(CASE, cores=1)},
        {"outcome": Outcome(status="invalid", reason="canary failed: sync")},
    ],
    ids=["host", "cores", "outcome"],
)
def test_a_ceiling_of_elsewhere_or_of_a_failed_trial_is_none(other: dict[str, Any]) -> None:
    found = results([*cpu_trials(), ceiling_record({"fp32": 5e10}, trial_id="c1", **other)])
    (used,) = (one.utilization for one in found if one.utilization)
    assert used.ceiling_share is None
    assert used.ceiling_reason == "no ceiling has been measured on this device"


def test_a_ceiling_in_another_precision_is_none() -> None:
    (found,) = results([*cpu_trials(), ceiling_record({"bf16": 5e10}, trial_id="c1")])
    assert found.utilization is not None and found.utilization.ceiling_share is None
    assert "no fp32 ceiling" in (found.utilization.ceiling_reason or "")


def test_shares_are_columns_and_missing_ones_are_empty() -> None:
    timed = cpu_trials()
    with_ceiling = results_frame(results([*timed, ceiling_record({"fp32": 5e10}, trial_id="c1")])).iloc[0]
    assert 0 < with_ceiling.ceiling_share < 5
    assert with_ceiling.isna().mfu and with_ceiling.mfu_reason
    without = results_frame(results(timed)).iloc[0]
    assert without.isna().ceiling_share and without.ceiling_reason
    failed = results_frame(results([ceiling_record({"fp32": 5e10}, trial_id="c1")])).iloc[0]
    assert failed.isna()[["flops_per_s", "mfu", "ceiling_share"]].all()


def test_a_ceiling_alone_is_no_result_with_a_time() -> None:
    (found,) = results([ceiling_record({"fp32": 5e10}, trial_id="c1")])
    assert found.status == "not timed" and found.utilization is None


def test_a_record_of_a_ceiling_survives_its_json() -> None:
    record = ceiling_record({"fp32": 5e10}, copy=None)
    assert decode_record(encode(record)) == record
