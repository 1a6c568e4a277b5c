"""Files that are written once in a process, and removed with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness import scratch


def test_files_are_written_once_and_anew_after_they_were_removed() -> None:
    written: list[Path] = []

    def write(folder: Path) -> None:
        written.append(folder)
        (folder / "file").write_text("here")

    with scratch.cleared():
        first = scratch.written("key", write)
        assert scratch.written("key", write) == first and written == [first]
        assert scratch.written("another key", write) != first
    assert not any(folder.exists() for folder in written)
    with scratch.cleared():
        assert (scratch.written("key", write) / "file").read_text() == "here"
    assert len(written) == 3


def test_half_of_the_files_are_none() -> None:
    tried: list[Path] = []

    def full(folder: Path) -> None:
        tried.append(folder)
        (folder / "file").write_text("half")
        raise OSError("no space left on device")

    with scratch.cleared():
        for _ in range(2):
            with pytest.raises(OSError, match="no space"):
                scratch.written("key", full)
    assert len(tried) == 2 and not any(folder.exists() for folder in tried)
