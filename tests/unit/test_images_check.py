"""When two builds differ, the first difference is named: layer, file and what of it."""

import json
from pathlib import Path

import pytest

from framebench.errors import UserError
from framebench.images import load_matrix
from framebench.images.audit.two_builds import first_difference, load_rebuilds
from framebench.images.make.assembly import Assembled, Part
from framebench.images.make.canonical import Entry, Layer, config, write_entries

ROOT = Path(__file__).resolve().parents[2]
EPOCH = 1780272000
FILES = [Entry("opt", 0o755), Entry("opt/a.py", 0o644, b"a" * 10), Entry("opt/b", 0o644, b"b")]


def assembled(folder: Path, entries: list[Entry], epoch: int = EPOCH, user: str = "1000:1000") -> Assembled:
    folder.mkdir()
    parts = []
    for number, content in enumerate(([Entry("etc", 0o755)], entries)):
        path = folder / f"{number}.tar"
        digest = write_entries(content, path, epoch if number else EPOCH)
        parts.append(Part(Layer(digest, path, path.stat().st_size), ("base", "thing==1.0")[number]))
    image = config([part.layer for part in parts], {"User": user}, EPOCH, "amd64")
    return Assembled(load_matrix(ROOT).rows[0], image, parts, EPOCH, "", "", "")


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ([*FILES, Entry("opt/c", 0o644, b"")], "layer 2 (thing==1.0): opt/c is in one build only"),
        ([FILES[0], FILES[2]], "layer 2 (thing==1.0): opt/a.py is in one build only"),
        (
            [*FILES[:2], Entry("opt/b", 0o755, b"b")],
            "layer 2 (thing==1.0): opt/b: mode 420 in one build, 493 in",
        ),
        (
            [FILES[0], Entry("opt/a.py", 0o644, b"a" * 7 + b"xyz"), FILES[2]],
            "opt/a.py: contents differ from byte 7",
        ),
    ],
)
def test_the_first_file_that_differs_is_named(tmp_path: Path, other: list[Entry], said: str) -> None:
    assert said in first_difference(assembled(tmp_path / "1", FILES), assembled(tmp_path / "2", other))


def test_a_time_that_leaked_is_named(tmp_path: Path) -> None:
    late = assembled(tmp_path / "2", FILES, epoch=EPOCH + 1)
    said = first_difference(assembled(tmp_path / "1", FILES), late)
    assert said == f"layer 2 (thing==1.0): opt: mtime {EPOCH} in one build, {EPOCH + 1} in the other"


def test_a_config_that_differs_is_named(tmp_path: Path) -> None:
    said = first_difference(assembled(tmp_path / "1", FILES), assembled(tmp_path / "2", FILES, user="0:0"))
    assert said == "the config's User: 1000:1000 in one build, 0:0 in the other"


def test_the_record_of_rebuilds_is_read_strictly(tmp_path: Path) -> None:
    assert load_rebuilds(tmp_path) == {}
    (tmp_path / "containers").mkdir()
    (tmp_path / "containers" / "rebuilds.json").write_text(json.dumps({"x": {"name": "x"}}))
    with pytest.raises(UserError, match=r"rebuilds\.json: .*missing required field"):
        load_rebuilds(tmp_path)
