"""A site that is built again is, byte for byte, what a build from nothing makes; and only what changed is made."""

from __future__ import annotations

from pathlib import Path

import pytest

from framebench.pages import build_site, mkdocs_build, result
from framebench.records import store
from tests.record_factory import CASE, CONTENDERS, MLP_CASE, make_record, make_trials, trial_id

ROOT = Path(__file__).resolve().parents[2]


def files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


def test_built_again_is_built_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    results, out = tmp_path / "results", tmp_path / "build" / "site"
    for record in make_trials(contenders=CONTENDERS[:2], kinds=("parity", "timing"), rounds=3):
        store.write(record, results)
    build_site(ROOT, [results], out)

    with monkeypatch.context() as patch:  # nothing has changed: nothing is rendered
        patch.setattr(mkdocs_build, "_run", None)
        patch.setattr(result, "page", None)
        assert build_site(ROOT, [results], out).written == 0

    made: list[str] = []
    page = result.page
    for record in make_trials(contenders=CONTENDERS[:1], cases=[MLP_CASE], rounds=1, seed=20):
        store.write(record, results)
    with monkeypatch.context() as patch:  # one new result: its page in each language, and those of no other
        patch.setattr(result, "page", lambda one, evidence: made.append(one.id) or page(one, evidence))
        build_site(ROOT, [results], out)
    assert len(made) == 2 and len(set(made)) == 1

    more = make_record(
        trial_id=trial_id(60_000), round=4, campaign_id=trial_id(7_000_000), case=CASE, step_ns=50e6
    )
    gone = next(path for path, record in store.load([results]).records if record.kind == "parity")
    store.write(more, results)  # a result changes, and with it what the other one is compared with
    gone.unlink()
    build_site(ROOT, [results], out)

    anew = tmp_path / "anew" / "site"
    build_site(ROOT, [results], anew)
    one, other = files(out), files(anew)
    assert one.keys() == other.keys()
    assert [name for name in one if one[name] != other[name]] == []
    assert not [name for name in one if name.endswith(".html") and b"set in-->" in one[name]]
    assert not [name for name in one if name.endswith(".html") and b"data-set-in" in one[name]]
