"""The command line as a stranger uses it: one sentence, the nearest names, exit code 2, no traceback."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from framebench.records import store
from tests import record_factory
from tests.unit.test_hang_up import SLOW

ROOT = Path(__file__).resolve().parents[2]


def framebench(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "framebench.cli", *arguments],
        cwd=ROOT,
        env=os.environ | variables,
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.fixture
def results(tmp_path: Path) -> Path:
    for record in record_factory.make_trials(rounds=3):
        store.write(record, tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["build", "torch-cpo"], "torch-cpu"),
        (["plan", "--suite", "smok"], "smoke"),
        (["plan", "--suite", "smoke", "--budget", "soon"], "20m, 2h or none"),
        (["plan", "--suite", "smoke", "--executor", "venv", "--case", "convstak*"], "convstack/"),
        (["plan", "--suite", "smoke", "--executor", "venv", "--contender", "pytorch*"], "torch-eager"),
        (["plan", "--suite", "smoke", "--executor", "cloud"], "docker"),
        (["plan", "--suite", "smoke", "--rounds", "21"], "1<=x<=20"),
        (["check", "no/such/folder"], "no/such/folder"),
        (["site", "--site-url", "framebench.example.org"], "expected an address like https://"),
        (
            ["site", "--site-url", "https://me:hunter2@example.org/"],
            "https://…@example.org/: expected an address",
        ),
        (["site", "--site-url", "https://example.org/my site/"], "expected an address like https://"),
        (["site", "--site-url", "https://example.org:99999/"], "expected an address like https://"),
        (["site", "--site-url", "http://["], "expected an address like https://"),
        (["plan", "--suite", "smoke", "--shard", ""], "--shard : write I/N"),
        (["plan", "--suite", "smoke", "--shard", "1/2", "--shards", "2"], "give one of the two"),
        (["plan", "--suite", "smoke", "--gpu", "99"], "--gpu 99: no case of suite smoke that was asked for"),
        (["site", "--serve", "70000"], "1<=x<=65535"),
        (["reproduce"], "RESULT"),
    ],
)
def test_bad_input_is_one_sentence(arguments: list[str], says: str) -> None:
    done = framebench(*arguments)
    assert done.returncode == 2
    assert says in done.stderr
    assert "Traceback" not in done.stderr + done.stdout


def test_an_unknown_result_names_the_nearest(results: Path) -> None:
    known = record_factory.make_trials(rounds=1)[0]
    from framebench.records.identity import result_id

    wanted = result_id(known)
    done = framebench("show", wanted[:-1] + "0", "--results", str(results))
    assert done.returncode == 2
    assert wanted in done.stderr


def test_no_engine_is_one_sentence_with_the_mend(results: Path) -> None:
    done = framebench(
        *("plan", "--suite", "smoke", "--executor", "docker", "--results", str(results)),
        DOCKER_HOST="unix:///nonexistent/docker.sock",
    )
    assert done.returncode == 2
    assert len(done.stderr.strip().splitlines()) == 1
    assert "start it" in done.stderr and "--executor venv" in done.stderr


def test_auto_measures_nowhere_else_than_in_the_engine_that_is_named(results: Path) -> None:
    done = framebench(
        *("plan", "--suite", "smoke", "--results", str(results)),
        DOCKER_HOST="unix:///nonexistent/docker.sock",
    )
    assert done.returncode == 2 and "executor: venv" not in done.stdout
    assert "No Docker engine answers" in done.stderr and "unsetting DOCKER_HOST" in done.stderr


def test_a_folder_that_takes_no_record_is_said_before_a_trial_runs(tmp_path: Path) -> None:
    suite = tmp_path / "slow.toml"
    suite.write_text(SLOW)
    answer = framebench(
        "run", "--executor", "system", "--suite", str(suite), "--results", "/proc/self/results"
    )
    assert answer.returncode == 2 and "/proc/self/results: cannot be written" in answer.stderr


def test_debug_shows_the_traceback() -> None:
    done = framebench("--debug", "plan", "--suite", "smok")
    assert done.returncode == 1
    assert "Traceback" in done.stderr


def test_check_believes_what_was_measured_and_names_a_truncated_file(tmp_path: Path) -> None:
    folder = next(path for path in sorted((ROOT / "results").rglob("*--*")) if path.is_dir())
    copied = shutil.copytree(folder, tmp_path / folder.relative_to(ROOT / "results"))
    assert framebench("check", str(tmp_path)).returncode == 0
    broken = next(copied.glob("*.json"))
    broken.write_bytes(broken.read_bytes()[:500])
    done = framebench("check", str(tmp_path))
    assert done.returncode == 1
    assert str(broken) in done.stdout.strip().splitlines()[0]


def test_check_of_a_made_up_record_is_one_sentence_for_each_doubt(results: Path) -> None:
    done = framebench("check", str(results))
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    assert all(line.startswith((str(results), "warning: ", "note: ")) and "; " in line for line in lines)
    assert "Traceback" not in done.stdout + done.stderr


def test_compare_says_ratio_interval_and_verdict(results: Path) -> None:
    listed = framebench("show", "--results", str(results)).stdout
    ids = {line.split()[1]: line.split()[0] for line in listed.splitlines() if line.startswith("  ")}
    done = framebench("compare", ids["torch-compiled"], ids["torch-eager"], "--results", str(results))
    assert done.returncode == 0
    assert "time of torch-compiled / time of torch-eager: 0.7" in done.stdout
    assert "over 3 rounds" in done.stdout


def test_bare_make_prints_its_targets() -> None:
    done = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0
    for target in ["bench-all", "images", "site", "serve", "reproduce", "test", "lint", "bench", "clean"]:
        assert f"make {target} " in done.stdout


def test_make_reproduce_without_a_result_says_what_is_missing() -> None:
    done = subprocess.run(["make", "reproduce"], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert "RESULT=<id>" in done.stdout


@pytest.mark.parametrize(
    "surroundings",
    [
        {"PYTHONUTF8": "0", "PYTHONIOENCODING": "latin-1"},
        {"PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii"},
        {"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "LC_ALL": "C"},
    ],
    ids=["latin-1 terminal", "ascii terminal", "C locale"],
)
def test_a_terminal_that_lacks_a_character_shows_another(surroundings: dict[str, str]) -> None:
    plain = framebench("image", "show", "torch-cpu")
    assert "…" in plain.stdout
    done = framebench("image", "show", "torch-cpu", **surroundings)
    assert done.returncode == 0, done.stderr
    shown = done.stdout.replace("…", "?").splitlines()
    assert shown[0] == plain.stdout.replace("…", "?").splitlines()[0] and "Traceback" not in done.stderr


@pytest.mark.parametrize("place", [0, 1], ids=["no steps", "no time"])
def test_a_record_that_cannot_be_true_is_named_and_takes_nothing_down(results: Path, place: int) -> None:
    timed = next(path for path in sorted(results.rglob("*.json")) if json.loads(path.read_text())["timing"])
    document = json.loads(timed.read_text())
    document["timing"]["blocks"][0][place] = 0
    timed.write_text(json.dumps(document))
    for command in ("show", "answers"):
        done = framebench(command, "--results", str(results))
        assert done.returncode == 0 and "Traceback" not in done.stderr, done.stderr
        assert timed.name in done.stdout + done.stderr, command


def test_the_checkout_is_the_one_that_framebench_lies_in(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True)
    elsewhere = {"GIT_DIR": str(tmp_path / ".git"), "GIT_WORK_TREE": str(tmp_path)}  # as in a hook of another
    done = framebench("doctor", "--results", str(tmp_path), DOCKER_HOST="unix:///nonexistent", **elsewhere)
    assert done.returncode == 0 and head.stdout.strip() in done.stdout
