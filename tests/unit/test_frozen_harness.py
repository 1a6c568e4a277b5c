"""The harness of spec version 1, frozen as it was first published: today's host still drives it and reads it."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
from pathlib import Path

import msgspec
import pytest

from harness.record import RECORD_VERSION, decode_record, encode_spec
from tests.unit.test_harness_trials import spec

FROZEN = Path(__file__).parent.parent / "frozen"


@pytest.fixture(scope="module")
def harness(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("frozen")
    with tarfile.open(FROZEN / "harness-spec1.tar.gz") as archive:
        archive.extractall(folder)  # our own file; Debian 12's Python knows no filter
    return folder


def answer_of(harness: Path, data: bytes) -> subprocess.CompletedProcess[bytes]:
    environment = os.environ | {"PYTHONPATH": str(harness), "PYTHONSAFEPATH": "1"}
    return subprocess.run(
        [sys.executable, "-m", "harness"], input=data, capture_output=True, check=False, env=environment
    )


def test_a_version_1_harness_reads_our_spec_and_we_read_its_record(harness: Path) -> None:
    """It knows no stack named numpy, so the trial itself is refused: with a record."""
    wanted = spec()
    answer = answer_of(harness, encode_spec(wanted, version=1))
    assert answer.returncode == 0, answer.stderr.decode()
    assert b'"record_version":1' in answer.stdout
    record = decode_record(answer.stdout)
    assert record.record_version == RECORD_VERSION
    assert (record.trial_id, record.outcome.status) == (wanted.trial_id, "unsupported")
    assert record.protocol == wanted.protocol


def test_a_version_1_harness_refuses_todays_spec(harness: Path) -> None:
    answer = answer_of(harness, encode_spec(spec()))
    assert answer.returncode == 2
    assert b"unknown field" in answer.stderr


def test_a_spec_version_never_published_is_refused() -> None:
    with pytest.raises(ValueError, match="spec version 7 is unknown"):
        encode_spec(spec(), version=7)


def test_a_record_version_never_published_is_refused() -> None:
    with pytest.raises(msgspec.ValidationError, match="record_version is 99"):
        decode_record(b'{"record_version": 99}')
