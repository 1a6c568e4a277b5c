"""input_pipeline: its files are images that others read, and what the gate expects is what lies in them."""

from __future__ import annotations

import importlib.util
import struct
from pathlib import Path

import numpy as np
import pytest

from harness import frameworks, scratch, workloads
from harness.record import Case, Contender
from harness.workloads.input_pipeline.spec import SPEC, Preset, images, loaded, preset, read, write
from tests.requirement import require

SMALL = preset("smoke", stored=66, files=5)  # 198 bytes a row, filled up to 200


def test_a_file_is_a_bmp_of_its_image(tmp_path: Path) -> None:
    write(tmp_path, SMALL)
    files = sorted(tmp_path.rglob("*.bmp"))
    assert [path.parent.name for path in files] == ["0000", "0001", "0002", "0003", "0004"]
    data = files[3].read_bytes()
    kind, size, _, _, start = struct.unpack_from("<2sIHHI", data)
    header, width, height, planes, bits, compression = struct.unpack_from("<IiiHHI", data, 14)
    assert (kind, size, start, header) == (b"BM", len(data), 54, 40)
    assert (width, height, planes, bits, compression) == (66, 66, 1, 24, 0)
    blue, green, red = data[start : start + 3]  # of the lowest row's first pixel
    assert [red, green, blue] == images(SMALL)[3, 65, 0].tolist()
    assert data[start + 198 : start + 200] == b"\0\0"
    np.testing.assert_array_equal(read(str(files[3]), SMALL.stored), images(SMALL)[3])


@pytest.mark.parametrize("name", sorted(SPEC.presets))
def test_the_network_is_that_of_the_workload_with_ready_batches(name: str) -> None:
    assert SPEC.ready is not None
    ready, own = workloads.get(SPEC.ready), SPEC.presets[name]
    theirs = ready.presets[name]
    assert {field: getattr(own, field) for field in theirs._fields} == theirs._asdict()
    assert SPEC.tensors(own) == ready.tensors(theirs)
    assert SPEC.optimizer == ready.optimizer
    assert SPEC.flops(own, 7, "train") == ready.flops(theirs, 7, "train")


def test_what_a_loader_has_to_give() -> None:
    pixels = images(SMALL)
    given = {
        "file": np.array([[4, 0]]),
        "row": np.array([[2, 0]]),
        "column": np.array([[1, 2]]),
        "mirrored": np.array([[0, 1]]),
    }
    made = loaded(SMALL, given)
    assert made["image"].shape == (1, 2, 64, 64, 3) and made["image"].dtype == np.float32
    assert made["label"].tolist() == [[4, 0]]
    assert made["image"][0, 0, 5, 7, 1] == pixels[4, 2 + 5, 1 + 7, 1] / 128 - 1
    assert made["image"][0, 1, 5, 7, 1] == pixels[0, 5, 2 + 63 - 7, 1] / 128 - 1
    assert ((made["image"] + 1) * 128 == np.rint((made["image"] + 1) * 128)).all()  # exact


def test_every_place_is_drawn() -> None:
    one: Preset = SPEC.presets["cpu"]
    made = SPEC.batches(one, 64, 0)
    assert one.places == 9
    for name, below in (("row", 9), ("column", 9), ("mirrored", 2), ("file", one.files)):
        assert made[name].min() >= 0 and made[name].max() == below - 1


@pytest.mark.frameworks
def test_a_loader_passes_and_with_any_planted_fault_it_does_not() -> None:
    require("frameworks", importlib.util.find_spec("torch") is not None, "torch is not installed")
    from harness.gate import mutants
    from harness.gate.check import check

    case = Case(workload="input_pipeline", preset="smoke", task="load", batch=8, cores=2)
    contender = Contender(stack="torch", mode="eager")
    stack = frameworks.load("torch")
    stack.configure(case, contender, 0)
    with scratch.cleared():
        right = check(case, contender, stack, frameworks.build)
        assert [diff.what for part in right for diff in part.diffs if not diff.passed] == []
        fates = list(mutants.plant(case, contender, stack))
    assert {"nothing is mirrored", "one batch over and over", "half of the steps"} <= {
        one.name for one in fates if one.applies
    }
    assert [one.name for one in fates if one.applies and not one.by] == []
    assert [one.by for one in fates if (one.by or "").startswith("could not")] == []
