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
        record[last] = [] if isinstance(record.get(last), list) else None

    return change


def more_steps(factor: int) -> Callable[[Document], object]:
    """Every step of a block counted ``factor`` times, in the blocks and in the observer's."""

    def change(record: Document) -> None:
        timing = record["timing"]
        for blocks in (timing["blocks"], timing["observer"]["on"], timing["observer"]["off"]):
            blocks[:] = [[one[0] * factor, *one[1:]] for one in blocks]

    return change


def flagged(code: str, *, there: bool) -> Callable[[Document], bool]:
    return lambda record: (
        of_version_3(record) and has("observer")(record) and (code in record["flags"]) == there
    )


def long_step(record: Document) -> bool:
    blocks = record["timing"]["blocks"] if has("observer")(record) else []
    return bool(blocks) and blocks[0][1] / blocks[0][0] > 30e6


def without(phase: str) -> Callable[[Document], object]:
    return lambda record: record.update(phases=[one for one in record["phases"] if one[0] != phase])


def new_gate(record: Document) -> bool:
    return gate(record) and record["record_version"] == 3 and record["case"]["task"] == "train"


cold, ceiling = of_kind("cold-start"), of_kind("ceiling")


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
    "steps counted four times, blocks' and observer's": Lie(
        more_steps(4), "timing.blocks", long_step, refused=False
    ),
    "steps counted nine times, the warm-up's too": Lie(
        lambda record: (
            more_steps(9)(record),
            record["timing"]["warmup"].update(
                steps_per_block=record["timing"]["warmup"]["steps_per_block"] * 9
            ),
        ),
        "timing.warmup.steps_per_block",
        lambda record: (
            long_step(record)
            and record["timing"]["warmup"]["wall_ns"] > 2e8 * record["timing"]["warmup"]["blocks"]
        ),
        refused=False,
    ),
    "fast and slow blocks in turn": Lie(
        lambda record: record["timing"].update(
            blocks=[
                [one[0], one[1] * (7 if place % 2 else 1), *one[2:]]
                for place, one in enumerate(record["timing"]["blocks"])
            ]
        ),
        "timing.blocks",
        has("observer"),
    ),
    "no hash of its protocol": Lie(
        set_at("provenance.protocol_hash", ""), "provenance.protocol_hash", has("observer")
    ),
    "a date that nothing can be added to": Lie(
        set_at("started_utc", "9999-12-31T23:59:59Z"), "started_utc", of_version_3
    ),
    "a date that nothing can be taken from": Lie(
        set_at("started_utc", "0001-01-01T00:00:00Z"), "started_utc", of_version_3
    ),
    "a canary with a number of a thousand digits": Lie(
        set_at("canaries.2.observed", f"read back {'9' * 900}; 1.50 threads"), "canaries", of_version_3
    ),
    "a counter that goes back": Lie(
        set_at("telemetry.metrics.cpu_time.delta", -1e18), "telemetry.metrics.cpu_time", of_version_3
    ),
    "a busier host": Lie(
        set_at("telemetry.metrics.host_busy.delta", lambda old: 3 * old + 5e10),
        "telemetry.metrics.host_busy.delta",
        of_version_3,
    ),
    "stolen time that nobody stole": Lie(
        set_at("telemetry.metrics.steal.delta", lambda old: old + 2e10),
        "telemetry.metrics.steal.delta",
        has("observer"),
    ),
    "no samples of the sampler": Lie(
        drop("sidecar"), "sidecar", lambda record: of_version_3(record) and record["case"]["task"] == "train"
    ),
    "an eighth of the memory": Lie(
        lambda record: record["memory"].update(
            host_rss_peak=record["memory"]["host_rss_peak"] // 8, host_rss_after_import=30_000_000
        ),
        "memory.host_rss_peak",
        lambda record: memory(record) and record["record_version"] == 3,
        refused=False,
    ),
    "more steps of the gate": Lie(set_at("parity.steps", 30), "parity.steps", new_gate),
    "blocks after the end of the window": Lie(
        lambda record: record["timing"]["blocks"].extend([list(record["timing"]["blocks"][-1])] * 40),
        "timing.blocks",
        has("observer"),
    ),
    "a warm-up of more blocks than its time holds": Lie(
        set_at("timing.warmup.blocks", 5000), "timing.warmup.blocks", has("observer")
    ),
    "a warm-up that was steady at once": Lie(
        lambda record: record["timing"]["warmup"].update(
            blocks=3, steady=True, reason="1 agreement(s) of two windows of 20 blocks"
        ),
        "timing.warmup",
        has("observer"),
    ),
    "a warm-up that gave up at once": Lie(
        lambda record: record["timing"]["warmup"].update(blocks=3, wall_ns=10**9, steady=False),
        "timing.warmup",
        has("observer"),
    ),
    "another reason of a warm-up": Lie(
        set_at("timing.warmup.reason", "it looked well"),
        "timing.warmup.reason",
        lambda record: has("observer")(record) and record["timing"]["warmup"]["steady"],
    ),
    "a block fewer for the observer": Lie(
        set_at("timing.observer.off", lambda old: old[:1]), "timing.observer", has("observer")
    ),
    "no latencies": Lie(drop("timing.latency"), "timing.latency", has("latency")),
    "a shorter curve": Lie(
        lambda record: record["learning"].update(
            curve=(curve := record["learning"]["curve"][:3]), final_score=curve[-1][2]
        ),
        "learning.curve",
        has("learning"),
    ),
    "blocks that were steady after all": Lie(
        lambda record: record.update(
            flags=[flag for flag in record["flags"] if flag != "slowdown"],
            timing=record["timing"] | {"steady_class": "steady"},
        ),
        "timing.steady_class",
        flagged("slowdown", there=True),
    ),
    "a drift that was not": Lie(
        set_at("flags", lambda old: [*old, "machine_drifted"]),
        "flags",
        flagged("machine_drifted", there=False),
    ),
    "an invented flag": Lie(set_at("flags", lambda old: [*old, "cheating"]), "flags", of_version_3),
    "no core online": Lie(
        lambda record: (record["hardware"].update(cores_online=None), record.update(flags=[])),
        "flags",
        flagged("machine_drifted", there=True),
    ),
    "a flag of the sampler": Lie(set_at("flags", lambda old: [*old, "no_telemetry"]), "flags", of_version_3),
    "a barrier longer than a block": Lie(
        set_at("timing.barrier_ns", 10**12), "timing.barrier_ns", of_version_3
    ),
    "a barrier that is not free": Lie(
        set_at("timing.barrier_ns", lambda old: 10**7), "flags", has("observer")
    ),
    "a wider precision canary": Lie(
        set_at("canaries.0.expected", "fp32: relative error of a product from 0e+00 to 1e-02"),
        "canaries",
        of_version_3,
    ),
    "a canary's own words": Lie(set_at("canaries.1.observed", "fine"), "canaries", of_version_3),
    "a product that need not take any time": Lie(
        lambda record: record["canaries"][1].update(
            expected="a 1536 product takes >= 0.000 ms and >= 2 times a 768 one",
            observed="0.001 ms, 9.0 times",
        ),
        "canaries",
        of_version_3,
    ),
    "threads that do not want to run": Lie(
        set_at("canaries.2.observed", "read back openblas 64; 2.00 threads"), "canaries", of_version_3
    ),
    "a canary of nobody": Lie(
        set_at("canaries", lambda old: [*old, old[0] | {"name": "honesty"}]), "canaries", of_version_3
    ),
    "no look at the shape afterwards": Lie(drop("shape_after"), "shape_after", of_version_3),
    "a shape that was skipped": Lie(
        set_at("shape_before", {"name": "shape", "checks": 0, "failed": 0, "skipped": "no time"}),
        "flags",
        of_version_3,
    ),
    "a part of the gate left out": Lie(
        set_at("parity.parts", lambda old: old[:-1]), "parity.parts", new_gate
    ),
    "a part of the gate skipped": Lie(
        set_at("parity.parts.2", {"name": "optimizer", "checks": 0, "failed": 0, "skipped": "not needed"}),
        "parity.parts",
        new_gate,
    ),
    "a tolerance that checks nothing": Lie(
        set_at("parity.parts.4.worst", lambda old: old | {"value": 40.0, "tolerance": 50.0}),
        "parity.parts",
        new_gate,
    ),
    "another worst comparison": Lie(
        set_at("parity.parts.4.worst", lambda old: old | {"value": 0.0}), "parity.parts.precision", new_gate
    ),
    "no sidecar of a gate": Lie(drop("sidecar"), "sidecar", new_gate),
    "no sidecar of latencies": Lie(drop("sidecar"), "sidecar", has("latency")),
    "a ceiling that no machine has": Lie(
        lambda record: record["ceiling"]["matmul_flops_per_s"].update(fp32=1e20),
        "ceiling.matmul_flops_per_s",
        ceiling,
    ),
    "a copy faster than light": Lie(
        set_at("ceiling.copy_bytes_per_s", 1e18), "ceiling.copy_bytes_per_s", ceiling
    ),
    "no memory at all": Lie(
        lambda record: record["memory"].update(host_rss_peak=1, host_rss_after_import=1), "memory", memory
    ),
    "memory that is null for no reason": Lie(
        lambda record: record["memory"].update(host_rss_peak=None), "memory.host_rss_peak", memory
    ),
    "a cold start without its first step": Lie(
        without("first_step"), "phases", lambda record: cold(record) and record["record_version"] == 3
    ),
    "teams of threads of another machine": Lie(
        lambda record: record["settings"]["threads"].update(omp=64), "settings.threads.omp", of_version_3
    ),
    "another device": Lie(set_at("settings.device", "cuda:0"), "settings.device", of_version_3),
    "nothing was installed": Lie(set_at("software.packages", {}), "software.packages", of_version_3),
    "no framework": Lie(drop("software.framework"), "software.framework", of_version_3),
    "an address of no image": Lie(
        set_at("image", lambda old: old | {"repo_digest": "somewhere"}), "image.repo_digest", of_version_3
    ),
    "an engine without a name": Lie(set_at("engine", " "), "engine", of_version_3),
    "a name written backwards": Lie(set_at("hardware.kernel", "6.1\u202e9.6"), "hardware.kernel", timed),
    "unsupported with all of its figures": Lie(
        set_at("outcome", {"status": "unsupported", "reason": "no such kernel"}),
        "outcome.status",
        of_version_3,
    ),
    "crashed behind the finish": Lie(
        set_at("outcome", {"status": "crashed", "reason": "exit code 1", "exit_code": 1}),
        "outcome.status",
        of_version_3,
        refused=False,
    ),
    "of no commit, and clean": Lie(drop("provenance.git_commit"), "provenance.dirty", of_version_3),
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
