"""A result's page is made again only where its key has changed: so whatever changes a page has to change its key."""

from __future__ import annotations

import functools
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from framebench import dataset
from framebench.pages import badge, result
from framebench.pages.depends import Dependencies
from framebench.pages.evidence import Evidence, gather
from framebench.pages.fingerprint import fingerprint
from framebench.records import store
from framebench.records.index import Index
from framebench.records.manifests import place
from framebench.records.placing import sidecar_path
from framebench.records.waivers import WAIVERS
from harness.record import ImageRef, Protocol, Record
from tests.record_factory import (
    CASE,
    CONTENDERS,
    gate_sidecar,
    make_record,
    make_reproduction,
    make_trials,
    parity,
    sha,
    trial_id,
)

ROOT = Path(__file__).resolve().parents[2]
EAGER, COMPILED, TENSORFLOW, _KERAS = CONTENDERS
LATER = "2026-11-25T10:00:00Z"


def first_records() -> list[Record]:
    return make_trials(contenders=CONTENDERS[:3], kinds=("parity", "memory", "timing"), rounds=3)


def evidence_of(folder: Path) -> Evidence:
    index = Index(folder.parent / "index", folder)
    retired = ("torch-2.13.0-cpu-py311",) if (folder / "retired").exists() else ()
    return gather(ROOT, dataset.load([folder], published=folder, retired=retired, index=index))


def made(folder: Path) -> tuple[dict[str, str], dict[str, bytes]]:
    """By result, all that is made of it, and its key."""
    evidence = evidence_of(folder)
    badges: dict[str, str] = {}
    for _name, (one, draw) in sorted(badge.files(evidence).items()):
        badges[one.id] = badges.get(one.id, "") + draw()
    depends = Dependencies(evidence)
    results = evidence.dataset.results
    pages = {one.id: f"{result.page(one, evidence)}{badges[one.id]}" for one in results}
    return pages, {one.id: depends.of(one) for one in results}


def add(folder: Path, *records: Record) -> None:
    for record in records:
        store.write(record, folder)


def trial(number: int, **changes: object) -> Record:
    return make_record(trial_id=trial_id(80_000 + number), started_utc=LATER, **changes)


def another_trial(folder: Path) -> None:
    add(folder, trial(1, contender=TENSORFLOW, round=4, campaign_id=trial_id(7_000_000), step_ns=30e6))


def another_contender(folder: Path) -> None:
    twin = msgspec.structs.replace(EAGER, variant="channels-last")
    add(folder, *make_trials(contenders=[twin], seed=30, rounds=3, campaign_id=trial_id(7_000_000)))


def a_twin(folder: Path) -> None:
    twin = msgspec.structs.replace(EAGER, twin=True)
    add(folder, *make_trials(contenders=[twin], seed=31, rounds=3, campaign_id=trial_id(7_000_000)))


def another_version(folder: Path) -> None:
    image = ImageRef(
        name="torch-2.12.0-cpu-py311", config_digest=f"sha256:{sha('old')}", lock_sha256=sha("l")
    )
    add(folder, *make_trials(contenders=[EAGER], seed=32, rounds=3, image=image))


def a_newer_result(folder: Path) -> None:
    add(folder, *make_trials(contenders=[COMPILED], seed=33, rounds=3, started_utc=LATER, image=_rebuilt()))


def _rebuilt() -> ImageRef:
    return ImageRef(name="torch-2.13.0-cpu-py311", config_digest=f"sha256:{sha('new')}", lock_sha256=sha("n"))


def another_protocol(folder: Path) -> None:
    protocol = Protocol(name="cpu", measure_blocks=7)
    add(folder, *make_trials(contenders=[EAGER], seed=34, rounds=3, started_utc=LATER, protocol=protocol))


def a_ceiling(folder: Path) -> None:
    add(folder, trial(2, kind="ceiling"))


def a_gate_that_fails(folder: Path) -> None:
    add(
        folder, trial(3, kind="parity", parity=parity(False), contender=COMPILED, sidecar=gate_sidecar(False))
    )


def a_reproduction(folder: Path) -> None:
    wanted = next(one for one in dataset.load([folder]).results if one.contender == COMPILED)
    store.write_reproduction(make_reproduction(wanted.id), folder)


def a_waiver(folder: Path) -> None:
    path = store.load([folder]).records[0][0]
    until = datetime.now(UTC).date() + timedelta(days=9)
    words = [f'file = "{place(path)}"', 'rule = "sums"', 'why = "known"', 'by = "grace"', f"until = {until}"]
    (folder / WAIVERS).write_text("\n".join(["[[waiver]]", *words, ""]))


def an_image_retired(folder: Path) -> None:
    (folder / "retired").touch()


def a_record_lost(folder: Path) -> None:
    path, record = next(pair for pair in store.load([folder]).records if pair[1].kind == "memory")
    path.unlink()
    sidecar_path(path).unlink(missing_ok=True)
    assert record.memory is not None


def a_record_edited(folder: Path) -> None:
    path = next(path for path, record in store.load([folder]).records if record.kind == "memory")
    path.write_bytes(path.read_bytes().replace(b"734003200", b"934003200"))


CHANGES: list[Callable[[Path], None]] = [
    another_trial,
    another_contender,
    a_twin,
    another_version,
    a_newer_result,
    another_protocol,
    a_ceiling,
    a_gate_that_fails,
    a_reproduction,
    a_waiver,
    an_image_retired,
    a_record_lost,
    a_record_edited,
]


@functools.cache
def _unchanged() -> list[Record]:
    return first_records()


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_a_page_that_changes_has_another_key(change: Callable[[Path], None], tmp_path: Path) -> None:
    folder = tmp_path / "results"
    add(folder, *_unchanged())
    pages, keys = made(folder)
    change(folder)
    pages_after, keys_after = made(folder)
    differ = {name for name in pages if pages_after.get(name) != pages[name]}
    assert differ or pages_after.keys() != pages.keys(), "the change has to show somewhere"
    assert {name for name in differ & keys_after.keys() if keys_after[name] == keys[name]} == set()


def test_what_nobody_touched_keeps_its_key(tmp_path: Path) -> None:
    folder = tmp_path / "results"
    add(folder, *_unchanged())
    _, keys = made(folder)
    add(
        folder,
        *make_trials(contenders=[EAGER], cases=[_elsewhere()], seed=40, rounds=1, host_id="other-2c-00"),
    )
    _, after = made(folder)
    assert len(after) == len(keys) + 1 and keys.items() <= after.items()


def _elsewhere() -> object:
    return msgspec.structs.replace(CASE, preset="smoke")


def test_what_the_gates_were_proven_to_catch_is_in_every_key(tmp_path: Path) -> None:
    found = set()
    for name in ("nothing", "proven", "proven anew"):
        folder = tmp_path / name / "harness" / "workloads" / "mlp"
        folder.mkdir(parents=True)
        if name != "nothing":
            (folder / "proofs.json").write_text(f'{{"{name}": {{}}}}')
        found.add(fingerprint(tmp_path / name))
    assert len(found) == 3
