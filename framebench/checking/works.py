"""Which work: FLOPs, units, config and hashes as the record's own commit has them, and no faster than its machine."""

from __future__ import annotations

from collections.abc import Iterator

from framebench.checking.doubt import Doubt, refuse, warn
from framebench.checking.history import Question
from framebench.checking.known import Known
from framebench.records.step_time import step_ns
from harness import canaries, roofline
from harness.record import Ceiling, Record

# Fewer products than a formula counts: Winograd's 3 × 3 convolutions do with 2.25 to 4 times less. Two fused
# multiply-add units of 32 lanes at 6.5 GHz are more than any core has.
FEWER_PRODUCTS = 4.0
FLOPS_PER_CORE = 128 * 6.5e9
COPIED_MOST = {"cpu": 1e13, "gpu": 1e14}  # bytes/s: ten times what the fastest memory of 2026 does


def question(record: Record) -> Question:
    """What the record's commit is asked."""
    case = record.case
    return Question(
        record.contender.stack, case.workload, case.preset, case.task, case.batch, case.device_count
    )


def doubts(record: Record, known: Known) -> Iterator[Doubt]:
    """Which work it was, and whether the machine can have done it in that time."""
    yield from _as_committed(record, known)
    if record.ceiling is not None:
        yield from _ceiling(record, record.ceiling)
    timing, step = record.timing, step_ns(record)
    if timing is None or step is None:
        return
    if (timing.flops_causal_per_step or 0) > timing.flops_per_step:
        yield refuse("timing.flops_causal_per_step", "more work with a mask than without")
    rate = timing.flops_per_step / step * 1e9
    ceiling = known.ceilings.get((record.provenance.host_id, record.case.precision, record.case.cores))
    most = FEWER_PRODUCTS * FLOPS_PER_CORE * canaries.TILES[record.case.precision] * record.case.cores
    if ceiling is not None and rate > FEWER_PRODUCTS * ceiling:
        yield refuse(
            "timing.blocks",
            f"{rate / 1e9:,.0f} GFLOP/s, this host's best product is {ceiling / 1e9:,.0f} GFLOP/s",
        )
    elif record.case.device == "cpu" and rate > most:
        yield refuse(
            "timing.blocks", f"{rate / 1e9:,.0f} GFLOP/s on {record.case.cores} cores: no such machine"
        )


def _ceiling(record: Record, ceiling: Ceiling) -> Iterator[Doubt]:
    """What holds for others must be possible itself."""
    case = record.case
    for precision, rate in ceiling.matmul_flops_per_s.items():
        if case.device == "gpu":
            most = canaries.HEADROOM * roofline.fastest()
        else:
            cores = max(case.cores, record.hardware.cores_allowed if record.hardware else 0)
            most = cores * FLOPS_PER_CORE * canaries.TILES.get(precision, 0)
        if rate > most:
            yield refuse(
                f"ceiling.matmul_flops_per_s.{precision[:20]}",
                f"{rate:.3g} FLOP/s, no such machine does more than {most:.3g}",
            )
    copied = ceiling.copy_bytes_per_s
    if copied is not None and copied > COPIED_MOST[case.device]:
        yield refuse("ceiling.copy_bytes_per_s", f"{copied:.3g} bytes/s: no such machine")


def _as_committed(record: Record, known: Known) -> Iterator[Doubt]:
    provenance, timing = record.provenance, record.timing
    commit = provenance.git_commit
    if commit is None or provenance.dirty is not False or not known.history.known(commit):
        return
    if not known.history.asked(commit, question(record)):
        yield warn(
            "provenance.work_hash",
            f"commit {commit[:8]} did not say which work that is",
            "look at what `framebench check` says in a checkout of that commit",
        )
        return
    told = known.history.answer(commit, question(record))
    if record.workload_config_sha256 is None and record.kind != "ceiling" and record.outcome.status == "ok":
        yield refuse("workload_config_sha256", "a trial that ended well knows its configuration")
    wanted = [
        ("provenance.work_hash", provenance.work_hash, told.work_hash),
        ("workload_config_sha256", record.workload_config_sha256, told.config_sha256),
    ]
    if record.kind == "parity" and provenance.protocol_hash:
        wanted.append(("provenance.protocol_hash", provenance.protocol_hash, told.gate_hash))
    for field, said, committed in wanted:
        if None not in (said, committed) and said != committed:
            yield refuse(field, f"{said}, the code of commit {commit[:8]} says {committed}")
    if timing is None:
        return
    if told.flops is None:
        yield warn(
            "timing.flops_per_step",
            f"commit {commit[:8]} does not say what a step of {record.case.path} takes",
            "see whether that commit has this workload, preset and task",
        )
    # the first commits counted samples, and their code does not say it
    units = record.case.batch if told.units is None and timing.unit == "samples" else told.units
    for field, number, expected in (
        ("timing.flops_per_step", timing.flops_per_step, told.flops),
        ("timing.units_per_step", timing.units_per_step, units),
        ("timing.unit", timing.unit, told.unit),
    ):
        if expected is not None and number != expected:
            yield refuse(field, f"{number}, the code of commit {commit[:8]} says {expected}")
