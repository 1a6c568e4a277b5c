"""``python -m benchmarks.faults [--kills N] [--executor system|docker]``: what a fault costs a campaign.

Real campaigns of a clone of this tree: trials that misbehave beside sound ones, and a campaign that is killed at
random moments, has no room to write, may not write, meets a second one, or loses its engine or its image. Each line
says what the record says and what was lost: trials that the plan has and the store lacks after the same command was
given once more, finished records that were changed, trials that are there twice, files that cannot be read, what kept
running, an end that a deed cannot have, and what could not be tried here. What a kill leaves of a record that it was
writing is counted, and lost nothing: `framebench check` names it. The exit code is 0 only if nothing was lost. Without
Docker (``system``) the trials are NumPy's; with it, PyTorch's in its image. An engine that is stopped is one of our
own, never the machine's; only root can start it.

Not here: a GPU that is lost, which ``tests/integration/test_nvml.py`` tries with a driver of ours.
"""

from __future__ import annotations

import argparse
import os
import random
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import docker
import docker.errors
import psutil
from docker.models.containers import Container

from benchmarks.misbehaving.deeds import DEEDS, LEFT_BEHIND, ONLY_CONTAINED
from framebench.executors.connection import connect
from framebench.executors.ownership import ROOT_LABEL, root_label
from framebench.images.make.assembly import LABEL
from framebench.records import store
from framebench.records.accidents import container_lost, in_passing
from framebench.records.start_time import started
from harness.record import Record
from tests.integration import second_engine
from tests.integration.numpy_clone import QUICK, ROOT, commit, copy_tree

CONTENDERS = {"system": ["numpy-eager"], "docker": ["torch-eager"]}
SUITE = (
    """
name = "{name}"
title = "What a fault costs"
rounds = {rounds}
verdicts = false
timeout_s = {timeout}
baseline = "{contender}"
kinds = ["timing"]
contenders = ["{contender}"]
"""
    + QUICK
)
CASE = """
[[case]]
workload = "misbehaving"
preset = "{preset}"
tasks = ["infer"]
batch = {batches}
"""


class Line(NamedTuple):
    """A line of the table; ``lost`` is in words, empty where nothing was."""

    fault: str
    says: str
    lost: list[str]


class Bed:
    """A clone of the tree with the misbehaving workload, and the campaigns in it."""

    def __init__(self, folder: Path, executor: str) -> None:
        self.folder, self.executor, self.campaigns = folder, executor, 0
        copy_tree(folder)
        shutil.copytree(
            ROOT / "benchmarks" / "misbehaving",
            folder / "harness" / "workloads" / "misbehaving",
            ignore=shutil.ignore_patterns("__pycache__"),
        )
        if executor == "docker":  # wheels and layers that are there already
            (ROOT / "build").mkdir(exist_ok=True)
            (folder / "build").symlink_to(ROOT / "build")
        commit(folder, days_ago=2)  # a clock that is set back is then still after it

    def suite(self, presets: Sequence[str], batches: Sequence[int], rounds: int, timeout: int = 60) -> Path:
        """A suite with a case per preset, ``sound`` in each batch and the others in one."""
        self.campaigns += 1
        (contender,) = CONTENDERS[self.executor]
        name = f"faults-{self.campaigns}"
        text = SUITE.format(name=name, rounds=rounds, timeout=timeout, contender=contender)
        for preset in presets:
            text += CASE.format(preset=preset, batches=list(batches) if preset == "sound" else [1])
        path = self.folder / f"{name}.toml"
        path.write_text(text)
        return path

    def command(self, suite: Path, results: Path) -> list[str]:
        """``framebench run`` of the clone."""
        options = ["--suite", str(suite), "--results", str(results), "--executor", self.executor]
        return [sys.executable, "-P", "-m", "framebench.cli", "run", *options, "--budget", "none"]

    def start(self, command: Sequence[str], **options: object) -> subprocess.Popen[str]:
        """It, started, with everything that it says in one pipe."""
        return subprocess.Popen(
            command,
            cwd=self.folder,
            env=os.environ | {"PYTHONPATH": str(self.folder)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            **options,  # type: ignore[call-overload]
        )

    def run(self, command: Sequence[str]) -> tuple[int, str]:
        """Exit code and everything that it said."""
        process = self.start(command)
        said, _ = process.communicate()
        return process.returncode, said

    def containers(self, client: docker.DockerClient) -> list[Container]:
        """Those of this clone."""
        found: list[Container] = client.containers.list(
            filters={"label": f"{ROOT_LABEL}={root_label(self.folder)}"}
        )
        return found

    def still_running(self) -> list[str]:
        """Trials of this clone that no campaign waits for, and what they started."""
        if self.executor == "docker":
            return [f"container {one.name} still runs" for one in self.containers(connect())]
        here = []
        for process in psutil.process_iter():
            with suppress(psutil.Error):  # it may end while it is looked at
                line = " ".join(process.cmdline())
                ours = str(self.folder) in process.environ().get("PYTHONPATH", "")
                if ours and (line.endswith("-m harness") or LEFT_BEHIND in line):
                    here.append(f"process {process.pid} still runs")
        return here


def lost(results: Path, wanted: int, before: dict[Path, bytes] | None = None) -> list[str]:
    """What is missing, torn, changed or there twice among ``wanted`` trials; accidents may stand beside an end."""
    loaded = store.load([results])
    there = {_trial(one) for _, one in loaded.records}
    trials = Counter(_trial(one) for _, one in loaded.records if not in_passing(one))
    faults = [str(fault) for fault in loaded.broken]
    faults += [f"{trial} is there {count} times" for trial, count in trials.items() if count > 1]
    faults += [f"{path} was changed" for path, data in (before or {}).items() if path.read_bytes() != data]
    if len(there) != wanted:
        faults.append(f"{wanted - len(there)} of {wanted} trials are missing")
    return faults


def _trial(record: Record) -> tuple[object, ...]:
    return record.case.path, record.contender.slug, record.kind, record.round


def finished(results: Path) -> dict[Path, bytes]:
    """Every record that is there, and its bytes."""
    return {path: path.read_bytes() for path in results.rglob("*.json")}


def words(record: Record) -> str:
    """How a trial ended, as its record has it."""
    return f"{record.outcome.status}: {record.outcome.reason or ''}"[:150].rstrip(": ")


def of_trials(bed: Bed, results: Path, timeout: int) -> Iterator[Line]:
    """Every deed in a campaign, sound trials among them; those that may have to be stopped in one of their own, whose
    trials have less time."""
    results.mkdir()
    deeds = [name for name in DEEDS if bed.executor == "docker" or name not in ONLY_CONTAINED]
    endless = [name for name in deeds if "timeout" in DEEDS[name].ends]
    others = [name for name in deeds if name not in endless]
    batches, rounds = (1, 2, 4), 2
    with smaller_containers(bed):
        ended = [
            bed.run(bed.command(suite, results))
            for suite in (bed.suite(others, batches, rounds), bed.suite(endless, batches, rounds, timeout))
        ]
    records = [record for _, record in store.load([results]).records]
    wanted = rounds * (len(deeds) - 1 + len(batches))
    missing = lost(results, wanted) + bed.still_running()
    for right, (code, said) in zip((0, 1), ended, strict=True):  # 1: no number came out
        missing += [] if code == right else [f"exit code {code}: {said[-300:]}"]
    for deed in deeds:
        of_it = [record for record in records if record.case.preset == deed]
        found = {record.outcome.status for record in of_it}
        ends = DEEDS[deed].ends
        wrong = (
            [] if found and found <= {*ends} else [f"it may end {' or '.join(ends)}, and ended so {found}"]
        )
        yield Line(f"trial: {deed}", words(of_it[0]) if of_it else "nothing", wrong)
    codes = " and ".join(str(code) for code, _ in ended)
    yield Line(
        "the campaigns around them", f"exit codes {codes}, {len(records)} records of {wanted}", missing
    )


@contextmanager
def smaller_containers(bed: Bed) -> Iterator[None]:
    """Every container of ours gets a gibibyte of memory, and the machine does not have to be filled."""
    over = threading.Event()

    def shrink() -> None:
        client, known = connect(), set()
        while not over.wait(0.05):
            for container in bed.containers(client):
                if container.id not in known:
                    known.add(container.id)
                    with suppress(docker.errors.APIError):  # it may end while it is looked at
                        container.update(mem_limit=1 << 30, memswap_limit=1 << 30)

    thread = threading.Thread(target=shrink)
    if bed.executor == "docker":
        thread.start()
    try:
        yield
    finally:
        over.set()
        if bed.executor == "docker":
            thread.join()


def of_kills(bed: Bed, folder: Path, kills: int, chance: random.Random) -> Line:
    """SIGKILL of the campaign, at a random moment, until it was given so often; each campaign is then finished."""
    done = campaigns = leftovers = 0
    missing: list[str] = []
    batches, rounds = (1, 2, 4, 8), 3
    seconds = 0.0  # of a whole campaign, which the first one tells
    while done < kills or campaigns == 0:
        campaigns += 1
        suite, results = bed.suite(["sound"], batches, rounds), folder / f"kills-{campaigns}"
        results.mkdir()
        command = bed.command(suite, results)
        before: dict[Path, bytes] = {}
        while campaigns > 1 and done < kills:
            process = bed.start(command, start_new_session=True)
            assert process.stdout is not None
            with process.stdout:
                threading.Thread(target=process.stdout.read, daemon=True).start()
                try:
                    process.wait(chance.uniform(0, seconds))
                    break
                except subprocess.TimeoutExpired:
                    process.send_signal(signal.SIGKILL)
                    process.wait()
            done += 1
            missing += [f"{path} was changed" for path, data in before.items() if path.read_bytes() != data]
            missing += [f"kill {done}: {fault}" for fault in store.load([results]).broken]
            before = finished(results)
        code, said = bed.run(command)
        seconds = seconds or _span_s([record for _, record in store.load([results]).records])
        missing += lost(results, rounds * len(batches), before)
        leftovers += len(store.load([results]).leftovers)
        if code != 0:
            missing.append(f"exit code {code}: {said[-300:]}")
        if missing:
            break
    missing += bed.still_running()
    return Line(
        f"{done} kills of the campaign", f"{campaigns} campaigns, {leftovers} half-written files", missing
    )


def _span_s(records: Sequence[Record]) -> float:
    """From the start of the first trial to the end of the last, without a wait for other campaigns before."""
    starts = [(moment, record.duration_ns / 1e9) for record in records if (moment := started(record))]
    first = min(moment for moment, _ in starts)
    return max((moment - first).total_seconds() + seconds for moment, seconds in starts)


def of_two_at_once(bed: Bed, results: Path) -> Line:
    """The same campaign twice at the same time."""
    results.mkdir()
    suite = bed.suite(["sound"], (1, 2), 2)
    both = [bed.start(bed.command(suite, results)) for _ in range(2)]
    said = [process.communicate()[0] for process in both]
    codes = [process.returncode for process in both]
    waited = sum("is measuring already" in text for text in said)
    missing = lost(results, 4) + ([] if codes == [0, 0] else [f"exit codes {codes}: {said}"])
    return Line("two campaigns at once", f"{waited} waited for the other", missing)


def of_the_disk(bed: Bed, folder: Path, name: str, mount: str) -> Line:
    """A folder of results that is full, or may only be read; afterwards the same command on a good one."""
    suite, results, kept = (
        bed.suite(["sound"], (1, 2, 4, 8), 3),
        folder / f"mount-{name}",
        folder / f"kept-{name}",
    )
    results.mkdir()
    here, there, run = (
        shlex.quote(str(results)),
        shlex.quote(str(kept)),
        shlex.join(bed.command(suite, results)),
    )
    script = f"{mount} {here} || exit 3; {run}; code=$?; cp -r {here} {there}; exit $code"
    code, said = bed.run(["unshare", "--mount", "--map-root-user", "sh", "-c", script])
    if not kept.exists():
        return Line(name, "", [f"not tried: {said.strip()[-100:]}"])
    missing = [] if code == 2 else [f"exit code {code}: {said[-300:]}"]
    missing += ["a traceback"] if "Traceback" in said else []
    before = finished(kept)
    again, more = bed.run(bed.command(suite, kept))
    missing += lost(kept, 12, before) + (
        [] if again == 0 else [f"exit code {again} afterwards: {more[-300:]}"]
    )
    sentence = next((line for line in reversed(said.splitlines()) if line.strip()), "nothing").rpartition(
        "/"
    )[2]
    return Line(name, f"{len(before)} of 12 records, then: {sentence[:150]}", missing)


def of_the_engine(bed: Bed, folder: Path) -> Iterator[Line]:
    """The engine is stopped, killed and started again under its trials, then loses their image; one campaign each."""
    if absent := second_engine.missing():
        yield Line("engine", "", [f"not tried: {absent}"])
        return
    with second_engine.second_engine() as engine, named_engine(engine.address):

        def restart(how: signal.Signals) -> None:
            time.sleep(1.5)  # into the next trial
            engine.stop(how)
            time.sleep(3)
            engine.start()

        def remove_image() -> None:
            """In the moment between two trials in which no container needs it."""
            client = engine.client()
            (image,) = client.images.list(filters={"label": LABEL})
            while True:
                with suppress(docker.errors.APIError):
                    client.images.remove(image.id, force=True)
                    return
                time.sleep(0.02)

        for name, deed in (
            ("engine stopped, started again", lambda: restart(signal.SIGTERM)),
            ("engine killed, started again", lambda: restart(signal.SIGKILL)),
            ("image removed", remove_image),
        ):
            yield of_mid_campaign(bed, folder / name.replace(" ", "-"), name, deed)


@contextmanager
def named_engine(address: str) -> Iterator[None]:
    """Everything that is started meanwhile measures in the engine at this address."""
    before = os.environ.get("DOCKER_HOST")
    os.environ["DOCKER_HOST"] = address
    try:
        yield
    finally:
        del os.environ["DOCKER_HOST"]
        if before is not None:
            os.environ["DOCKER_HOST"] = before


def of_mid_campaign(bed: Bed, results: Path, name: str, deed: Callable[[], None]) -> Line:
    """The deed is done once a few trials are there; the campaign has to go on by itself."""
    results.mkdir()
    suite = bed.suite(["sound"], (1, 2, 4), 3)
    process = bed.start(bed.command(suite, results))
    said: list[str] = []
    reader = threading.Thread(target=lambda: said.extend(process.stdout or ()))
    reader.start()
    while process.poll() is None and len(finished(results)) < 3:
        time.sleep(0.05)
    before = finished(results)
    if process.poll() is None:
        deed()
    code = process.wait()
    reader.join()
    missing = lost(results, 9, before) + bed.still_running()
    if code != 0:
        missing.append(f"exit code {code}: {''.join(said)[-300:]}")
    accidents = [one for _, one in store.load([results]).records if container_lost(one.outcome)]
    missing += [] if accidents else ["no trial met it"]
    return Line(name, f"{words(accidents[0])}; run again" if accidents else "nothing", missing)


STEPS = {2: -7200, 5: 0, 8: -86400}  # seconds beside the true time, from so many records on


def of_the_clock(bed: Bed, folder: Path) -> Line:
    """The wall clock is set back, put right and set back again, for the campaign and its trials; then once more."""
    suite, results, clock = bed.suite(["sound"], (1, 2, 4, 8), 3), folder / "clock", folder / "seconds"
    results.mkdir()
    clock.write_text("0")
    settings = folder / "etc"  # where the loader finds the stepped clock, for these processes alone
    subprocess.run(
        ["cp", "-a", "/etc", str(settings)], check=False, stderr=subprocess.DEVNULL
    )  # what may be read
    library = folder / "stepped_clock.so"
    source = ROOT / "benchmarks" / "misbehaving" / "stepped_clock.c"
    flags = ["-shared", "-fPIC", f'-DCLOCK="{clock}"', "-o", str(library), str(source), "-ldl"]
    subprocess.run(["gcc", *flags], check=True)
    (settings / "ld.so.preload").write_text(f"{library}\n")
    run = shlex.join(bed.command(suite, results))
    script = f"mount --bind {shlex.quote(str(settings))} /etc || exit 3; {run}"
    process = bed.start(["unshare", "--mount", "--map-root-user", "sh", "-c", script])
    said: list[str] = []
    assert process.stdout is not None
    reader = threading.Thread(target=lambda: said.extend(process.stdout or ()))
    reader.start()
    while process.poll() is None:
        there = len(finished(results))
        step = next((STEPS[at] for at in sorted(STEPS, reverse=True) if there >= at), 0)
        clock.with_suffix(".new").write_text(str(step))
        clock.with_suffix(".new").replace(clock)  # a trial that reads it meanwhile reads a number
        time.sleep(0.1)
    reader.join()
    stepped = [one for _, one in store.load([results]).records if one.outcome.status == "invalid"]
    missing = (
        [] if process.returncode in (0, 1) else [f"exit code {process.returncode}: {''.join(said)[-300:]}"]
    )
    again, more = bed.run([*bed.command(suite, results), "--retry-failed"])
    ok = [one for _, one in store.load([results]).records if one.outcome.status == "ok"]
    missing += [] if again == 0 else [f"exit code {again} afterwards: {more[-300:]}"]
    missing += [] if len(ok) == 12 else [f"{len(ok)} of 12 trials ended well"]
    _, checked = bed.run([sys.executable, "-P", "-m", "framebench.cli", "check", str(results)])
    missing += [
        line for line in checked.splitlines() if "started_utc" in line and not line.startswith("warning")
    ]
    return Line("stepped clock", f"{len(stepped)} trials invalid, {len(ok)} of 12 in the end", missing)


def main() -> int:
    """Print the table; 1 if anything was lost."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=20, help="of the campaign, at random moments")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--timeout", type=int, default=20, help="seconds after which a trial is stopped")
    parser.add_argument("--executor", choices=sorted(CONTENDERS), default="system")
    options = parser.parse_args()
    lines: list[Line] = []
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        bed = Bed(folder / "clone", options.executor)

        def show(line: Line) -> None:
            lines.append(line)
            print(f"{line.fault:32} {line.says}", flush=True)
            for fault in line.lost:
                print(f"{'':32} LOST: {fault}", flush=True)

        for line in of_trials(bed, folder / "trials", options.timeout):
            show(line)
        show(of_two_at_once(bed, folder / "two"))
        show(of_the_disk(bed, folder, "full disk", "mount -t tmpfs -o size=60k none"))
        show(of_the_disk(bed, folder, "disk that may only be read", "mount -t tmpfs -o ro none"))
        if options.executor == "system":  # a container has the machine's clock
            show(of_the_clock(bed, folder))
        else:
            for line in of_the_engine(bed, folder):
                show(line)
        show(of_kills(bed, folder, options.kills, random.Random(options.seed)))
    bad = sum(bool(line.lost) for line in lines)
    print(f"{len(lines)} faults, {options.kills} kills: {bad} lost something")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
