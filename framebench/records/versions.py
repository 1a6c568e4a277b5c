"""Earlier versions of the two documents: records of any version are read, specs are written as an old harness
reads them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from harness.record import RECORD_VERSION, SPEC_VERSION, Count, Record, TrialSpec

Document = dict[str, Any]

_PROTOCOL_SINCE_2 = ("observer_blocks", "idle_s", "calibration_ms")


class _Version(msgspec.Struct):
    record_version: Count


def version_of(data: bytes) -> int:
    """Of a record, without reading the rest."""
    return msgspec.json.decode(data, type=_Version).record_version


def decode_record(data: bytes) -> Record:
    """Strict decoding of any record version ever published (one ``vN -> vN+1`` function each)."""
    version = version_of(data)
    if version == RECORD_VERSION:
        return msgspec.json.decode(data, type=Record)
    if not 1 <= version < RECORD_VERSION:
        raise msgspec.ValidationError(
            f"record_version is {version}, this framebench reads 1 to {RECORD_VERSION} - at `$.record_version`"
        )
    document = msgspec.json.decode(data)
    try:
        for step in _RECORD_STEPS[version - 1 :]:
            document = step(document)
    except (LookupError, TypeError, AttributeError, ValueError) as error:
        raise msgspec.ValidationError(
            f"what it holds is not what version {version} holds ({type(error).__name__}: {error}) - at `$`"
        ) from None
    return msgspec.convert(document, type=Record)


def encode_spec(spec: TrialSpec, version: int = SPEC_VERSION) -> bytes:
    """JSON bytes of a spec as a harness of that spec version reads it (an image's label names it)."""
    if not 1 <= version <= SPEC_VERSION:
        raise ValueError(f"spec version {version} is unknown; this framebench writes 1 to {SPEC_VERSION}")
    document = msgspec.to_builtins(spec)
    for step in _SPEC_STEPS[: SPEC_VERSION - version]:
        document = step(document)
    document["spec_version"] = version
    return msgspec.json.encode(document)


def _record_1_to_2(document: Document) -> Document:
    """Phases became arrays, and each GPU's metrics stand apart; in version 1 no GPU was ever read."""
    document["record_version"] = 2
    document["phases"] = [[one["name"], one["wall_ns"], one["cpu_ns"]] for one in document.get("phases", [])]
    telemetry = document.get("telemetry")
    if telemetry is not None:
        metrics = telemetry["metrics"]
        of_gpus = [metrics.pop(name) for name in list(metrics) if name.startswith("gpu_")]
        if of_gpus:
            telemetry["gpu_reason"] = of_gpus[0]["reason"]
    return document


def _record_2_to_3(document: Document) -> Document:
    """Units have names, the gate has parts, learning may be of any measure, and the first output is a part of
    the gate."""
    document["record_version"] = 3
    timing = document.get("timing")
    if timing is not None:
        timing["units_per_step"] = timing.pop("samples_per_step")
        timing["unit"] = "samples"
    first = document.pop("first_output_check", None)
    if first is not None:
        document["shape_before"] = _part("shape", [first])
    parity = document.get("parity")
    if parity is not None:
        parity["parts"] = [_part("precision", parity["diffs"])]
    learning = document.get("learning")
    if learning is not None:
        learning |= {"measure": "test accuracy", "higher": True}
        learning["target"] = learning.pop("target_accuracy")
        learning["final_score"] = learning.pop("final_accuracy")
    document["flags"] = [_FLAG_CODES.get(flag, flag) for flag in document.get("flags", [])]
    return document


def _part(name: str, diffs: list[Document]) -> Document:
    """A part of the gate from its comparisons."""

    def nearness(diff: Document) -> float:
        if diff["value"] is None:
            return float("inf")
        return float(diff["value"] / diff["tolerance"]) if diff["tolerance"] else float(diff["value"] > 0)

    failed = sum(not diff["passed"] for diff in diffs)
    return {
        "name": name,
        "checks": len(diffs),
        "failed": failed,
        "worst": max(diffs, key=nearness, default=None),
    }


def _spec_3_to_2(document: Document) -> Document:
    """An older harness knows no base and no hash of the protocol."""
    document["image"].pop("base_sha256", None)
    del document["provenance"]["protocol_hash"]
    return document


def _spec_2_to_1(document: Document) -> Document:
    """Such a harness does none of what these parameters ask for."""
    for name in _PROTOCOL_SINCE_2:
        del document["protocol"][name]
    return document


_RECORD_STEPS: tuple[Callable[[Document], Document], ...] = (_record_1_to_2, _record_2_to_3)
_SPEC_STEPS: tuple[Callable[[Document], Document], ...] = (_spec_3_to_2, _spec_2_to_1)

# Flags were sentences before version 3
_FLAG_CODES = {
    "noisy host": "noisy_host",
    "noisy host: unranked": "noisy_host_unranked",
    "host noise unknown": "noise_unknown",
    "not steady": "not_steady",
    "slowdown while timed": "slowdown",
    "no steady state while timed": "no_steady_state",
    "machine drifted": "machine_drifted",
    "call overhead above 1 %": "call_overhead",
    "barrier above 1 % of a block": "barrier_overhead",
    "no telemetry": "no_telemetry",
    "observer effect: sampler slowed": "sampler_slowed",
    "GPU thermally or externally limited": "gpu_limited",
    "GPU power-limited": "gpu_power_limited",
    "GPU shared": "gpu_shared",
    "emulated: unranked": "emulated",
}
