"""Files that cannot be what they ought to be: each is one line with a mend, whatever its name, and stops nothing."""

from __future__ import annotations

import errno
import gzip
import hashlib
import io
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner
from rich.console import Console

from framebench import checking, dataset
from framebench.checking import History
from framebench.cli import _os_sentence, cli
from framebench.commands import against, check
from framebench.errors import UserError
from framebench.pages.evidence import gather
from framebench.pages.site import render
from framebench.records import store
from tests.record_factory import make_record, trial_id

ROOT = Path(__file__).parents[2]
NAMES = [b"\xff\xfe.json", b"a\n::error::all is well.json", "\u202egpj.json".encode(), b"\x1b[2J"]


@contextmanager
def nobody() -> Iterator[None]:
    """Root may read everything."""
    me = os.geteuid()
    if me == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(me)


def said(results: Path, *paths: Path) -> tuple[int, list[str]]:
    """What `framebench check` answers, before a terminal makes it visible."""
    written = io.StringIO()
    code = check.run(results.parent, paths, Console(file=written, width=10_000))
    return code, written.getvalue().splitlines()


@pytest.mark.parametrize("name", NAMES, ids=["no UTF-8", "line end", "other direction", "escape"])
def test_a_name_that_is_no_text_is_one_line_everywhere(name: bytes, tmp_path: Path) -> None:
    results = tmp_path / "results"
    store.write(make_record(), results)
    Path(os.fsdecode(os.fsencode(results) + b"/" + name)).write_text("{}")
    (broken,) = store.load([results]).broken
    assert str(broken).isprintable() and "rename it" in str(broken)
    code, lines = said(results, results)
    assert code == 1 and any("rename it" in line for line in lines)
    assert all(line.isprintable() and not line.startswith("::") for line in lines)
    pages = render(gather(ROOT, dataset.load([results])))
    shown = next(
        text for page, text in pages.items() if page.startswith("problems") and isinstance(text, str)
    )
    assert "rename it" in shown
    assert all(text.encode() for text in pages.values() if isinstance(text, str) and text)


def test_a_folder_and_a_file_that_nobody_may_read_are_said_with_the_mend(tmp_path: Path) -> None:
    results = tmp_path / "results"
    paths = [store.write(make_record(trial_id=trial_id(n), host_id=f"h{n}"), results) for n in (1, 2, 3)]
    for folder in (tmp_path, *tmp_path.parents):
        if folder.is_relative_to(Path("/tmp")) and folder != Path("/tmp"):
            folder.chmod(0o755)
    paths[0].chmod(0)
    closed = results / "h2"
    closed.chmod(0)
    with nobody():
        loaded = store.load([results])
    closed.chmod(0o755)
    assert [path for path, _ in loaded.records] == [paths[2]]
    assert [str(one) for one in loaded.faults] == [
        f"{paths[0]}: cannot be read (Permission denied); check its permissions",
        f"{closed}: cannot be read (Permission denied); check its permissions",
    ]


def test_a_link_that_leads_to_itself_is_said_with_the_mend(tmp_path: Path) -> None:
    path = store.write(make_record(), tmp_path)
    path.unlink()
    path.symlink_to(path)
    (broken,) = store.load([tmp_path]).broken
    assert broken.reason.endswith("it leads to itself: delete it")


def test_a_path_without_a_record_is_never_sound(tmp_path: Path) -> None:
    results = tmp_path / "results"
    path = store.write(make_record(), results)
    empty, other = tmp_path / "empty", tmp_path / "other"
    empty.mkdir()
    other.mkdir()
    shutil.copyfile(path, other / "x.JSON")
    for nothing in (empty, other, Path("/etc/passwd")):
        with pytest.raises(UserError, match=f"{nothing}: holds no record"):
            said(results, results, nothing)
    with pytest.raises(UserError, match="no such file or folder"):
        said(results, tmp_path / "absent")
    with pytest.raises(UserError, match=f"--against {tmp_path}/absent: no such file or folder"):
        against.run([tmp_path / "not there either"], tmp_path / "absent", Console(file=io.StringIO()))


@pytest.mark.parametrize("arguments", [["check", ""], ["show", "--results", ""], ["check", "--against", ""]])
def test_an_empty_path_is_no_folder(arguments: list[str]) -> None:
    answer = CliRunner().invoke(cli, arguments)
    assert answer.exit_code == 2 and "the path is empty" in answer.output


def refused(results: Path) -> list[str]:
    return [str(one.doubt) for one in checking.check([results], results, History(ROOT)).refused]


def test_a_field_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    """One reader believes the first, another the last."""
    path = store.write(make_record(), tmp_path)
    text = path.read_text()
    assert not any(one.startswith("duration_ns: it is there twice") for one in refused(tmp_path))
    path.write_text(text.replace('"duration_ns":', '"duration_ns": 1,\n "duration_ns":', 1))
    assert any(one.startswith("duration_ns: it is there twice") for one in refused(tmp_path))


def test_a_sidecar_that_unzips_without_end_is_refused_beside_any_record(tmp_path: Path) -> None:
    """Also where the record has nothing that the sidecar would prove."""
    path, bomb = (
        store.write(make_record(kind="memory", timing=None), tmp_path),
        gzip.compress(bytes(100 << 20)),
    )
    path.with_suffix(".sidecar.json.gz").write_bytes(bomb)
    document = json.loads(path.read_bytes()) | {"sidecar": {"sha256": hashlib.sha256(bomb).hexdigest()}}
    path.write_text(json.dumps(document))
    assert any(
        "sidecar: holds nothing: no JSON in one whole gzip of at most 16 MiB" in one
        for one in refused(tmp_path)
    )


@pytest.mark.parametrize("code", ["EACCES", "EPERM", "EROFS", "ELOOP", "EISDIR"])
def test_what_the_system_refuses_has_a_mend(code: str) -> None:
    number = getattr(errno, code)
    said = _os_sentence(OSError(number, os.strerror(number), "/some/where"))
    assert said.startswith(f"{os.strerror(number)}: /some/where; ")
