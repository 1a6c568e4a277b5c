"""Was it the same work: gate, looks at the timed shape, canaries, and how the trial ended."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator

from framebench.checking.doubt import Doubt, refuse, warn
from framebench.checking.known import Known
from framebench.records.identity import gate_key
from harness import canaries, roofline
from harness.record import Canary, GatePart, Parity, ParityDiff, Record

ROUNDED = 0.95
CANARIES = {"precision", "sync", "threads"}
FASTEST_CLOCK_HZ = 1e10  # of any core: what the least time of a product on a CPU may be made of
CUT_SHORT = {"crashed", "oom", "timeout", "interrupted"}
NUMBER = r"([0-9]+(?:\.[0-9]+)?(?:e[+-]?[0-9]+)?)"
# As harness/gate/tolerances.py and reference.py have them, which need PyTorch.
STEPS = 3
TOO_WIDE = {"fp32": 1e-2, "tf32": 0.1, "bf16": 0.5}
# Of losses, which are compared absolutely: up to 0.031 in fp32, of 132 gates.
TOO_WIDE_FOR_A_LOSS = 10.0
COMPUTING, TRAINING = ("data", "logic", "precision", "shape"), ("optimizer", "state")
PARTS = {
    "load": ("shape",),
    "train": ("data", "logic", *TRAINING, "precision", *TRAINING, "shape"),
}
# What a stack may leave out: one that computes nothing in float64, a shape that nobody computed in it.
MAY_BE_SKIPPED = {"logic", "shape"}


def doubts(record: Record, known: Known) -> Iterator[Doubt]:
    """Whether the outcome follows from what the trial found."""
    yield from _ending(record)
    yield from _canaries(record)
    for field, part in (("shape_before", record.shape_before), ("shape_after", record.shape_after)):
        if part is not None:
            yield from _part(field, part, record)
            if part.failed and record.outcome.status == "ok":
                yield refuse(field, "comparisons failed, and the trial ended ok")
    if record.parity is not None:
        yield from _gate(record)
    looks = record.shape_before, record.shape_after
    if record.kind == "timing" and record.outcome.status == "ok" and record.provenance.protocol_hash:
        for field, part in zip(("shape_before", "shape_after"), looks, strict=True):
            if part is None or (part.name != "shape" or (not part.checks and part.skipped is None)):
                yield refuse(field, "a timed trial looks at its shape before and after")
    if record.kind == "timing" and record.outcome.status == "ok":
        gates = known.gates.get(gate_key(record), [])
        if not gates:
            yield warn(
                "kind", "no trial of the gate belongs to this time", "add the parity trial of the campaign"
            )
        elif not any(gate.parity is not None and gate.parity.passed for gate in gates):
            yield warn("kind", "its gate did not pass", "nothing: it is shown, and not ranked")


def _ending(record: Record) -> Iterator[Doubt]:
    outcome, ok = record.outcome, record.outcome.status == "ok"
    part = {
        "parity": record.parity,
        "timing": record.timing,
        "memory": record.memory,
        "ceiling": record.ceiling,
    }.get(record.kind, record.phases)
    if ok and not part:
        yield refuse("outcome.status", f"a {record.kind} trial that ended ok without its figures")
    if ok and (outcome.exit_code or outcome.signal or outcome.reason):
        yield refuse("outcome", "ended ok, and says why it did not")
    if not ok and not outcome.reason:
        yield refuse("outcome.reason", f"{outcome.status} without a reason")
    whole = [
        name
        for name, figures in (
            ("timing", record.timing),
            ("memory", record.memory),
            ("ceiling", record.ceiling),
            ("parity", record.parity if record.parity and record.parity.passed else None),
        )
        if figures is not None
    ]
    if whole and (record.written_by == "host" or outcome.status == "unsupported"):
        yield refuse("outcome.status", f"{outcome.status}, and there is its {whole[0]}")
    elif whole and outcome.status in CUT_SHORT:
        yield warn(
            "outcome.status",
            f"{outcome.status}, after all of its {whole[0]} was there",
            "see what came after the clock",
        )
    if ok and record.written_by == "host":
        yield refuse("written_by", "the host writes only what the harness could not")
    if record.timing is not None and record.kind != "timing":
        yield refuse("timing", f"a {record.kind} trial has no clock")
    if ok and record.kind != "parity" and (record.software is None or record.settings is None):
        yield refuse("software", "a trial that ended well knows its versions and settings")


def _canaries(record: Record) -> Iterator[Doubt]:
    if record.outcome.status != "ok":
        return
    for canary in record.canaries:
        if canary.passed is False:
            yield refuse("canaries", f"{canary.name} failed ({canary.observed}), and the trial ended ok")
        elif not _seen(canary, record):
            yield refuse(
                "canaries",
                f"{canary.name} passed, expected {canary.expected[:100]}, observed {canary.observed[:100]}",
            )
    names = [canary.name for canary in record.canaries]
    missing = CANARIES - set(names)
    if record.kind in ("timing", "ceiling") and missing:
        yield refuse("canaries", f"{', '.join(sorted(missing))} did not look before the clock")
    if len(set(names)) < len(names):
        yield refuse("canaries", "one is there twice")


def _seen(canary: Canary, record: Record) -> bool:
    """Whether this canary asks in this case for what it expected, and whether what it observed is that. Its figures
    are rounded to two digits."""
    look = {"precision": _precise, "sync": _waited, "threads": _parallel}.get(canary.name)
    return look is not None and look(canary, record)


def _precise(canary: Canary, record: Record) -> bool:
    declared = record.case.precision
    asked = re.fullmatch(
        rf"{declared}: relative error of a product (?:from {NUMBER} to|<=) {NUMBER}", canary.expected
    )
    error = re.match(rf"{NUMBER}(?:$|, as )", canary.observed)
    if asked is None or error is None:
        return False
    low, high = canaries.SIGNATURES[declared]
    bounds = float(asked[1] or 0.0), float(asked[2])
    rounded = math.isclose(bounds[0], low, rel_tol=0.5) and math.isclose(bounds[1], high, rel_tol=0.5)
    return rounded and low * ROUNDED <= float(error[1]) <= high / ROUNDED


def _waited(canary: Canary, record: Record) -> bool:
    case = record.case
    _, middle, large = canaries.SIZES[case.device]
    asked = re.fullmatch(
        rf"a {large} product takes >= {NUMBER} ms and >= {canaries.SCALING:g} times a {middle} one",
        canary.expected,
    )
    took = re.fullmatch(rf"{NUMBER} ms, {NUMBER} times", canary.observed)
    if asked is None or took is None:
        return False
    cores = max(case.cores, record.hardware.cores_allowed if record.hardware else 0)
    most = cores * canaries.FLOPS_PER_CYCLE * canaries.TILES[case.precision] * FASTEST_CLOCK_HZ
    if case.device == "gpu":
        most = case.device_count * canaries.HEADROOM * roofline.fastest()
    least = max(float(asked[1]), 2e3 * large**3 / most)
    return float(took[1]) >= ROUNDED * least and float(took[2]) >= ROUNDED * canaries.SCALING


def _parallel(canary: Canary, record: Record) -> bool:
    """Null where the kernel counts no waiting."""
    case = record.case
    asked = re.fullmatch(
        rf"(?:every team )?read back (\d{{1,6}}); between {NUMBER} and (\d{{1,6}}) threads that want to run",
        canary.expected,
    )
    if canary.passed is None:
        return asked is not None
    told = re.fullmatch(rf"read back ([a-z_0-9, ]+); {NUMBER} threads", canary.observed)
    if asked is None or told is None:
        return False
    cores = int(asked[1])
    least = 0.0 if cores == 1 or case.device == "gpu" else canaries.PARALLEL
    right = 1 <= cores <= case.cores and float(asked[2]) == least and int(asked[3]) == cores + 2
    teams = {int(count) for count in re.findall(r"(\d{1,6})(?:,|$)", told[1])}
    return right and teams <= {cores} and least * ROUNDED <= float(told[2]) <= (cores + 2) / ROUNDED


def _gate(record: Record) -> Iterator[Doubt]:
    parity = record.parity
    assert parity is not None
    for part in parity.parts:
        yield from _part(f"parity.parts.{part.name}", part, record)
    for one in parity.diffs:
        yield from compared("parity.diffs", one, record)
    if record.provenance.protocol_hash and parity.passed:
        yield from _whole([part.name for part in parity.parts], parity, record)
    failed = any(part.failed for part in parity.parts) or any(not one.passed for one in parity.diffs)
    if parity.passed == failed:
        yield refuse("parity.passed", f"{str(parity.passed).lower()}, its comparisons say otherwise")
    steps = STEPS if record.case.task == "train" else 1
    if record.provenance.protocol_hash and parity.steps != steps:
        yield refuse("parity.steps", f"{parity.steps}, the gate takes {steps}")
    if not sum(part.checks for part in parity.parts):
        yield refuse("parity.parts", "nothing was compared")
    if parity.passed != (record.outcome.status == "ok") and record.outcome.status in ("ok", "not_comparable"):
        yield refuse("outcome.status", f"{record.outcome.status}, the gate says otherwise")


def _whole(names: list[str], parity: Parity, record: Record) -> Iterator[Doubt]:
    """Each part took place. The plain form's first loss is a part of the logic that some workloads have more."""
    wanted = list(PARTS.get(record.case.task, COMPUTING))
    devices = ["state"] if record.case.device_count > 1 else []  # are alike to the last bit
    if names not in ([*wanted, *devices], [*wanted, "logic", *devices]):
        yield refuse("parity.parts", f"{', '.join(names)}; the gate asks for {', '.join(wanted)}")
    for part in parity.parts:
        if part.skipped is not None and (part.name not in MAY_BE_SKIPPED or part.checks):
            yield refuse(f"parity.parts.{part.name}", f"is never skipped ({part.skipped[:80]})")
        if part.skipped is None and not part.checks:
            yield refuse(f"parity.parts.{part.name}", "nothing was compared")


def _part(field: str, part: GatePart, record: Record) -> Iterator[Doubt]:
    if part.failed > part.checks:
        yield refuse(field, f"{part.failed} of {part.checks} comparisons failed")
    if (part.worst is None) != (part.checks == 0):
        yield refuse(field, f"{part.checks} comparisons, of which one is the worst")
    if part.worst is not None:
        yield from compared(field, part.worst, record, part.name)
        if part.worst.passed == bool(part.failed):
            yield refuse(field, f"{part.failed} failed, and the worst comparison says otherwise")


def compared(field: str, diff: ParityDiff, record: Record, part: str = "") -> Iterator[Doubt]:
    """Whether it passed, and whether its tolerance is one that the gate would check anything by."""
    within = diff.value is not None and diff.value <= diff.tolerance
    if diff.passed != within:
        yield refuse(
            field, f"{diff.what}: {diff.value} at a tolerance of {diff.tolerance}, passed is {diff.passed}"
        )
    widest = TOO_WIDE[record.case.precision]
    if diff.metric == "abs":
        widest *= TOO_WIDE_FOR_A_LOSS
    elif part in ("", "optimizer"):  # a rule of one step is held to the length of that step
        widest = max(widest, 1.0)
    if diff.tolerance > widest:
        yield refuse(field, f"{diff.what}: a tolerance of {diff.tolerance:g} checks nothing")
