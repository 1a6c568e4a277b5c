"""Folders are made to hold exactly some files: what is the same is left alone, whatever way it comes."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from framebench.pages.write import Content, tree, write_tree

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
