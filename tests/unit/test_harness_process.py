"""``python -m harness`` as a process: spec in, exactly one record out, whatever happens."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import msgspec

from framebench.campaign import suites
from framebench.records.versions import decode_record, encode_spec
from harness import flags, frameworks
from harness.cores import cores_allowed
from harness.frameworks.exported import is_exported
from harness.frameworks.library import is_library
from harness.record import Contender, ImageRef, Provenance
from harness.standalone import default_spec
from tests.unit.test_harness_trials import spec

HARNESS = [sys.executable, "-m", "harness"]

# A harness whose framework prints to stdout, by Python and by file descriptor, and then never ends.
NOISY = """
import os, sys, time
from harness import __main__ as harness, frameworks

def load(stack):
    print("a library prints")
    os.write(1, b"another writes\\n")
    os.system("echo a child writes")
    print("ready", file=sys.stderr, flush=True)
    time.sleep(60)

frameworks.load = load
sys.exit(harness.main())
"""


def test_malformed_spec_is_one_sentence_and_exit_2() -> None:
    for bad in (b"{", b'{"kind": "timing"}', encode_spec(spec()).replace(b'"seed":3', b'"seed":"x"')):
        answer = subprocess.run(HARNESS, input=bad, capture_output=True, check=False)
        assert answer.returncode == 2
        assert answer.stdout == b""
        assert answer.stderr.count(b"\n") == 1
        assert answer.stderr.startswith(b"harness: the trial spec on stdin cannot be read: ")
    assert b"$.seed" in answer.stderr


def test_empty_stdin_outside_an_image_says_what_belongs_there() -> None:
    answer = subprocess.run(HARNESS, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    assert (answer.returncode, answer.stdout) == (2, "")
    assert answer.stderr == (
        "harness: standard input is empty: expected a trial spec as JSON there, or, in an image of framebench, the"
        " variables FRAMEBENCH_IMAGE and FRAMEBENCH_STACK, from which the harness makes a small trial by itself\n"
    )


def test_empty_stdin_in_an_image_runs_a_trial_that_claims_nothing_it_cannot_know(tmp_path: Path) -> None:
    """NumPy stands for the image's stack. It has no file for the workload, so the trial ends early."""
    lock = tmp_path / "lock.txt"
    lock.write_text("numpy==1.0\n")
    variables = {
        "FRAMEBENCH_IMAGE": "numpy-1-cpu-py311",
        "FRAMEBENCH_STACK": "numpy",
        "FRAMEBENCH_LOCK": str(lock),
    }
    answer = subprocess.run(
        HARNESS, stdin=subprocess.DEVNULL, capture_output=True, check=True, env=os.environ | variables
    )
    record = decode_record(answer.stdout)
    assert record.image == ImageRef(
        name="numpy-1-cpu-py311", lock_sha256=hashlib.sha256(lock.read_bytes()).hexdigest()
    )
    assert record.provenance == Provenance(
        executor="docker", host_id="", git_commit=None, dirty=None, harness_tree_sha256="", work_hash=""
    )
    assert (record.case.workload, record.case.preset, record.case.task) == ("mlp", "smoke", "train")
    assert record.case.cores == cores_allowed()
    assert answer.stderr.decode().splitlines()[-1] == (
        f"harness: ran numpy-eager on {record.case.path} in numpy-1-cpu-py311, unsupported: the workload mlp has no"
        " file for numpy; the record is on stdout"
    )


def test_a_terminal_is_not_waited_for() -> None:
    ours, theirs = os.openpty()
    try:
        answer = subprocess.run(HARNESS, stdin=theirs, capture_output=True, check=False, timeout=60)
    finally:
        os.close(ours)
        os.close(theirs)
    assert answer.returncode == 2
    assert answer.stderr.startswith(b"harness: standard input is empty")


def test_the_trial_of_an_image_is_of_a_contender_and_a_task_that_a_suite_has_too() -> None:
    smoke, export, libraries = (
        suites.load(Path(__file__).parents[2], name) for name in ("smoke", "export-smoke", "libraries")
    )
    for stack, info in frameworks.stacks().items():
        if stack != frameworks.SELF_TEST:
            spec = default_spec({"FRAMEBENCH_IMAGE": "x", "FRAMEBENCH_STACK": stack})
            assert spec is not None
            suite = export if is_exported(info) else libraries if is_library(info) else smoke
            assert spec.contender.slug in suite.contenders
            assert spec.case.task in {case.task for case in suite.expand(2)}


def test_a_trial_told_that_it_is_emulated_carries_the_flag_that_ranks_it_nowhere() -> None:
    for variables, expected in ({}, []), ({"FRAMEBENCH_EMULATED": "1"}, [flags.EMULATED]):
        answer = subprocess.run(
            HARNESS, input=encode_spec(spec()), capture_output=True, check=True, env=os.environ | variables
        )
        record = decode_record(answer.stdout)
        assert record.flags == expected
        assert record.hardware is not None and record.hardware.emulated is bool(expected)


def test_unknown_stack_is_a_record_and_exit_0() -> None:
    unknown = msgspec.structs.replace(spec(), contender=Contender(stack="theano", mode="eager"))
    answer = subprocess.run(HARNESS, input=encode_spec(unknown), capture_output=True, check=False)
    assert answer.returncode == 0
    record = decode_record(answer.stdout)
    assert record.outcome.status == "unsupported"
    assert record.outcome.reason == "unknown stack 'theano'"
    assert "torch" in (record.outcome.mend or "")


def test_record_can_go_to_a_file(tmp_path: Path) -> None:
    target = tmp_path / "record.json"
    answer = subprocess.run(
        [*HARNESS, "-o", str(target)], input=encode_spec(spec()), capture_output=True, check=False
    )
    assert (answer.returncode, answer.stdout) == (0, b"")
    assert decode_record(target.read_bytes()).outcome.status == "unsupported"
    assert list(tmp_path.iterdir()) == [target]


def test_sigterm_leaves_a_record_and_prints_stay_off_stdout() -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", NOISY], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdin is not None and process.stderr is not None
    process.stdin.write(encode_spec(spec()))
    process.stdin.close()
    said = []
    for row in process.stderr:
        said.append(row)
        if row == b"ready\n":
            break
    process.terminate()
    process.stdin = None
    stdout, rest = process.communicate(timeout=120)
    said += rest.splitlines(keepends=True)  # what Python had buffered comes at the end
    assert process.returncode == 0
    record = decode_record(stdout)
    assert (record.outcome.status, record.outcome.signal) == ("interrupted", "SIGTERM")
    assert {b"a library prints\n", b"another writes\n", b"a child writes\n"} <= set(said)
