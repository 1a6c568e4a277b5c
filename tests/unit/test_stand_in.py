"""A driver that stands in for a GPU is told by what its devices say of themselves; its records are shown, never ranked
and never published."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from framebench import dataset
from framebench.checking import History, check
from framebench.records import store
from harness import flags
from harness.record import Gpu, Record
from tests.record_factory import CASE, CONTENDERS, make_record, make_trials, sha

ROOT = Path(__file__).resolve().parents[2]
FAKE, CARD, UNKNOWN = (
    Gpu(name="Some GPU", uuid_sha256=sha("gpu"), pci_device_id=pci)
    for pci in ("0x2335fa4e", "0x233510de", None)
)


@pytest.mark.parametrize("pci", ["", "no number", "0x", "2335", "0x233510DE"])
def test_what_is_no_id_of_a_card_is_no_record(pci: str) -> None:
    """So that nobody who reads it later meets it."""
    with pytest.raises(msgspec.ValidationError, match="pci_device_id"):
        msgspec.convert({"name": "Some GPU", "uuid_sha256": sha("gpu"), "pci_device_id": pci}, Gpu)


def on(gpu: Gpu, records: list[Record]) -> list[Record]:
    return [
        msgspec.structs.replace(one, hardware=msgspec.structs.replace(one.hardware, gpus=[gpu]))
        for one in records
    ]


@pytest.mark.parametrize(("gpu", "found"), [(FAKE, [flags.STAND_IN]), (CARD, []), (UNKNOWN, [])])
def test_only_another_vendor_than_nvidia_stands_in(gpu: Gpu, found: list[str]) -> None:
    hardware = make_record().hardware
    assert hardware is not None
    assert flags.stand_in(hardware) == []
    assert flags.stand_in(msgspec.structs.replace(hardware, gpus=[CARD, gpu])) == found


def test_its_result_is_marked_and_takes_no_place_whatever_its_flags_say() -> None:
    case = msgspec.structs.replace(CASE, device="gpu")
    (one,) = dataset.results(on(FAKE, make_trials(contenders=CONTENDERS[:1], cases=[case])))
    assert one.unranked_because == flags.STAND_IN and one.flags[flags.STAND_IN] == len(one.records)
    (other,) = dataset.results(on(CARD, make_trials(contenders=CONTENDERS[:1], cases=[case])))
    assert other.ranked


def test_it_cannot_lie_among_what_is_published(tmp_path: Path) -> None:
    (record,) = on(FAKE, [make_record()])
    path = store.write(record, tmp_path / "results")
    assert store.load([tmp_path]).broken == []
    loaded = store.load([tmp_path], published=tmp_path / "results")
    (fault,) = loaded.broken
    assert not loaded.records and fault.path == path
    assert (
        "stands in for one" in fault.reason and "never published; move it to another folder" in fault.reason
    )


def test_check_refuses_it_wherever_it_lies(tmp_path: Path) -> None:
    (record,) = on(FAKE, [make_record(flags=[])])
    path = store.write(record, tmp_path)
    refused = {str(one.doubt) for one in check([path], tmp_path / "results", History(ROOT)).refused}
    assert any(
        words.startswith("hardware.gpus: Some GPU: a driver that stands in for one") for words in refused
    )
    assert any(
        words.startswith("flags: its figures deserve") and flags.STAND_IN in words for words in refused
    )
