"""Folders are made to hold exactly some files: what is the same is left alone, whatever way it comes."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from framebench.pages.write import Content, Keyed, Twin, tree, write_tree

NAMES = st.from_regex(r"\A[a-c](/[d-f]){0,2}\.txt\Z")
TREES = st.dictionaries(NAMES, st.binary(max_size=3), max_size=6)


@settings(deadline=None)
@given(TREES, TREES)
def test_a_folder_holds_the_last_files_and_nothing_else(
    first: dict[str, bytes], last: dict[str, bytes]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder, "site")
        write_tree(target, first)
        assert write_tree(target, last) == sum(first.get(name) != content for name, content in last.items())
        assert {name: path.read_bytes() for name, path in tree(target).items()} == last
        assert all(any(path.iterdir()) for path in target.rglob("*") if path.is_dir())
        assert write_tree(target, last) == 0


def test_a_copied_file_is_left_alone_where_its_bytes_are_the_same(tmp_path: Path) -> None:
    source, target = tmp_path / "a.json", tmp_path / "site"
    source.write_text("{}")
    files: dict[str, Content] = {"b/a.json": source, "b/made.txt": lambda: "made"}
    assert write_tree(target, files) == 2
    assert (target / "b" / "a.json").stat().st_mtime_ns == source.stat().st_mtime_ns
    assert write_tree(target, files) == 0
    os.utime(source, ns=(0, 0))  # written anew, as MkDocs does at every build
    assert write_tree(target, files) == 0
    source.write_text("[]")
    assert write_tree(target, files) == 1 and (target / "b" / "a.json").read_text() == "[]"


def test_what_has_a_key_is_made_where_the_key_or_the_file_is_another(tmp_path: Path) -> None:
    target, made = tmp_path / "site", []

    def build(key: bytes, text: str) -> list[str]:
        made.clear()
        write_tree(target, {"a.html": Keyed(key, lambda: made.append(text) or text)})  # type: ignore[func-returns-value]
        assert (target / "a.html").read_text() == text
        return [*made]

    assert build(b"1", "one") == ["one"]
    assert build(b"1", "one") == []
    assert build(b"2", "two") == ["two"]
    assert build(b"1", "one") == ["one"]
    found = (target / "a.html").stat()
    time.sleep(0.02)  # a tick of the disk's clock
    (target / "a.html").write_text("own")  # by somebody else, with size and time as before
    os.utime(target / "a.html", ns=(found.st_atime_ns, found.st_mtime_ns))
    assert build(b"1", "one") == ["one"]
    (target / "a.html").unlink()
    assert build(b"1", "one") == ["one"]
    (tmp_path / "site.made").write_bytes(b"torn")
    assert build(b"1", "one") == ["one"]
    assert build(b"1", "one") == []


def test_a_twin_is_the_same_file_and_changes_with_it(tmp_path: Path) -> None:
    target = tmp_path / "site"
    for content in (b"1", b"1", b"22", b"33"):
        write_tree(target, {"a.csv": content, "zh/a.csv": Twin("a.csv")})
        assert (target / "zh" / "a.csv").read_bytes() == content
        assert (target / "a.csv").samefile(target / "zh" / "a.csv")
    write_tree(target, {"a.csv": b"44", "zh/a.csv": b"own"})
    assert (target / "a.csv").read_bytes() == b"44" and (target / "zh" / "a.csv").read_bytes() == b"own"


def test_a_file_that_is_copied_keeps_its_source_when_it_changes(tmp_path: Path) -> None:
    source, target = tmp_path / "record.json", tmp_path / "site"
    source.write_text("{}")
    write_tree(target, {"a.json": source})
    (target / "a.json").unlink()
    os.link(source, target / "a.json")
    write_tree(target, {"a.json": "other"})
    assert source.read_text() == "{}" and (target / "a.json").read_text() == "other"
