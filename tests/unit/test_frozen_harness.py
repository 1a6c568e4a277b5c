"""The harnesses of earlier spec versions, frozen as they were first published: today's host drives and reads them."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
from pathlib import Path

import msgspec
import pytest

from framebench.records.identity import result_key
from framebench.records.versions import decode_record, encode_spec
from harness.record import RECORD_VERSION, SPEC_VERSION, Case
from tests.unit.test_harness_trials import spec

FROZEN = Path(__file__).parent.parent / "frozen"
VERSIONS = tuple(range(1, SPEC_VERSION))


@pytest.fixture(scope="module")
def harnesses(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    folders = {}
    for version in VERSIONS:
        folders[version] = tmp_path_factory.mktemp(f"frozen{version}")
        with tarfile.open(FROZEN / f"harness-spec{version}.tar.gz") as archive:
            archive.extractall(folders[version])  # our own file; Debian 12's Python knows no filter
    return folders


def answer_of(harness: Path, data: bytes) -> subprocess.CompletedProcess[bytes]:
    environment = os.environ | {"PYTHONPATH": str(harness), "PYTHONSAFEPATH": "1"}
    return subprocess.run(
        [sys.executable, "-m", "harness"], input=data, capture_output=True, check=False, env=environment
    )


@pytest.mark.parametrize("version", VERSIONS)
def test_it_reads_our_spec_and_we_read_its_record(harnesses: dict[int, Path], version: int) -> None:
    """A stack that it does not know (1), or a workload it has no file of (2), is refused: with a record."""
    wanted = spec()
    answer = answer_of(harnesses[version], encode_spec(wanted, version))
    assert answer.returncode == 0, answer.stderr.decode()
    assert f'"record_version":{version}'.encode() in answer.stdout
    record = decode_record(answer.stdout)
    assert record.record_version == RECORD_VERSION
    assert record.trial_id == wanted.trial_id and record.outcome.status in ("unsupported", "crashed")
    assert record.protocol == wanted.protocol


def test_a_version_2_harness_times_the_self_tests_workload(harnesses: dict[int, Path]) -> None:
    """Whole: its timing is read as units of a name, its flags as codes, and its result keeps the key of its time."""
    wanted = msgspec.structs.replace(
        spec(), case=Case(workload="planted", preset="selftest", task="infer", batch=1, cores=1)
    )
    answer = answer_of(harnesses[2], encode_spec(wanted, 2))
    record = decode_record(answer.stdout)
    assert record.outcome.status == "ok", record.outcome
    assert record.timing is not None and (record.timing.units_per_step, record.timing.unit) == (1, "samples")
    assert all(" " not in flag for flag in record.flags)
    assert result_key(record)[-1] == wanted.protocol.name


@pytest.mark.parametrize("version", VERSIONS)
def test_it_refuses_todays_spec(harnesses: dict[int, Path], version: int) -> None:
    answer = answer_of(harnesses[version], encode_spec(spec()))
    assert answer.returncode == 2
    assert b"unknown field" in answer.stderr


def test_a_spec_version_never_published_is_refused() -> None:
    with pytest.raises(ValueError, match="spec version 7 is unknown"):
        encode_spec(spec(), version=7)


def test_a_record_version_never_published_is_refused() -> None:
    with pytest.raises(msgspec.ValidationError, match="record_version is 99"):
        decode_record(b'{"record_version": 99}')
