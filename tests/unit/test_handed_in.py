"""What was handed in stays as it was: a changed byte, a file less or one more is refused; no manifest reaches out."""

from __future__ import annotations

import gzip
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from framebench import checking
from framebench.checking import History
from framebench.records import store
from framebench.records.manifests import campaigns, compose, place, sha256
from framebench.records.placing import sidecar_path
from tests.record_factory import CONTENDERS, inline_sidecar, make_record, make_reproduction, trial_id

ONE, OTHER = "0123456789ab", "cdefghjkmnpq"


def trial(number: int, campaign: str = ONE) -> Path:
    """Written below ``results`` of the working folder; the first contender's has a sidecar."""
    record = make_record(
        trial_id=trial_id(number),
        campaign_id=campaign,
        contender=CONTENDERS[number % 2],
        step_ns=8e7 + number * 1e5,
        round=number,
    )
    sidecar = inline_sidecar() if number % 2 else None
    return store.write(msgspec.structs.replace(record, sidecar=sidecar), Path("results"))


def hand_in(campaign: str = ONE) -> Path:
    results = Path("results")
    loaded = store.load([results])
    there = {name for _, manifest in loaded.manifests for name in manifest.files}
    fresh = [path for path in campaigns(loaded)[campaign] if place(path) not in there]
    return store.write_manifest(compose(campaign, fresh, None), None, results)


def doubted(*paths: Path) -> list[str]:
    """What is refused for the sake of a manifest, or because a file cannot be read."""
    results = Path("results").absolute()
    found = checking.check(paths or [results], results, History(Path.cwd()))
    fields = ("manifest", "files", "file")
    return [str(one) for one in found.refused if one.doubt.field in fields]


@pytest.fixture(autouse=True)
def campaign(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Two campaigns of which one is handed in, with a reproduction."""
    monkeypatch.chdir(tmp_path)
    for number in (1, 2, 3):
        trial(number)
    trial(4, OTHER)
    store.write_reproduction(make_reproduction("abcdefgh23", trial_ids=[trial_id(2)]), Path("results"))
    hand_in()
    yield


def handed_in() -> list[Path]:
    (manifest,) = store.load([Path("results")]).manifests
    return [Path("results", name) for name in manifest[1].files]


def test_records_sidecars_and_reproductions_of_one_campaign_are_listed_and_nothing_is_doubted() -> None:
    kinds = [path.name.partition(".")[2] for path in handed_in()]
    assert kinds.count("json") == 4 and kinds.count("sidecar.json.gz") == 2
    assert doubted() == []


@given(data=st.data())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_changed_byte_of_any_listed_file_is_refused(data: st.DataObject) -> None:
    path = data.draw(st.sampled_from(handed_in()))
    before = path.read_bytes()
    at = data.draw(st.integers(0, len(before) - 1))
    byte = data.draw(st.integers(1, 255))
    path.write_bytes(before[:at] + bytes([before[at] ^ byte]) + before[at + 1 :])
    try:
        assert any(str(path) in line or path.stem in line for line in doubted())
    finally:
        path.write_bytes(before)


def numbers(held: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    inner = held.items() if isinstance(held, dict) else enumerate(held) if isinstance(held, list) else ()
    for key, value in inner:
        if type(value) in (int, float):
            yield (*at, key)
        yield from numbers(value, (*at, key))


def test_every_changed_number_of_a_record_is_refused_wherever_the_record_is_put(tmp_path: Path) -> None:
    path = next(path for path in handed_in() if path.suffix == ".json" and not sidecar_path(path).exists())
    document = json.loads(path.read_bytes())
    elsewhere = tmp_path / "elsewhere" / place(path)
    elsewhere.parent.mkdir(parents=True)
    every = list(numbers(document))
    assert len(every) > 30
    for at in every:
        changed = json.loads(path.read_bytes())
        holder = changed
        for key in at[:-1]:
            holder = holder[key]
        holder[at[-1]] += 1
        elsewhere.write_text(json.dumps(changed))
        assert doubted(elsewhere), at


def test_a_missing_file_is_named() -> None:
    for path in handed_in():
        held = path.read_bytes()
        path.unlink()
        assert any(path.name in line for line in doubted()), path
        path.write_bytes(held)
    assert doubted() == []


def test_many_missing_files_are_one_sentence() -> None:
    (path, manifest) = store.load([Path("results")]).manifests[0]
    more = {f"a/b/c/d/{number}.json": "0" * 64 for number in range(2000)}
    path.write_bytes(msgspec.json.encode(msgspec.structs.replace(manifest, files={**manifest.files, **more})))
    (line,) = doubted()
    assert "a/b/c/d/0.json and 1999 more are missing" in line


def test_what_came_later_is_refused_until_it_is_handed_in_too() -> None:
    later = trial(5)
    (line,) = doubted()
    assert later.name in line and f"framebench submit --campaign {ONE}" in line
    first = Path("results/manifests", ONE)
    before = {path: path.read_bytes() for path in first.iterdir()}
    second = hand_in()
    assert doubted() == []
    assert {path: path.read_bytes() for path in before} == before
    assert json.loads(second.read_bytes())["files"] == {
        place(path): sha256(path) for path in (later, sidecar_path(later))
    }


def test_another_campaign_is_not_asked_for_a_manifest() -> None:
    trial(6, OTHER)
    assert doubted() == []


def test_two_manifests_that_contradict_each_other_are_both_no_witness() -> None:
    (_, manifest) = store.load([Path("results")]).manifests[0]
    lie = msgspec.structs.replace(
        manifest, manifest_id="other", files=dict.fromkeys(manifest.files, "0" * 64)
    )
    store.write_manifest(lie, None, Path("results"))
    assert len({line.split(": ")[0] for line in doubted()}) >= len(manifest.files)


def test_a_manifest_of_anothers_files_is_refused() -> None:
    (_, manifest) = store.load([Path("results")]).manifests[0]
    store.write_manifest(msgspec.structs.replace(manifest, campaign_id=OTHER), None, Path("results"))
    assert any("of another campaign" in line for line in doubted())


def test_a_listed_file_that_is_a_link_is_refused(tmp_path: Path) -> None:
    path = handed_in()[0]
    aside = tmp_path / "aside"
    shutil.move(path, aside)
    path.symlink_to(aside)
    assert any("no plain file" in line for line in doubted())
    path.unlink()
    shutil.move(aside, path)
    folder = path.parents[1]
    shutil.move(folder, aside)
    folder.symlink_to(aside)
    assert any("no plain file" in line for line in doubted())


@pytest.mark.parametrize(
    "name",
    [
        "../../../etc/passwd",
        "/etc/passwd",
        "a/b/c/d/../e.json",
        "a/b/c/d/.e.json",
        "a/b/c/d/e.json\n",
        "a/b/c/d/e\u202e.json",
        "a//c/d/e.json",
        "a/b/c/d/" + "e" * 300 + ".json",
        "selftests/one.json",
        "selftests/host/../one.json",
        "manifests/0123456789ab/one.json",
        "a/b/c/d/e.txt",
        "",
    ],
)
def test_a_place_that_no_record_has_is_refused(name: str) -> None:
    (path, manifest) = store.load([Path("results")]).manifests[0]
    hostile = msgspec.structs.replace(manifest, files={**manifest.files, name: "0" * 64})
    path.write_bytes(msgspec.json.encode(hostile))
    lines = doubted(path)
    assert lines and all("\n" not in line and len(line) < 1000 for line in lines)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}",
        b"[" * 100_000,
        b"\xff\xfe",
        b"null",
        b'{"manifest_version": 2}',
        b'{"manifest_version": 1, "manifest_id": "a", "campaign_id": "../../../x", "git_commit": null, "files": {}}',
        gzip.compress(b"{}"),
    ],
)
def test_a_broken_manifest_is_one_sentence_and_the_others_hold(content: bytes) -> None:
    broken = Path("results/manifests", OTHER, "broken.json")
    broken.parent.mkdir()
    broken.write_bytes(content)
    (line,) = doubted()
    assert line.startswith(f"{broken.absolute()}: ") and "\n" not in line and len(line) < 600
    assert [fault.path for fault in store.load([Path("results")]).faults] == [broken]


def test_a_manifest_of_a_gigabyte_or_no_plain_file_is_never_read() -> None:
    huge = Path("results/manifests", OTHER, "huge.json")
    huge.parent.mkdir()
    with huge.open("wb") as file:
        file.truncate(1 << 30)
    os.mkfifo(huge.with_name("pipe.json"))
    lines = doubted()
    assert len(lines) == 2 and all("no plain file of at most 16 MiB" in line for line in lines)


def test_a_manifest_that_lies_elsewhere_than_it_says_is_refused() -> None:
    (path, _) = store.load([Path("results")]).manifests[0]
    path.rename(path.with_name("another.json"))
    assert any("the path says 'another'" in line for line in doubted())
