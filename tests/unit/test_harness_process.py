"""``python -m harness`` as a process: spec in, exactly one record out, whatever happens."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import msgspec

from harness.record import Contender, decode_record, encode_spec
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
    for bad in (b"", b"{", b'{"kind": "timing"}', encode_spec(spec()).replace(b'"seed":3', b'"seed":"x"')):
        answer = subprocess.run(HARNESS, input=bad, capture_output=True, check=False)
        assert answer.returncode == 2
        assert answer.stdout == b""
        assert answer.stderr.count(b"\n") == 1
        assert answer.stderr.startswith(b"harness: the trial spec on stdin cannot be read: ")
    assert b"$.seed" in answer.stderr


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
    stdout, _ = process.communicate(timeout=30)
    assert process.returncode == 0
    record = decode_record(stdout)
    assert (record.outcome.status, record.outcome.signal) == ("interrupted", "SIGTERM")
    assert {b"a library prints\n", b"another writes\n", b"a child writes\n"} <= set(said)
