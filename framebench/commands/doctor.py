"""``framebench doctor``: what this machine can and cannot measure, and why, in words."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from rich.console import Console

from framebench import dataset
from framebench.errors import UserError
from framebench.executors import Executor, StackOn, capabilities, cards, gpu, machine
from framebench.executors.capabilities import Capability
from framebench.executors.docker import DockerExecutor
from framebench.executors.machine import Machine
from framebench.executors.only_linux import require_linux
from framebench.executors.process import compiler_version
from framebench.executors.venv import VenvExecutor, find_interpreter
from framebench.images import load_matrix
from framebench.images.make import engine
from framebench.records import git_refusals, provenance, store
from framebench.records.selftest_document import SelfTest
from harness.record import Hardware

WORDS = {
    "run_queue_wait": "how long threads wait for a core",
    "on_cpu": "how long threads run",
    "psi_cpu_some": "pressure on the processor (PSI)",
    "steal": "time stolen by other virtual machines",
    "cgroup_throttled": "throttling by a CPU quota",
    "rapl_energy": "energy of the processor package (RAPL)",
    "involuntary_switches": "switches forced by the scheduler",
    "voluntary_switches": "switches by waiting",
    "minor_faults": "minor page faults",
    "major_faults": "major page faults",
    "rss_peak": "peak of resident memory",
    "rss": "resident memory",
    "cpu_time": "CPU time",
    "host_busy": "CPU time of everybody together",
}


class Finding(NamedTuple):
    """One thing that can be measured or done here, or why not."""

    possible: bool
    text: str


def run(root: Path, results: Path, console: Console) -> int:
    """Print the findings; exit code 0, since a machine that lacks a part is no mistake."""
    hardware = capabilities.hardware()
    console.print(f"{machine.host_id()}: {_machine(hardware)}", markup=False)
    for title, findings in (
        ("where trials can run", [_checkout(root), *_executors(root)]),
        ("processor", [*_frequency(hardware), *_pace(), *_metrics(capabilities.processor())]),
        ("GPU", [*_gpus()]),
        ("trust", [*_trust(results)]),
    ):
        console.print(f"\n{title}", markup=False)
        for finding in findings:
            console.print(f"  {'yes' if finding.possible else 'no ':<4}{finding.text}", markup=False)
    return 0


def _machine(hardware: Hardware) -> str:
    memory = f"{hardware.ram_bytes / 2**30:.0f} GiB" if hardware.ram_bytes else "memory unknown"
    kind = {None: "", "none": ", bare metal"}.get(hardware.virtualisation, ", a virtual machine")
    return (
        f"{hardware.cpu_model or hardware.architecture}, {hardware.cores_allowed} of {hardware.cores_online} cores, "
        f"{memory}{kind}"
    )


def _checkout(root: Path) -> Finding:
    """Records name the commit that they come from; a checkout that git refuses to read is refused by `run` too."""
    if why := git_refusals.refusal(root):
        return Finding(False, f"records with a commit: {why}")
    state = "changed since" if provenance.dirty(root) else "as it is in"
    return Finding(
        True, f"records with a commit: this checkout is {state} {provenance.commit(root) or 'no commit'}"
    )


def _executors(root: Path) -> Iterator[Finding]:
    try:
        executor = DockerExecutor(root)
        there = executor.machine()
        engine.client()
        _ask_for_stacks(root, executor)
        yield Finding(
            True, f"in containers: a Docker engine answers, and its client can build{_elsewhere(there)}"
        )
    except UserError as obstacle:
        yield Finding(False, f"in containers: {obstacle}")
    try:
        require_linux("venv")
        _ask_for_stacks(root, VenvExecutor(root))
        pythons = {row.python for row in load_matrix(root).rows if row.default}
        interpreters = ", ".join(str(find_interpreter(python)) for python in sorted(pythons))
        yield Finding(True, f"in hash-locked virtual environments of {interpreters}")
    except UserError as obstacle:
        yield Finding(False, f"in virtual environments: {obstacle}")
    compiler = compiler_version()
    yield Finding(
        compiler is not None,
        f"torch.compile outside containers: {compiler or 'no C++ compiler (apt install g++); images have their own'}",
    )


def _ask_for_stacks(root: Path, executor: Executor) -> None:
    """``UserError`` where none of the stacks that campaigns on the CPU measure could run, as in `framebench run`."""
    stacks = [row.stack for row in load_matrix(root).select()]
    refused = [executor.refusal(StackOn(stack)) for stack in stacks]
    if reasons := [one for one in refused if one is not None and None not in refused]:
        raise UserError(reasons[0].reason + (f"; {reasons[0].mend}" if reasons[0].mend else ""))


def _elsewhere(there: Machine) -> str:
    """What the engine says of its machine where that is not this one: trials run there, and its id is theirs."""
    if there == machine.this_machine():
        return ""
    processor = there.cpu_model or f"a processor of type {there.architecture}"
    return (
        f"; it runs on another machine ({processor}, {there.cores_allowed} cores, {there.gibibytes} GiB), which is the "
        "one that is measured: below is this one"
    )


def _frequency(hardware: Hardware) -> Iterator[Finding]:
    if hardware.governor is None:
        yield Finding(
            False, "clock and governor: the kernel does not offer them (usual in a virtual machine)"
        )
    else:
        steady = hardware.governor == "performance"
        advice = "" if steady else "; `performance` would be steadier"
        yield Finding(steady, f"a steady clock: the governor is {hardware.governor}{advice}")


def _pace() -> Iterator[Finding]:
    """Only what is known to be wrong: most machines have neither."""
    if capabilities.unequal_cores():
        yield Finding(
            False,
            "cores of one speed: some are faster than others; pin to one kind, e.g. `taskset -c 0-3 framebench run`",
        )
    if capabilities.on_battery():
        yield Finding(
            False, "mains: this machine runs on its battery and may hold its clocks back; plug it in"
        )


def _metrics(metrics: dict[str, Capability]) -> Iterator[Finding]:
    for name, capability in metrics.items():
        what = WORDS.get(name, name.replace("_", " "))
        possible = capability.support == "ok"
        yield Finding(possible, what if possible else f"{what}: {capability.reason or capability.support}")


def _gpus() -> Iterator[Finding]:
    watched = capabilities.gpus()
    refused = gpu.refusal_of(1)
    if refused is not None:
        yield Finding(False, f"trials on a GPU: {refused.reason}; {refused.mend}")
    for chosen in cards.facts(1):
        yield from (Finding(False, f"a GPU at its best: {remark}") for remark in cards.remarks(chosen))
    if isinstance(watched, str):
        yield Finding(False, f"telemetry of a GPU: {watched}")
        return
    for name, metrics in watched.items():
        if isinstance(metrics, str):
            yield Finding(False, f"{name}: {metrics}; it is left out: {gpu.mend_of(metrics)}")
        else:
            yield Finding(True, name)
            yield from _metrics(metrics)


def _trust(results: Path) -> Iterator[Finding]:
    here = machine.host_id()
    data = dataset.load([results]) if results.exists() else None
    noise = data.noises.get(here) if data else None
    if noise is None:
        yield Finding(
            False, "A/A noise: no pair has been measured on this host yet (`make bench-all` does it)"
        )
    else:
        yield Finding(
            True,
            f"differences above {math.expm1(noise.limit):.1%} can be told from none "
            f"({noise.pairs} A/A pairs, {noise.rounds} rounds)",
        )
    if results.exists():
        try:
            store.require_writable(results)
        except UserError as error:
            yield Finding(False, str(error))
    yield from _selftests(data.selftests.get(here, []) if data else [])
    if data and data.broken:
        more = f" and {len(data.broken) - 1} more" if len(data.broken) > 1 else ""
        yield Finding(False, f"a file that cannot be used: {data.broken[0]}{more} (`framebench check`)")


def _selftests(selftests: Iterable[SelfTest]) -> Iterator[Finding]:
    newest = max(selftests, key=lambda selftest: selftest.selftest_id, default=None)
    if newest is None:
        yield Finding(False, "self-test: not run on this host yet (`framebench selftest`)")
        return
    failed = [check.name for check in newest.checks if check.answer == "fail"]
    yield Finding(
        not failed,
        f"self-test of {newest.tested_utc[:10]} ({newest.form}): "
        + (f"failed: {'; '.join(failed)}" if failed else f"none of {len(newest.checks)} checks failed"),
    )
    spread = newest.false_winners.spread_ln
    yield Finding(True, f"trials of one contender spread {spread:.1%} (standard deviation)")
    for row in newest.planted:
        if row.rounds_needed and row.rounds == max(other.rounds for other in newest.planted):
            yield Finding(True, f"to find a difference of {row.percent} % takes {row.rounds_needed} rounds")
