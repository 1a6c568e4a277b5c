"""The archive that a pack leaves: what is in it comes back as it was, and whatever else is in one is refused."""

from __future__ import annotations

import gzip
import io
import tarfile
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from framebench.cli import main
from framebench.errors import UserError
from framebench.pack import results_archive
from framebench.pack.results_archive import Unpacked, unpack, write_archive
from framebench.records import store
from framebench.records.placing import sidecar_path
from harness.record import OwnBuild
from tests.record_factory import inline_sidecar, make_record, sha, trial_id

RECORDS = [make_record(executor="system", trial_id=trial_id(number)) for number in (1, 2)]


@pytest.fixture
def measured(tmp_path: Path) -> Path:
    """A folder of two records, the first with its sidecar."""
    folder = tmp_path / "measured"
    store.write(msgspec.structs.replace(RECORDS[0], sidecar=inline_sidecar()), folder)
    store.write(msgspec.structs.replace(RECORDS[1], sidecar=None), folder)
    return folder


@pytest.fixture
def results(tmp_path: Path) -> Path:
    (tmp_path / "results").mkdir()
    return tmp_path / "results"


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


def test_records_and_sidecars_come_back_as_they_were(measured: Path, results: Path, tmp_path: Path) -> None:
    archive = tmp_path / "a.tar.gz"
    assert write_archive(measured, archive) == 2
    assert unpack(archive, results) == Unpacked(stored=2, there_already=0)
    assert contents(results) == contents(measured)
    assert store.load([results]).faults == []
    assert unpack(archive, results) == Unpacked(stored=0, there_already=2)


def test_the_same_records_are_the_same_archive_and_a_half_written_one_is_left_out(
    measured: Path, tmp_path: Path
) -> None:
    one, two = tmp_path / "one.tar.gz", tmp_path / "two.tar.gz"
    write_archive(measured, one)
    record = next(measured.rglob("*.json"))
    record.with_name(f".{record.name}.1.tmp").write_bytes(record.read_bytes()[:100])
    write_archive(measured, two)
    assert one.read_bytes() == two.read_bytes()


def test_without_a_record_there_is_no_archive(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert write_archive(tmp_path / "empty", tmp_path / "a.tar.gz") == 0
    assert not (tmp_path / "a.tar.gz").exists()


def test_another_record_of_the_same_trial_is_never_overwritten(
    measured: Path, results: Path, tmp_path: Path
) -> None:
    archive = tmp_path / "a.tar.gz"
    write_archive(measured, archive)
    there = store.write(msgspec.structs.replace(RECORDS[1], seed=99, sidecar=None), results)
    before = contents(results)
    with pytest.raises(UserError, match=f"another record of trial {there.stem} is there already"):
        unpack(archive, results)
    assert contents(results) == before


def tarball(*entries: tuple[tarfile.TarInfo, bytes]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for entry, data in entries:
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    return packed.getvalue()


def named(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname = kind, link
    return entry


PLACE = "host/mlp/case/torch-eager--system"


@pytest.mark.parametrize(
    ("entry", "data", "said"),
    [
        (named("../../../../evil.json"), b"{}", "is no place of a record"),
        (named("/etc/a/b/c/evil.json"), b"{}", "is no place of a record"),
        (named("host/mlp/../torch/evil.json"), b"{}", "is no place of a record"),
        (named(f"{PLACE}/evil.py"), b"{}", "is no place of a record"),
        (named("reproductions/mlp/case/torch/evil.json"), b"{}", "is no place of a record"),
        (named(f"{PLACE}/a.json", tarfile.SYMTYPE, "/etc/passwd"), b"", "is no plain file"),
        (named(f"{PLACE}/a.json", tarfile.LNKTYPE, "b.json"), b"", "is no plain file"),
        (named(f"{PLACE}/a.json", tarfile.FIFOTYPE), b"", "is no plain file"),
        (named(PLACE, tarfile.DIRTYPE), b"", "is no plain file"),
        (named(f"{PLACE}/a.json"), b" " * 25000, "25000 bytes, and at most 24576 are allowed"),
        (named(f"{PLACE}/a.sidecar.json.gz"), b"no gzip", "is no gzip "),
        (
            named(f"{PLACE}/a.sidecar.json.gz"),
            gzip.compress(bytes(20 << 20)),
            "is not one whole gzip of at most 16 MiB",
        ),
        (named(f"{PLACE}/a.sidecar.json.gz"), gzip.compress(b"{}"), "a sidecar without its record"),
        (named(f"{PLACE}/a.json"), b"{}", "missing required field"),
        (named(f"{PLACE}/a.json"), b"[" * 4000, "a.json"),
    ],
)
def test_what_is_no_record_is_refused_and_nothing_is_stored(
    entry: tarfile.TarInfo, data: bytes, said: str, measured: Path, results: Path, tmp_path: Path
) -> None:
    path = next(path for path in measured.rglob("*.json") if not sidecar_path(path).exists())
    sound = (named(path.relative_to(measured).as_posix()), path.read_bytes())
    archive = tmp_path / "a.tar.gz"
    archive.write_bytes(tarball(sound, (entry, data)))
    before = contents(tmp_path)
    with pytest.raises(UserError) as refused:
        unpack(archive, results)
    assert said in str(refused.value) and str(refused.value).startswith(str(archive))
    assert contents(tmp_path) == before


def test_twice_the_same_name_is_refused(measured: Path, results: Path, tmp_path: Path) -> None:
    entry = (named(f"{PLACE}/a.json"), b"{}")
    (tmp_path / "a.tar.gz").write_bytes(tarball(entry, entry))
    with pytest.raises(UserError, match="is in it twice"):
        unpack(tmp_path / "a.tar.gz", results)


def test_a_record_in_anothers_place_or_of_an_own_build_is_refused(results: Path, tmp_path: Path) -> None:
    own = OwnBuild(distribution="torch", version="2.13.0", file="torch.whl", sha256=sha("own"))
    image = msgspec.structs.replace(RECORDS[0].image, own_builds=(own,))
    folder = tmp_path / "measured"
    path = store.write(msgspec.structs.replace(RECORDS[0], image=image, sidecar=None), folder)
    for name in (path.relative_to(folder).as_posix(), f"{PLACE}/{path.name}"):
        (tmp_path / "a.tar.gz").write_bytes(tarball((named(name), path.read_bytes())))
        with pytest.raises(UserError, match="nothing was stored"):
            unpack(tmp_path / "a.tar.gz", results)
    assert contents(results) == {}


def bomb() -> bytes:
    """A tar whose extended header claims to be, and is, half a gigabyte."""
    header = tarfile.TarInfo("x")
    header.type, header.size = tarfile.XHDTYPE, 512 << 20
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb", compresslevel=1) as zipped:
        zipped.write(header.tobuf())
        for _ in range(512):
            zipped.write(bytes(1 << 20))
    return packed.getvalue()


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda whole: bomb(), "holds more than 256 MiB"),
        (lambda whole: whole[:200], "is no whole gzipped tar"),
        (lambda whole: b"<html>", "is no whole gzipped tar"),
        (lambda whole: gzip.compress(b"no tar"), "is no whole gzipped tar"),
        (lambda whole: b"", "is no whole gzipped tar"),
    ],
)
def test_what_is_no_archive_or_has_no_end_is_refused(
    spoil: Callable[[bytes], bytes], said: str, measured: Path, results: Path, tmp_path: Path
) -> None:
    archive = tmp_path / "a.tar.gz"
    write_archive(measured, archive)
    archive.write_bytes(spoil(archive.read_bytes()))
    with pytest.raises(UserError, match=said):
        unpack(archive, results)
    assert contents(results) == {}


def test_too_many_files_are_refused(results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results_archive, "MOST_FILES", 3)
    (tmp_path / "a.tar.gz").write_bytes(
        tarball(*[(named(f"{PLACE}/{number}.json"), b"{}") for number in range(4)])
    )
    with pytest.raises(UserError, match="more than 3 files"):
        unpack(tmp_path / "a.tar.gz", results)


def test_an_archive_that_is_not_there_is_one_sentence_and_exit_code_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["framebench", "unpack", str(tmp_path / "none.tar.gz")])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert capsys.readouterr().err.strip() == (
        f"framebench: {tmp_path / 'none.tar.gz'} does not exist; name the archive that a pack left."
    )


def test_a_folder_that_cannot_be_written_is_said(measured: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="cannot be written"):
        write_archive(measured, tmp_path / "file" / "a.tar.gz")
