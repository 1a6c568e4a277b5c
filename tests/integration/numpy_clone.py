"""The working tree as a clone of its own, for campaigns that NumPy alone can run."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
QUICK = """
[protocol]
name = "{name}"
warmup_block_ms = 5.0
warmup_window = 5
warmup_tolerance = 0.02
warmup_agreements = 1
warmup_min_s = 0.05
warmup_max_blocks = 40
warmup_max_s = 0.3
block_ms = 10.0
block_max_ms = 20.0
measure_blocks = 10
measure_s = 0.1
measure_max_s = 2.0
calibration_ms = 30.0
"""
"""A protocol whose trials take about a second."""
SUITE = (
    """
name = "{name}"
title = "NumPy, which needs no framework"
rounds = 3
verdicts = false
timeout_s = 60
baseline = "numpy-eager"
kinds = ["timing"]
contenders = ["numpy-eager", "numpy-eager-plus5"]
"""
    + QUICK
    + """
[[case]]
workload = "planted"
preset = "selftest"
tasks = ["infer"]
batch = {batches}
device = {devices}
"""
)


def copy_tree(folder: Path) -> None:
    """What a campaign needs of the working tree."""
    for name in ("harness", "framebench", "suites", "containers"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "requirements.lock", ".gitignore"):
        shutil.copy(ROOT / name, folder)


def add_suite(
    folder: Path, name: str, *, batches: Sequence[int] = (1,), devices: Sequence[str] = ("cpu",)
) -> None:
    """A suite of that name with a case for each batch and device, and trials of about a second."""
    text = SUITE.format(name=name, batches=json.dumps(batches), devices=json.dumps(devices))
    (folder / "suites" / f"{name}.toml").write_text(text)


def add_recipe(folder: Path, name: str) -> Path:
    """``contrib/NAME`` in the clone, whose folder it returns, and the program that it calls, as by ``make .venv``."""
    program = folder / ".venv" / "bin" / "framebench"
    program.parent.mkdir(parents=True, exist_ok=True)
    words = shlex.join([sys.executable, "-P", "-m", "framebench.cli"])
    program.write_text(f'#!/bin/sh\nPYTHONPATH={shlex.quote(str(folder))} exec {words} "$@"\n')
    program.chmod(0o755)
    return Path(shutil.copytree(ROOT / "contrib" / name, folder / "contrib" / name))


def commit(folder: Path, days_ago: int = 0) -> str:
    """All of it as one commit, of today or an earlier day; its hash."""
    when = os.environ | {"GIT_COMMITTER_DATE": f"@{int(time.time()) - days_ago * 86400} +0000"}
    git = ["git", "-C", str(folder), "-c", "user.name=t", "-c", "user.email=t@example.org"]
    for command in (["init", "-q"], ["add", "."], ["commit", "-qm", "one"]):
        subprocess.run([*git, *command], check=True, env=when)
    head = subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True)
    return head.stdout.strip()


def framebench(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A command of this clone."""
    return subprocess.run(
        [sys.executable, "-P", "-m", "framebench.cli", *arguments],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
    )
