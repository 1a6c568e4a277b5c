"""``framebench prove``: every contender through the gate in every workload, and every fault planted; stored.

What is stored for this very work, gate and packages is not done again, so a stop costs one case, and a change of one
framework's file proves only what it touches.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from queue import SimpleQueue
from typing import Any, NamedTuple, get_args

import msgspec
from msgspec.structs import replace
from rich.console import Console

from framebench.commands import unwritten
from framebench.commands.gate import refuse_broken, stored_batch
from framebench.commands.saying import Sayer
from framebench.errors import UserError
from framebench.executors.alone import alone
from framebench.executors.proving_process import ProvingProcess, cores
from framebench.executors.venv import VenvExecutor
from framebench.images import ImageRow, load_matrix, lock_sha256
from framebench.records.proofs import Proof, cell_name, proof_key, read_proofs, write_proofs
from harness import frameworks, workloads
from harness.frameworks import StackInfo
from harness.frameworks.exported import is_exported
from harness.record import Case, Contender, Precision, Task

TIMEOUT_S = 1800.0  # of one question: a catalogue is some forty gates
PUBLISHED = "cpu"  # the preset that campaigns measure without a GPU
Process = tuple[Contender, Precision]


class Cell(NamedTuple):
    """One contender in one case; ``faults``: whether they are planted too; ``key``: what its proof is stored under."""

    case: Case
    contender: Contender
    faults: bool
    key: str

    @property
    def name(self) -> str:
        return cell_name(self.case, self.contender)


def run(root: Path, names: Sequence[str], stacks: Sequence[str], console: Console) -> int:
    """Exit code 0 if every cell asked for is proven, 1 if a gate refused one, a fault survived or a process died.

    Two of a clone wait for each other: they would do the same, and write into the same files.
    """
    say = Sayer(console)
    rows = {
        stack: row
        for stack, row in load_matrix(root).for_device("cpu").items()
        if stack != frameworks.SELF_TEST and not is_exported(frameworks.info(stack))
    }
    chosen = _known("stack", stacks, rows)
    asked = _known("workload", names, workloads.names())
    for name in asked:
        refuse_broken(name)
        for stack in chosen:
            unwritten.refuse(name, stack)
    cells = list(_cells(root, asked, {name: rows[name] for name in chosen}))
    if not cells:
        raise UserError(
            f"nothing to prove: no file of {' or '.join(asked)} is for {' or '.join(chosen)}; name another stack"
        )
    place = root / "build" / "cache" / "proving.lock"
    place.parent.mkdir(parents=True, exist_ok=True)
    with alone(root, say, place, "this clone is proving"):
        for name in (
            asked if not frameworks.broken() else ()
        ):  # a folder that is broken now has rows again tomorrow
            _forget(root, name, rows)
        return _prove_what_is_left(root, cells, rows, say)


def _prove_what_is_left(root: Path, cells: Sequence[Cell], rows: Mapping[str, ImageRow], say: Sayer) -> int:
    waiting = _waiting(root, cells)
    say(f"{len(cells)} cells, {len(cells) - sum(map(len, waiting.values()))} of them proven already")
    executor = VenvExecutor(root)
    for stack in sorted({contender.stack for contender, _ in waiting}):
        executor.prepare_row(rows[stack], say)
    ledger = Ledger(root, say, sum(map(len, waiting.values())))
    free: SimpleQueue[int] = SimpleQueue()
    for core in cores():
        free.put(core)
    running: set[ProvingProcess] = set()
    stopped = threading.Event()

    def prove_all(one: Process) -> None:
        contender, precision = one
        core = free.get()
        python = executor.interpreter(rows[contender.stack].name)
        process = ProvingProcess(root, python, contender, precision, core)
        running.add(process)
        try:
            for cell in waiting[one]:
                started = time.monotonic()
                proof, words = prove(process, cell)
                if stopped.is_set():  # what was cut short says nothing
                    return
                ledger.enter(cell, proof, words, time.monotonic() - started)
        finally:
            process.stop()
            running.discard(process)
            free.put(core)

    with ThreadPoolExecutor(len(cores())) as pool:
        try:
            for done in [pool.submit(prove_all, one) for one in waiting]:
                done.result()
        except BaseException:  # Ctrl-C: the same command carries on
            stopped.set()
            pool.shutdown(wait=False, cancel_futures=True)
            for process in list(running):
                process.stop()
            raise
    say(f"{len(cells) - ledger.refused} of {len(cells)} cells proven")
    return 1 if ledger.refused else 0


def _known(what: str, wanted: Sequence[str], known: Sequence[str] | Mapping[str, Any]) -> list[str]:
    """Those that were asked for, or all; an unknown name is refused with the known ones."""
    if unknown := [name for name in wanted if name not in known]:
        raise UserError(f"there is no {what} {unknown[0]!r} to prove; known are {', '.join(sorted(known))}")
    return [name for name in known if not wanted or name in wanted]


def _cells(root: Path, names: Sequence[str], rows: Mapping[str, ImageRow]) -> Iterator[Cell]:
    """Every contender in its cases, with the key of today."""
    locks = {stack: lock_sha256(root, row) for stack, row in rows.items()}
    for case, contender, faults in _asked(names, rows):
        yield Cell(case, contender, faults, proof_key(root, case, contender, locks[contender.stack]))


def _asked(names: Sequence[str], stacks: Iterable[str]) -> Iterator[tuple[Case, Contender, bool]]:
    """Every contender in the small presets; each stack's plainest at the published size too, and with the faults."""
    for stack in stacks:
        info = frameworks.info(stack)
        for contender in [
            Contender(stack=stack, mode=m, variant=v) for m, vs in info.modes.items() for v in vs
        ]:
            for name in names:
                if not workloads.has_file(name, info.framework):
                    continue
                for case in _cases(name, contender == plainest(info)):
                    faults = (
                        contender == plainest(info) and case.precision == "fp32" and case.preset != PUBLISHED
                    )
                    yield case, contender, faults


def _cases(name: str, published: bool) -> Iterator[Case]:
    """A workload's small presets and, if ``published``, the published one; at the batch that has a reference."""
    spec = workloads.get(name)
    for precision in get_args(Precision):
        if precision not in spec.precisions or precision == "tf32":  # no CPU has it
            continue
        for preset in [*spec.small, *([PUBLISHED] if published and PUBLISHED in spec.presets else [])]:
            for task in spec.tasks:
                yield case_of(name, preset, task, precision)


def case_of(name: str, preset: str, task: Task, precision: Precision) -> Case:
    """At the batch that has a stored reference."""
    sizes = workloads.get(name).gate.sizes
    batch = stored_batch(name, preset, task) or (sizes[preset].batch if preset in sizes else 1)
    return Case(workload=name, preset=preset, task=task, batch=batch, precision=precision, cores=1)


def is_proven(root: Path, case: Case, contender: Contender) -> bool:
    """Whether it is stored that this contender does this work, by this gate, with the packages of its default image."""
    row = load_matrix(root).for_device("cpu")[contender.stack]
    proof = read_proofs(root, case.workload).get(cell_name(case, contender))
    return proof is not None and proof.key == proof_key(root, case, contender, lock_sha256(root, row))


def plainest(info: StackInfo) -> Contender:
    """A stack's plainest contender; JAX's compiled, which op by op takes four times as long in a detector's gate."""
    if "jax" in (info.framework, info.backend):
        return Contender(stack=info.name, mode="compiled", variant=info.modes["compiled"][0])
    return Contender(stack=info.name, mode=info.plainest[0], variant=info.plainest[1])


def _forget(root: Path, workload: str, stacks: Iterable[str]) -> None:
    """Cells that nobody asks for any more go: a contender, preset or batch that is no longer there."""
    asked = {cell_name(case, contender) for case, contender, _ in _asked([workload], stacks)}
    stored = read_proofs(root, workload)
    if stored.keys() - asked:
        write_proofs(root, workload, {name: proof for name, proof in stored.items() if name in asked})


def _waiting(root: Path, cells: Sequence[Cell]) -> dict[Process, list[Cell]]:
    """What is not proven for this very key, by the process that can be asked."""
    stored = {name: read_proofs(root, name) for name in {cell.case.workload for cell in cells}}
    waiting: dict[Process, list[Cell]] = defaultdict(list)
    for cell in cells:
        proof = stored[cell.case.workload].get(cell.name)
        if proof is None or proof.key != cell.key:
            waiting[cell.contender, cell.case.precision].append(cell)
    return waiting


def prove(process: ProvingProcess, cell: Cell) -> tuple[Proof | None, str]:
    """The proof and how it went in words; null where there is none."""
    case = msgspec.to_builtins(cell.case)
    proof = Proof(contender=cell.contender, key=cell.key, day=datetime.now(UTC).date().isoformat())
    gate = process.ask({"gate": case}, TIMEOUT_S)
    if reason := gate.get("unsupported"):
        return replace(proof, unsupported=reason), f"unsupported: {reason}"
    if words := gate.get("died") or gate.get("missing"):
        return None, words
    if gate["failed"]:
        return None, f"refused: {gate['failed'][0]}" + _more(gate["failed"])
    proof = replace(proof, compared=sum(gate["parts"].values()))
    if not cell.faults:
        return proof, f"passed, {proof.compared} compared"
    faults = process.ask({"faults": case}, TIMEOUT_S)
    if words := faults.get("died") or faults.get("unsupported"):
        return None, words
    if survived := faults["survived"]:
        return None, f"SURVIVED: {survived[0]}" + _more(survived)
    proof = replace(proof, caught=_turned(faults["caught"]), unseen=_turned(faults["unseen"]))
    unseen = f", {proof.faults_unseen} cannot be seen" if proof.unseen else ""
    return proof, f"passed, {proof.compared} compared, {proof.faults_caught} faults caught{unseen}"


def _more(found: Sequence[str]) -> str:
    return f", and {len(found) - 1} more" if len(found) > 1 else ""


def _turned(found: Mapping[str, str]) -> dict[str, list[str]]:
    """``{fault: why}`` as ``{why: faults}``."""
    turned: dict[str, list[str]] = defaultdict(list)
    for fault, why in found.items():
        turned[why].append(fault)
    return dict(turned)


class Ledger:
    """Stores each proof as soon as it is there, from several threads, and says how each cell ended."""

    def __init__(self, root: Path, say: Sayer, wanted: int) -> None:
        self._root, self._say, self._wanted = root, say, wanted
        self._lock = threading.Lock()
        self._entered = self.refused = 0

    def enter(self, cell: Cell, proof: Proof | None, words: str, seconds: float) -> None:
        """``proof`` is null where there is none, and what was stored of the cell goes."""
        workload = cell.case.workload
        with self._lock:
            self._entered += 1
            self.refused += proof is None
            others = {
                name: one for name, one in read_proofs(self._root, workload).items() if name != cell.name
            }
            proofs = others if proof is None else others | {cell.name: proof}
            write_proofs(self._root, workload, proofs)
            self._say(f"{self._entered:>4}/{self._wanted} {workload} {cell.name}: {words} ({seconds:.0f} s)")
