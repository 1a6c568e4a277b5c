"""What asv needs to publish as many points as a site here has results: the measure beside ``site_scale``.

asv writes one page, and a file of points per benchmark that the browser draws; there is no page per result.
"""

from __future__ import annotations

import json
import os
import subprocess
import venv
from pathlib import Path

LOCK = Path(__file__).with_name("asv.lock")
BENCHMARKS = 100
"""Each was run on every commit: ten thousand results are a hundred commits."""

MACHINE = {
    "arch": "x86_64",
    "cpu": "made up",
    "machine": "made-up",
    "num_cpu": "2",
    "os": "Linux",
    "ram": "8",
}
COLUMNS = ("result", "params", "version", "started_at", "duration")


def install(folder: Path) -> Path:
    """asv as ``asv.lock`` pins it, in an environment below ``folder``; its command."""
    venv.create(folder, with_pip=True)
    pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "-q", "--require-hashes", "-r", str(LOCK)]
    subprocess.run(pip, check=True)
    return folder / "bin" / "asv"


def project(folder: Path, results: int) -> Path:
    """A project with that many results of made-up numbers, in files as asv writes them; its configuration."""
    commits = [commit(folder / "repo", number) for number in range(-(-results // BENCHMARKS))]
    names = [f"made_up.time_{number}" for number in range(BENCHMARKS)]
    machine = folder / "results" / MACHINE["machine"]
    machine.mkdir(parents=True)
    write(machine / "machine.json", MACHINE | {"version": 1})
    write(folder / "results" / "benchmarks.json", {name: benchmark(name) for name in names} | {"version": 2})
    for number, (digest, moment) in enumerate(commits):
        points = {name: [[0.1 + 0.001 * number], [], "1", moment, 1.0] for name in names}
        document = {
            "commit_hash": digest,
            "env_name": "existing-python",
            "date": moment,
            "params": MACHINE | {"python": "3.11"},
            "python": "3.11",
            "requirements": {},
            "env_vars": {},
            "result_columns": list(COLUMNS),
            "results": points,
            "durations": {},
            "version": 2,
        }
        write(machine / f"{digest[:8]}-existing-python.json", document)
    configuration = folder / "asv.conf.json"
    write(
        configuration,
        {
            "version": 1,
            "project": "made up",
            "project_url": "https://example.org",
            "repo": str(folder / "repo"),
            "branches": ["main"],
            "environment_type": "existing",
            "results_dir": str(folder / "results"),
            "html_dir": str(folder / "html"),
        },
    )
    return configuration


def commit(repository: Path, number: int) -> tuple[str, int]:
    """The hash of an empty commit, and its time in ms."""
    if not repository.exists():
        subprocess.run(["git", "init", "-q", "-b", "main", str(repository)], check=True)
    seconds = 1_700_000_000 + 3600 * number
    date = {"GIT_AUTHOR_DATE": f"{seconds} +0000", "GIT_COMMITTER_DATE": f"{seconds} +0000"}
    who = ["-c", "user.name=nobody", "-c", "user.email=nobody@example.org"]
    made = ["commit", "-q", "--allow-empty", "-m", f"commit {number}"]
    subprocess.run(["git", *who, *made], cwd=repository, env=os.environ | date, check=True)
    digest = subprocess.check_output(["git", "rev-parse", "HEAD"], cwd=repository, text=True)
    return digest.strip(), 1000 * seconds


def benchmark(name: str) -> dict[str, object]:
    return {
        "name": name,
        "code": f"def {name.rpartition('.')[2]}(): ...",
        "param_names": [],
        "params": [],
        "timeout": 60,
        "type": "time",
        "unit": "seconds",
        "version": "1",
    }


def write(path: Path, document: object) -> None:
    path.write_text(json.dumps(document))


def publish(asv: Path, configuration: Path) -> list[str]:
    """The command that is measured."""
    return [str(asv), "publish", "--config", str(configuration)]
