"""What is behind its time says so: an old version, a retired image, a case that is to be measured again."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from framebench import dataset
from framebench.campaign.plan import Plan, Planned
from framebench.commands.plan import WIDTH, named_lines
from framebench.dataset.grouping import results
from framebench.dataset.to_measure_again import to_measure_again
from framebench.errors import UserError
from framebench.executors import StackOn, Unavailable
from framebench.executors.rows import Rows
from framebench.images import load_matrix
from framebench.images.perf_changelog import Entry, load_perf_changelog
from framebench.images.releases import Release, behind, load_releases
from framebench.pages import result
from framebench.pages.evidence import Evidence, gather
from framebench.pages.site import render
from framebench.records import store
from harness.record import Record
from tests.record_factory import CASE, CONTENDERS, MLP_CASE, make_trials

ROOT = Path(__file__).resolve().parents[2]
TORCH = CONTENDERS[0]
RELEASE = """
[[release]]
title = "PyTorch"
packages = ["torch"]
version = "2.14.1"
released = 2026-09-30
looked_up = 2026-10-01
source = "https://pypi.org/pypi/torch/json"
"""
CHANGE = """
[[change]]
date = 2026-11-24T12:00:00Z
stacks = ["torch"]
commit = "0123456"
what = "A <b>kernel</b> is another."
cases = ["convstack/*"]
"""


def checkout(folder: Path, retired: str = "", **files: str) -> Path:
    """This repository with other files in ``containers/``; the row ``retired`` is."""
    root = folder / "checkout"
    root.mkdir()
    for path in ROOT.iterdir():
        if path.name not in ("containers", "build", ".git"):
            (root / path.name).symlink_to(path)
    shutil.copytree(ROOT / "containers", root / "containers")
    matrix = root / "containers" / "images.toml"
    line = f'name = "{retired}"\n'
    assert not retired or line in matrix.read_text()
    reason = 'retired = { on = 2026-11-25, because = "Nobody <i>asks</i> for it." }\n'
    matrix.write_text(matrix.read_text().replace(line, line + reason) if retired else matrix.read_text())
    for name, text in files.items():
        (root / "containers" / f"{name.replace('_', '-')}.toml").write_text(text)
    return root


def evidence(root: Path, folder: Path, records: Sequence[Record]) -> Evidence:
    folder.mkdir()
    for record in records:
        store.write(record, folder)
    return gather(root, dataset.load([folder], retired=load_matrix(root).retired()))


def entry(**changes: Any) -> Entry:
    fields: dict[str, Any] = {
        "date": datetime(2026, 11, 24, 12, tzinfo=UTC),
        "stacks": ["torch"],
        "commit": "0123456",
        "what": "Another kernel.",
        "cases": ["convstack/*"],
    }
    return Entry(**(fields | changes))


RELEASED = msgspec.toml.decode(RELEASE)["release"][0]


@pytest.mark.parametrize(
    ("version", "older"),
    [
        ("2.13.0+cpu", True),
        ("2.13.9", True),
        ("1.99", True),
        ("2.14.0", False),
        ("2.14.1", False),
        ("2.15.0.dev1", False),
        ("10.0", False),
        ("", False),
        ("unknown", False),
        ("2", False),
        ("9" * 5000 + ".1", False),
    ],
)
def test_only_an_older_minor_version_is_behind(version: str, older: bool) -> None:
    release = msgspec.convert(RELEASED, Release)
    assert bool(behind({"torch": version, "numpy": "0.1"}, [release])) == older


@given(st.text(max_size=30))
def test_no_version_of_a_stranger_is_too_odd_to_look_at(text: str) -> None:
    behind({"torch": text}, [msgspec.convert(RELEASED, Release)])


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("released = 2026-09-30", "released = 2026-10-02", "looked up before it was released"),
        ('version = "2.14.1"', 'version = "two"', r"release\[0\].version"),
        ('packages = ["torch"]', "packages = []", r"release\[0\].packages"),
        ("looked_up", "seen", "seen"),
        ("[[release]]", "[[release", "not valid TOML"),
    ],
)
def test_a_wrong_file_of_releases_is_refused(tmp_path: Path, old: str, new: str, says: str) -> None:
    root = checkout(tmp_path, releases=RELEASE.replace(old, new))
    with pytest.raises(UserError, match=rf"releases\.toml.*{says}"):
        load_releases(root)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('stacks = ["torch"]', 'stacks = ["pytorch"]', "unknown stack 'pytorch'; the nearest is torch"),
        ('commit = "0123456"', "", "needs a version .* or a commit"),
        (
            'commit = "0123456"',
            'commit = "0123456"\nversion = { package = "torch", from = "1", to = "2" }',
            "not both",
        ),
        ("date = 2026-11-24T12:00:00Z", "date = 2026-11-24", r"change\[0\].date"),
        ('cases = ["convstack/*"]', "cases = []", r"change\[0\].cases"),
    ],
)
def test_a_wrong_perf_changelog_is_refused(tmp_path: Path, old: str, new: str, says: str) -> None:
    root = checkout(tmp_path, perf_changelog=CHANGE.replace(old, new))
    with pytest.raises(UserError, match=rf"perf-changelog\.toml.*{says}"):
        load_perf_changelog(root)


def test_this_repositorys_files_are_in_order_and_none_has_to_be_there(tmp_path: Path) -> None:
    assert load_releases(ROOT) and load_perf_changelog(ROOT)
    assert load_releases(tmp_path) == [] and load_perf_changelog(tmp_path) == []


def test_what_is_older_than_a_change_is_to_be_measured_again() -> None:
    records = make_trials(CONTENDERS[:3], [CASE, MLP_CASE], rounds=2)
    asked = to_measure_again(results(records), [entry()])
    assert [(one.result.case, one.result.contender.stack) for one in asked] == [
        (CASE, "torch"),
        (CASE, "torch"),
    ]
    later = [
        msgspec.structs.replace(
            one, started_utc=f"2026-11-25{one.started_utc[10:]}", trial_id=f"2{one.trial_id[1:]}"
        )
        for one in make_trials(CONTENDERS[:1], rounds=2)
    ]
    asked = to_measure_again(results([*records, *later]), [entry()])
    assert [one.result.contender.slug for one in asked] == ["torch-compiled"]
    assert to_measure_again(results(records), [entry(cases=["convstack"])]) == []
    assert to_measure_again([], [entry()]) == []


def test_a_plan_names_what_the_changelog_asks_for() -> None:
    contenders = [CONTENDERS[0], CONTENDERS[2]]
    rounds = [[Planned("timing", case, one, 1) for case in (CASE, MLP_CASE) for one in contenders]]
    plan = Plan([Planned("parity", MLP_CASE, TORCH, 0)], rounds, 0, [], 0.0)
    lines = list(named_lines(plan, [entry(), entry(stacks=["jax"]), entry(cases=["gpt/*"])]))
    said = " ".join(line.strip() for line in lines)
    assert said == f"asked for by the perf-changelog of 2026-11-24 (torch: Another kernel): {CASE.path}"
    assert max(map(len, lines)) <= WIDTH


def test_pages_say_what_is_behind_its_time(tmp_path: Path) -> None:
    root = checkout(tmp_path, releases=RELEASE, perf_changelog=CHANGE)
    shown = evidence(root, tmp_path / "results", make_trials(CONTENDERS[:1], [CASE, MLP_CASE], rounds=2))
    files = render(shown)
    for one in shown.dataset.results:
        page = result.page(one, shown).content
        assert (
            "PyTorch 2.14.1 is out since 2026-09-30; measured with 2.13.0+cpu. Looked up on 2026-10-01."
            in page
        )
        assert ("To be measured again: 2026-11-24, commit 0123456" in page) == (one.case == CASE)
        assert "<b>kernel" not in page
    history = str(files["history/index.md"])
    assert "A &lt;b&gt;kernel&lt;/b&gt; is another" in history and "2.14.1" in history
    image = str(files["images/torch-2.13.0-cpu-py311.md"])
    assert "PyTorch 2.14.1 is out since 2026-09-30; this image has 2.13.0+cpu." in image
    assert "is out since" not in str(files["images/torch-2.15.0-cu132-py313.md"])


def test_a_retired_image_keeps_its_results_and_leaves_comparisons(tmp_path: Path) -> None:
    name = "torch-2.13.0-cpu-py311"
    root = checkout(tmp_path, retired=name)
    shown = evidence(root, tmp_path / "results", make_trials(rounds=3))
    data = shown.dataset
    assert {row.result.contender.stack for case in data.comparisons for row in case.rows} == {
        "tensorflow",
        "keras-jax",
    }
    files = render(shown)
    retired = [one for one in data.results if one.retired]
    assert {one.contender.stack for one in retired} == {"torch"}
    for one in retired:
        page = result.page(one, shown).content
        assert "Its image is retired since 2026-11-25: Nobody &lt;i&gt;asks&lt;/i&gt; for it." in page
        assert "<i>asks" not in page
    assert "Its image is retired since 2026-11-25" in str(files[f"images/{name}.md"])
    assert "retired since 2026-11-25" in str(files["images/index.md"])
    assert "image retired" in str(files["stacks/torch.md"])
    assert to_measure_again(data.results, [entry()]) == []


def test_campaigns_do_not_measure_in_a_retired_image_and_say_why(tmp_path: Path) -> None:
    root = checkout(tmp_path, retired="torch-2.13.0-cpu-py311")
    matrix = load_matrix(root)
    assert "torch" not in matrix.for_device("cpu")
    assert "torch" not in {row.stack for row in matrix.select()}
    assert matrix.select(["torch-cpu"])  # what has results can still be built
    for asked in ("torch-cpu", "torch-2.13.0-cpu-py311"):
        with pytest.raises(UserError, match="retired since 2026-11-25: Nobody"):
            matrix.for_device("cpu", [asked])
    refused = Rows(root).find(StackOn("torch", "cpu"))
    assert isinstance(refused, Unavailable) and "retired since 2026-11-25: Nobody" in refused.reason


def test_a_stack_without_any_row_that_is_not_retired_leaves_the_list(tmp_path: Path) -> None:
    root = checkout(tmp_path, retired="stablehlo-jax-0.10.2-cpu-py311")
    files = render(evidence(root, tmp_path / "results", []))
    assert 'href="stablehlo-jax/"' not in str(files["stacks/index.md"])
    assert 'href="torch/"' in str(files["stacks/index.md"]) and "stacks/stablehlo-jax.md" in files
