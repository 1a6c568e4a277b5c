"""What commands cost as records grow, by the index: ``python -m benchmarks.index_scale --records 1000000``.

Records are the committed ones under other hosts' names, five to a result, as in ``site_scale``. Each command runs in a
process of its own: the first reads every record and makes the index, the others find it, and one runs after one record
more. ``read`` is what the site does before its first page: results, comparisons with every baseline, answers.
"""

from __future__ import annotations

import argparse
import itertools
import sys
import tempfile
from pathlib import Path

from benchmarks.site_scale import ROOT, TRIALS, cost, put, synthetic
from framebench.records import index

READ = (
    "import sys; from pathlib import Path; from framebench import dataset; "
    "from framebench.pages.evidence import gather; from framebench.records import index; "
    "root, results = map(Path, sys.argv[1:]); "
    "gather(root, dataset.load([results], index=index.of(root, results))).dataset.answers"
)
PLAN = ["plan", "--suite", "cpu", "--executor", "venv", "--budget", "none"]


def main() -> None:
    """Print a line per command, and the last one for all."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--records", type=int, default=1_000_000, metavar="N", help="how many are made")
    parser.add_argument(
        "--folder", type=Path, help="where they are made, 8 kB each  [default: a temporary folder]"
    )
    arguments = parser.parse_args()
    count: int = arguments.records
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        results = Path(folder, "results")
        results.mkdir()
        stream = synthetic()
        put(itertools.islice(stream, -(-count // TRIALS)), results)
        told = []
        made = index.of(ROOT, results).file
        try:
            for name, command in commands(results):
                if name == "after one more":
                    put(itertools.islice(stream, 1), results)
                spent = cost(command)
                print(f"{name}: {spent}", flush=True)
                told.append(f"{name} {spent.cpu_s:.1f} s {spent.peak_mb:.0f} MB")
            told.append(f"{made.stat().st_size / 1e6:.0f} MB of index")
        finally:
            made.unlink(missing_ok=True)
        print(f"{count} records: {', '.join(told)}")


def commands(results: Path) -> list[tuple[str, list[str]]]:
    """Each with what it is called here; the index lies among the build products of this checkout."""
    framebench = [sys.executable, "-m", "framebench.cli"]
    where = ["--results", str(results)]
    return [
        ("no index", [*framebench, "index", *where]),
        ("index", [*framebench, "index", *where]),
        ("plan", [*framebench, *PLAN, *where]),
        ("show", [*framebench, "show", *where]),
        ("read", [sys.executable, "-c", READ, str(ROOT), str(results)]),
        ("after one more", [*framebench, "index", *where]),
    ]


if __name__ == "__main__":
    main()
