"""Lies that somebody could write into a real record, one each, and the field that ought to be named."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from framebench.records.store import MANIFESTS, SELFTESTS

Document = dict[str, Any]


class Lie(NamedTuple):
    """``change`` is made to a record that ``fits``; ``field`` begins the sentence that names it."""

    change: Callable[[Document], object]
    field: str
    fits: Callable[[Document], bool] = lambda record: True
    refused: bool = True


def set_at(path: str, value: Any) -> Callable[[Document], object]:
    """A change: the value at ``a.b.0.c``; a function of the old value, if it is one."""

    def change(document: Document) -> None:
        *parents, last = [int(part) if part.isdigit() else part for part in path.split(".")]
        held: Any = document
        for part in parents:
            held = held[part]
        held[last] = value(held[last]) if callable(value) else value

    return change


def of_kind(kind: str) -> Callable[[Document], bool]:
    return lambda record: record["kind"] == kind and record["outcome"]["status"] == "ok"


def of_version_3(record: Document) -> bool:
    return bool(timed(record) and record["record_version"] == 3)


def has(part: str) -> Callable[[Document], bool]:
    return lambda record: timed(record) and bool(record.get(part) or record["timing"].get(part))


timed, gate, memory = of_kind("timing"), of_kind("parity"), of_kind("memory")


def faster(factor: int, *, cpu: bool, phase: bool, window: bool) -> Callable[[Document], object]:
    """Times of the blocks divided; CPU time, phase and the sampler's window too where said."""

    def change(record: Document) -> None:
        blocks = record["timing"]["blocks"]
        for place, block in enumerate(blocks):
            if isinstance(block, dict):  # the first version
                block["wall_ns"] //= factor
                block["cpu_ns"] //= factor if cpu else 1
            else:
                blocks[place] = [block[0], block[1] // factor, block[2] // (factor if cpu else 1), block[3]]
        for one in record["phases"]:
            if phase and "blocks" in (one[0] if isinstance(one, list) else one["name"]):
                one[1] //= factor
        if window:
            record["telemetry"]["window_ns"] //= factor

    return change


def drop(path: str) -> Callable[[Document], object]:
    def change(record: Document) -> None:
        *parents, last = path.split(".")
        for part in parents:
            record = record[part]
        record[last] = [] if isinstance(record[last], list) else None

    return change


HEX = "0123456789abcdef" * 4
LIES = {
    "blocks a thousand times faster": Lie(
        faster(1000, cpu=False, phase=False, window=False), "timing.blocks", timed
    ),
    "blocks and their CPU time faster": Lie(
        faster(1000, cpu=True, phase=False, window=False), "timing.blocks", timed
    ),
    "blocks, CPU time, phase faster": Lie(
        faster(1000, cpu=True, phase=True, window=False), "telemetry", of_version_3
    ),
    "blocks, CPU time, phase, window faster": Lie(
        faster(1000, cpu=True, phase=True, window=True), "timing.blocks", of_version_3
    ),
    "everything a third faster": Lie(faster(3, cpu=True, phase=True, window=True), "telemetry", of_version_3),
    "a negative time": Lie(
        set_at("timing.blocks.0", lambda old: [old[0], -old[1], *old[2:]]), "file", of_version_3
    ),
    "no time": Lie(set_at("timing.blocks.0", lambda old: [old[0], 0, *old[2:]]), "file", of_version_3),
    "more steps": Lie(
        set_at("timing.blocks", lambda old: [[one[0] * 100, *one[1:]] for one in old]),
        "timing.blocks",
        of_version_3,
    ),
    "twice the steps": Lie(
        set_at("timing.blocks", lambda old: [[one[0] * 2, *one[1:]] for one in old]),
        "timing.blocks",
        lambda record: of_version_3(record) and bool(record["timing"].get("observer")),
    ),
    "steps of one block": Lie(
        set_at("timing.blocks.1", lambda old: [old[0] + 1, *old[1:]]), "timing.blocks", of_version_3
    ),
    "the slow half of the blocks left out": Lie(
        set_at("timing.blocks", lambda old: sorted(old, key=lambda one: one[1])[: len(old) // 2]),
        "timing.blocks",
        of_version_3,
    ),
    "no block": Lie(set_at("timing.blocks", []), "timing.blocks", timed),
    "a date in 2099": Lie(set_at("started_utc", "2099-01-01T00:00:00Z"), "started_utc", timed),
    "a date before the project": Lie(set_at("started_utc", "2020-01-01T00:00:00Z"), "started_utc", timed),
    "a day that is not": Lie(set_at("started_utc", "2026-11-31T23:59:60Z"), "started_utc", timed),
    "the day before": Lie(set_at("started_utc", "2026-11-23T01:00:00Z"), "started_utc", timed),
    "a trial that lasts three months": Lie(set_at("duration_ns", 2**53 - 1), "duration_ns", timed),
    "a shorter trial": Lie(set_at("duration_ns", lambda old: old // 2), "phases", timed),
    "a digest of nowhere": Lie(set_at("image.config_digest", f"sha256:{HEX}"), "image.config_digest", timed),
    "another lock": Lie(set_at("image.lock_sha256", HEX), "image.lock_sha256", timed),
    "another base": Lie(set_at("image.base_sha256", HEX), "image.base_sha256", of_version_3),
    "another harness": Lie(
        set_at("provenance.harness_tree_sha256", HEX), "provenance.harness_tree_sha256", timed
    ),
    "another work": Lie(set_at("provenance.work_hash", HEX), "provenance.work_hash", timed),
    "another protocol's hash": Lie(
        set_at("provenance.protocol_hash", HEX), "provenance.protocol_hash", of_version_3
    ),
    "another gate": Lie(
        set_at("provenance.protocol_hash", HEX),
        "provenance.protocol_hash",
        lambda record: gate(record) and record["record_version"] == 3,
    ),
    "another commit": Lie(
        set_at("provenance.git_commit", "0" * 40), "provenance.git_commit", timed, refused=False
    ),
    "a dirty tree": Lie(set_at("provenance.dirty", True), "provenance.dirty", timed),
    "an invented number of FLOPs": Lie(
        set_at("timing.flops_per_step", lambda old: old * 2), "timing.flops_per_step", timed
    ),
    "more units in a step": Lie(
        set_at("timing.units_per_step", lambda old: old * 2), "timing.units_per_step", of_version_3
    ),
    "another unit": Lie(
        set_at("timing.unit", lambda old: "calls" if old != "calls" else "images"),
        "timing.unit",
        of_version_3,
    ),
    "another specification": Lie(
        set_at("workload_config_sha256", HEX), "workload_config_sha256", of_version_3
    ),
    "a weaker protocol": Lie(set_at("protocol.measure_blocks", 2), "protocol", timed),
    "a shorter warm-up": Lie(set_at("protocol.warmup_min_s", 0.0), "protocol", timed),
    "another seed": Lie(set_at("seed", 7777), "seed", timed),
    "another round": Lie(set_at("round", 99), "seed", timed),
    "a canary that failed": Lie(set_at("canaries.0.passed", False), "canaries", timed),
    "a canary that ought to have failed": Lie(
        set_at("canaries.1.observed", "3.871 ms, 0.9 times"), "canaries", timed
    ),
    "another precision of a product": Lie(
        set_at("canaries.0.observed", "2.1e-03, as bf16 gives"), "canaries", timed
    ),
    "no canaries": Lie(drop("canaries"), "canaries", timed),
    "a gate that failed": Lie(set_at("parity.passed", False), "parity.passed", gate),
    "a comparison outside its tolerance": Lie(
        set_at("parity.parts.1.worst.value", 1.0),
        "parity.parts",
        lambda record: gate(record) and record["record_version"] == 3,
    ),
    "a gate of nothing": Lie(
        set_at("parity.parts", []),
        "parity.parts",
        lambda record: gate(record) and record["record_version"] == 3,
    ),
    "no gate": Lie(drop("parity"), "outcome.status", gate),
    "the noise left out": Lie(
        drop("flags"), "flags", lambda record: of_version_3(record) and "not_steady" in record["flags"]
    ),
    "no timing": Lie(drop("timing"), "outcome.status", timed),
    "another processor": Lie(set_at("hardware.cpu_model", "Quantum 9000"), "hardware", timed),
    "more cores": Lie(set_at("hardware.cores_online", 64), "provenance.host_id", timed),
    "a version of the framework": Lie(set_at("software.framework", "9.9.9"), "software.framework", timed),
    "a version of NumPy": Lie(set_at("software.numpy", "9.9.9"), "software.numpy", timed),
    "a campaign of another host": Lie(set_at("campaign_id", "5d61400ff1d0"), "campaign_id", of_version_3),
    "a lower latency": Lie(set_at("timing.latency.p50_ns", 1), "timing.latency", has("latency")),
    "percentiles out of order": Lie(set_at("timing.latency.p90_ns", 1), "timing.latency", has("latency")),
    "no overhead of a call": Lie(
        set_at("timing.call_overhead_share", 0.0),
        "timing.call_overhead_share",
        lambda record: timed(record) and (record["timing"]["call_overhead_share"] or 0) > 1e-6,
    ),
    "no drift": Lie(
        set_at("calibration.drift", 0.0),
        "calibration.drift",
        lambda record: has("calibration")(record) and abs(record["calibration"]["drift"]) > 0.01,
    ),
    "a better score": Lie(
        lambda record: record["learning"].update(
            {key: 1.0 for key in record["learning"] if key.startswith("final")}
        ),
        "learning.final_score",
        has("learning"),
    ),
    "more memory than there is": Lie(set_at("memory.host_rss_peak", 10**15), "memory.host_rss_peak", memory),
    "another precision": Lie(
        lambda record: record["settings"]["precision"].update(compute="bfloat16"), "settings.precision", timed
    ),
    "written by the host": Lie(set_at("written_by", "host"), "written_by", timed),
    "an id of nowhere": Lie(set_at("trial_id", "z" * 26), "file", timed),
}


def plant(results: Path) -> dict[str, Path]:
    """Each lie in a record of its own below ``results``; returns where."""
    paths = [path for path in results.rglob("*.json") if not {MANIFESTS, SELFTESTS} & {*path.parts}]
    documents = {path: json.loads(path.read_text()) for path in paths}
    planted: dict[str, Path] = {}
    # spread over the hosts and cases, so that no group is mostly lies
    order = sorted(documents, key=lambda path: path.stem[::-1])
    for name, lie in LIES.items():
        path = next(one for one in order if one not in planted.values() and lie.fits(documents[one]))
        lie.change(documents[path])
        path.write_text(json.dumps(documents[path], separators=(",", ":")))  # no longer than it was
        planted[name] = path
    return planted
