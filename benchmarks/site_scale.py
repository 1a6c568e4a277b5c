"""What the site costs as results grow: ``python -m benchmarks.site_scale --results 10000``.

Results of five trials each are built into a site, cold, and again after one more. They are the committed ones under
other hosts' names: real structure, copied numbers. Per size one line: CPU per result beyond what a site without results
costs, and what lies in the folder afterwards; the last line has CPU seconds (with children) and the largest memory.
"""

from __future__ import annotations

import argparse
import itertools
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from benchmarks import asv_site
from framebench import dataset
from framebench.records import store
from framebench.records.placing import sidecar_path
from harness.record import Record

ROOT = Path(__file__).resolve().parent.parent
SIZES = (100, 1_000)
TRIALS = 5
BUILD = (
    "import sys; from pathlib import Path; from framebench.pages import build_site; "
    "build_site(Path(sys.argv[1]), [Path(sys.argv[2])], Path(sys.argv[3]))"
)

Stored = tuple[Path, Record]


class Cost(NamedTuple):
    """CPU seconds of one command, user and system, and its largest resident memory in MB."""

    cpu_s: float
    peak_mb: float

    def __str__(self) -> str:
        return f"{self.cpu_s:.1f} CPU s, {self.peak_mb:.0f} MB peak"


def main() -> None:
    """Print a line per size, and the last one for the largest."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--results", type=int, default=10_000, metavar="N", help="the largest size")
    parser.add_argument(
        "--beside", choices=["asv"], help="what else publishes as many points (from PyPI, pinned)"
    )
    arguments = parser.parse_args()
    largest: int = arguments.results
    with tempfile.TemporaryDirectory() as folder:
        empty, _ = measured(Path(folder), 0)
        print(f"0 results: {empty.cpu_s:.1f} CPU s, which every site costs", flush=True)
        for size in [*(size for size in SIZES if size < largest), largest]:
            cold, warm = measured(Path(folder), size)
            each = 1e3 * (cold.cpu_s - empty.cpu_s) / size
            stats = [path.stat() for path in files(Path(folder) / str(size) / "build")]
            written = sum({stat.st_ino: stat.st_size for stat in stats}.values())
            print(f"{size} results: {each:.2f} CPU ms per result, {written / 1e6:.0f} MB written", flush=True)
            shutil.rmtree(Path(folder) / str(size))
        if arguments.beside:
            asv = asv_site.install(Path(folder) / "environment")
            spent = cost(asv_site.publish(asv, asv_site.project(Path(folder) / "asv", largest)))
            print(f"asv publishes {largest} points, without a page for each: {spent}", flush=True)
    print(
        f"{largest} results: {cold.cpu_s:.1f} CPU s cold, {warm.cpu_s:.1f} CPU s warm, {cold.peak_mb:.0f} MB peak"
    )


def measured(folder: Path, size: int) -> tuple[Cost, Cost]:
    """The first build of ``size`` results, and the one after one more result."""
    results = folder / str(size) / "results"
    results.mkdir(parents=True)
    stream = synthetic()
    put(itertools.islice(stream, size), results)
    cold = build(results)
    put(itertools.islice(stream, 1), results)
    return cold, build(results)


def build(results: Path) -> Cost:
    """One build into ``build`` beside ``results``."""
    out = results.parent / "build" / "site"
    return cost([sys.executable, "-c", BUILD, str(ROOT), str(results), str(out)])


def cost(command: Sequence[str]) -> Cost:
    """A command in a process of its own, what it says left aside; it has to end well."""
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}")
    return Cost(usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)  # Linux counts KiB


def synthetic() -> Iterator[list[Stored]]:
    """Results without end, each as its records with the committed files that they copy: the same order every time."""
    found = dataset.load([ROOT / "results"])
    patterns = [
        [(found.paths[record.trial_id], record) for record in chosen(result)]
        for result in found.results
        if result.timed
    ]
    number = itertools.count()
    for host in itertools.count(1):
        for pattern in patterns:
            yield [
                (path, elsewhere(record, host, next(number), turn))
                for turn, (path, record) in enumerate(pattern, 1)
            ]


def chosen(result: dataset.Result) -> list[Record]:
    """Five of a result's records: the gate, memory, cold start, and timed ones, again where there are too few."""
    others = [record for record in result.records if record.kind != "timing"][: TRIALS - 1]
    return [*others, *itertools.islice(itertools.cycle(result.timed), TRIALS - len(others))]


def elsewhere(record: Record, host: int, number: int, turn: int) -> Record:
    """The record as if the machine number ``host`` of that kind had measured it; ``turn``: its round."""
    provenance = record.provenance
    return msgspec.structs.replace(
        record,
        trial_id=f"{record.trial_id[:10]}{number:016d}",
        round=turn,
        provenance=msgspec.structs.replace(
            provenance, host_id=f"{provenance.host_id.rpartition('-')[0]}-{host:06x}"
        ),
    )


def put(results: Iterator[list[Stored]], folder: Path) -> None:
    """Write the records and their sidecars where they belong; no fsync, as nothing here has to last."""
    for source, record in itertools.chain.from_iterable(results):
        path = folder / store.relative_path(record)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(msgspec.json.format(msgspec.json.encode(record), indent=1) + b"\n")
        if record.sidecar is not None:
            shutil.copyfile(sidecar_path(source), sidecar_path(path))


def files(folder: Path) -> list[Path]:
    """Every file below a folder."""
    return [path for path in folder.rglob("*") if path.is_file()]


if __name__ == "__main__":
    main()
