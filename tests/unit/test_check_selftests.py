"""Lies in a self-test: each is named with its field; the committed ones are believed."""

from __future__ import annotations

import json
import math
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from framebench import checking
from framebench.checking import Finding, History
from framebench.commands.selftest import report
from framebench.pages import selftest as selftest_pages
from framebench.pages.evidence import Evidence
from framebench.records import store
from framebench.records.manifests import campaigns, compose, place
from tests.planted_lies import set_at
from tests.record_factory import make_record

ROOT = Path(__file__).resolve().parents[2]
HISTORY = History(ROOT)
COMMITTED = sorted((ROOT / "results" / store.SELFTESTS).glob("*/*.json"))

Document = dict[str, Any]
Change = Callable[[Document], object]


@pytest.fixture
def written(tmp_path: Path) -> Path:
    path = tmp_path / "results" / COMMITTED[-1].relative_to(ROOT / "results")
    path.parent.mkdir(parents=True)
    shutil.copyfile(COMMITTED[-1], path)
    return path


def doubted(path: Path) -> list[Finding]:
    found = checking.check([path], path.parents[2], HISTORY).findings
    assert all("; " in str(one) and "\n" not in str(one) for one in found)
    return [one for one in found if one.path == path]


def edit(path: Path, *changes: Change) -> None:
    document = json.loads(path.read_bytes())
    for change in changes:
        change(document)
    path.write_text(json.dumps(document))


def test_the_committed_ones_are_believed() -> None:
    assert COMMITTED
    assert checking.check(COMMITTED, ROOT / "results", HISTORY).findings == []


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("duration_s", 1e308),
        ("duration_s", -1.0),
        ("trials", -3),
        ("disturbed", -1),
        ("tested_utc", "last week"),
        ("host_id", "\u202eecod"),
        ("git_commit", "HEAD"),
        ("harness_tree_sha256", ""),
        ("checks", []),
        ("checks.0.name", ""),
        ("false_winners.low", -0.1),
        ("false_winners.high", 1.5),
        ("false_winners.comparisons", 0),
        ("false_winners.false_winners", -1),
        ("false_winners.noise_ln", 1e308),
        ("false_winners.spread_ln", -0.1),
        ("planted.0.percent", 0),
        ("planted.0.predicted", 2.0),
        ("planted.0.equal_within_ln", 1e308),
        ("planted.0.rounds_needed", 0),
        ("observer.value", 0.0),
        ("observer.high", 1e308),
        ("observer.pairs", 0),
        ("sampler_share", -0.1),
        ("sampler_share", 1e308),
        ("matmul_flops_per_s", 1e308),
        ("real_contender", " "),
    ],
)
def test_what_no_self_test_can_say_is_no_self_test(place: str, value: Any, written: Path) -> None:
    edit(written, set_at(place, value))
    loaded = store.load([written])
    assert loaded.selftests == []
    assert place.split(".")[-1] in loaded.broken[0].reason
    (found,) = doubted(written)
    assert found.doubt.field == "file" and found.doubt.refused


LIES: dict[str, tuple[str, list[Change]]] = {
    "more false winners than comparisons": (
        "false_winners.false_winners",
        [set_at("false_winners.false_winners", 101)],
    ),
    "false winners that were counted out": (
        "false_winners.high",
        [set_at("false_winners.comparisons", 1000)],
    ),
    "a narrower interval": ("false_winners.high", [set_at("false_winners.high", 0.01)]),
    "an interval upside down": ("false_winners.low", [set_at("false_winners.low", 0.5)]),
    "more found than campaigns": ("planted.0.found", [set_at("planted.0.found", 16)]),
    "every planted slow-down found": (
        "planted.7.low",
        [set_at("planted.7.found", 15)],
    ),
    "a row with another share's interval": ("planted.3.high", [set_at("planted.3.high", 0.9)]),
    "rows that did not suit left out": ("planted", [set_at("planted", lambda rows: rows[:4])]),
    "no row of three per cent": (
        "planted",
        [set_at("planted", lambda rows: [row for row in rows if row["percent"] != 3])],
    ),
    "another margin in one row": ("planted", [set_at("planted.2.equal_within_ln", 0.02)]),
    "less than counts as equal anywhere": (
        "planted.4.equal_within_ln",
        [set_at(f"planted.{row}.equal_within_ln", 0.0) for row in range(4, 8)],
    ),
    "rounds that would find what is equal": (
        "planted.0.rounds_needed",
        [set_at("planted.0.rounds_needed", 9)],
    ),
    "rounds beyond what is simulated": ("planted.0.rounds_needed", [set_at("planted.0.rounds_needed", 900)]),
    "a ratio beside its interval": ("observer", [set_at("observer.value", 1.0)]),
    "an interval without an end": ("observer", [set_at("observer.low", None)]),
    "one pair with an interval": ("real_pair", [set_at("real_pair.pairs", 1)]),
    "a real stack without a name": ("real_contender", [set_at("real_contender", None)]),
    "more disturbed than there were": ("disturbed", [set_at("disturbed", 1558)]),
    "more comparisons than trials": ("false_winners.comparisons", [set_at("trials", 50)]),
    "the quick form": ("planted", [set_at("form", "quick")]),
    "a failed check left out": ("checks", [lambda document: document["checks"].pop(16)]),
    "a check made up": (
        "checks",
        [set_at("checks", lambda old: [*old, old[0] | {"name": "GPU is fast"}])],
    ),
    "a check twice": ("checks", [set_at("checks", lambda old: [*old, old[0]])]),
    "an answer that its interval does not give": ("checks", [set_at("checks.16.answer", "pass")]),
    "a canary that refused nothing": ("checks", [set_at("checks.1.found", "ok")]),
    "a canary that refused by chance": ("checks", [set_at("checks.2.found", "invalid: canary failed: sync")]),
    "a sound stack that failed": ("checks", [set_at("checks.0.found", "crashed")]),
    "a wider bound": ("checks", [set_at("checks.5.bound", "false winners at most 50%")]),
    "other figures in words": ("checks", [set_at("checks.16.found", "1.0000, 40 trials")]),
    "a sampler that costs ten times as much": ("checks", [set_at("sampler_share", 0.03)]),
    "a winner among equals": (
        "checks",
        [
            set_at("real_pair.value", 1.2),
            set_at("real_pair.low", 1.2 / 1.01),
            set_at("real_pair.high", 1.2 * 1.01),
            set_at("checks.18.found", "undecided: 1.200, 95 % interval 1.188 to 1.212, 5 rounds"),
        ],
    ),
    "a quiet host": ("checks", [set_at("false_winners.spread_ln", 0.005)]),
    "a moment to come": ("tested_utc", [set_at("tested_utc", "2099-01-01T00:00:00Z")]),
    "another day": ("tested_utc", [set_at("tested_utc", "2026-11-29T10:03:13+00:00")]),
    "no day": ("tested_utc", [set_at("tested_utc", "2026-02-31T10:03:13+00:00")]),
    "a longer test": ("tested_utc", [set_at("duration_s", 9000.0)]),
    "another harness": ("harness_tree_sha256", [set_at("harness_tree_sha256", "0" * 64)]),
}


@pytest.mark.parametrize("name", LIES)
def test_a_lie_is_refused_by_its_field(name: str, written: Path) -> None:
    field, changes = LIES[name]
    edit(written, *changes)
    found = doubted(written)
    assert any(one.doubt.field == field and one.doubt.refused for one in found), list(map(str, found))


def test_one_of_a_changed_checkout_is_for_a_human(written: Path) -> None:
    edit(written, set_at("dirty", True))
    (found,) = doubted(written)
    assert found.doubt.field == "git_commit" and not found.doubt.refused


def test_a_single_pair_has_no_interval(written: Path) -> None:
    edit(
        written,
        set_at("real_pair", {"value": 1.5, "low": None, "high": None, "pairs": 1}),
        set_at("checks.18.found", "no verdict: 1.500, 1 rounds"),
    )
    assert doubted(written) == []


def test_one_that_was_handed_in_is_as_it_was_then(written: Path) -> None:
    """Even where all that follows from a figure is changed with it."""
    results = written.parents[2]
    record = make_record(campaign_id="0123456789ab", host_id=written.parent.name)
    store.write(record, results)
    assert place(written) == f"selftests/{written.parent.name}/{written.name}"
    files = campaigns(store.load([results]))["0123456789ab"]
    assert written in files
    manifest = store.write_manifest(compose("0123456789ab", files, None), None, results)
    assert doubted(written) == []
    edit(written, set_at("copy_bytes_per_s", lambda old: math.nextafter(old, 2 * old)))
    (found,) = doubted(written)
    assert found.doubt.field == "manifest" and found.doubt.refused
    written.unlink()
    refused = checking.check([manifest], results, HISTORY).refused
    assert any("is missing" in str(one) for one in refused)


def test_one_of_another_host_is_not_handed_in_with_a_campaign(written: Path) -> None:
    results = written.parents[2]
    store.write(make_record(campaign_id="0123456789ab"), results)
    assert written not in campaigns(store.load([results]))["0123456789ab"]


def test_one_that_was_changed_after_its_commit_is_refused(written: Path) -> None:
    root = written.parents[3]
    edit(written)
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "measured"]):
        identity = ["-c", "user.name=n", "-c", "user.email=e"]
        subprocess.run(["git", "-C", str(root), *identity, *command], check=True)

    def refused() -> list[str]:
        found = checking.check([written], written.parents[2], History(root)).refused
        return [one.doubt.field for one in found]

    assert refused() == []
    edit(written, set_at("copy_bytes_per_s", 3e10))
    assert refused() == ["file"]


@pytest.mark.parametrize("end", ["least", "most"])
def test_figures_at_the_ends_of_their_ranges_are_shown(end: str, written: Path) -> None:
    """What decodes never ends a site."""
    least = end == "least"
    ratio = (
        {"value": 5e-324, "low": 0.0, "high": 0.0}
        if least
        else dict.fromkeys(("value", "low", "high"), 1e100)
    )
    edit(
        written,
        set_at("duration_s", 5e-324 if least else 1e7),
        set_at("observer", {**ratio, "pairs": 1 if least else 2**53}),
        set_at("real_pair", {**ratio, "pairs": 2}),
        *(set_at(f"false_winners.{field}", 0.0 if least else 100.0) for field in ("noise_ln", "spread_ln")),
        *(set_at(f"planted.{row}.equal_within_ln", 0.0 if least else 100.0) for row in range(8)),
    )
    results, host = written.parents[2], written.parent.name
    ((_, document),) = store.load([results]).selftests
    evidence = SimpleNamespace(dataset=SimpleNamespace(selftests={host: [document]}))
    assert selftest_pages.view(host, cast(Evidence, evidence))
    assert selftest_pages.summary(cast(Evidence, evidence), "")
    assert report(document)
    checking.check([written], results, HISTORY)
