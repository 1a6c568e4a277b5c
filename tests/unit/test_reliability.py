"""The share of trials that ended well: what counts, what does not, and where it is shown."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from framebench import dataset
from framebench.dataset.reliability import UNKNOWN_MONTH, by_host, by_month, by_stack
from framebench.pages import reliability
from framebench.pages.evidence import gather
from framebench.pages.render import page
from framebench.records import store
from harness.record import Contender, Record
from tests.record_factory import make_failed, make_record, make_trials, trial_id

ROOT = Path(__file__).resolve().parents[2]
TORCH = Contender(stack="torch", mode="eager")
STATUSES = ("ok", "oom", "crashed", "timeout", "unsupported", "not_comparable")


def ended(status: str, number: int = 1, **changes: object) -> Record:
    fields = {"trial_id": trial_id(number), **changes}
    return make_record(**fields) if status == "ok" else make_failed(status, "why", **fields)


def test_what_a_framework_cannot_do_is_no_accident() -> None:
    records = [ended(status) for status in ("ok", "ok", "ok", "oom", "crashed", "crashed", "unsupported")]
    (row,) = by_stack(records)
    assert (row.trials, row.ok, row.unsupported) == (6, 3, 1)
    assert row.failures == {"crashed": 2, "oom": 1} and list(row.failures) == ["crashed", "oom"]
    assert row.share == 0.5 and row.low is not None and row.high is not None and row.low < 0.5 < row.high


def test_nothing_but_unsupported_has_no_share() -> None:
    (row,) = by_host([ended("unsupported")])
    assert (row.trials, row.share, row.low, row.high, row.unsupported) == (0, None, None, None, 1)


def test_months_are_those_of_utc_and_a_day_that_is_none_stays_in_sight() -> None:
    starts = ["2026-10-31T23:59:59Z", "2026-11-01T00:00:00+00:00", "2026-02-31T00:00:00Z"]
    rows = by_month([ended("ok", started_utc=start) for start in starts])
    assert [(row.name, row.trials) for row in rows] == [("2026-10", 1), ("2026-11", 1), (UNKNOWN_MONTH, 1)]


@given(st.lists(st.tuples(st.sampled_from(STATUSES), st.sampled_from(["a-1", "b-2"])), max_size=12))
def test_every_trial_is_counted_once(trials: list[tuple[str, str]]) -> None:
    records = [ended(status, host_id=host) for status, host in trials]
    for rows in (by_stack(records), by_host(records), by_month(records)):
        assert sum(row.trials + row.unsupported for row in rows) == len(trials)
        assert sum(row.ok for row in rows) == sum(status == "ok" for status, _ in trials)
        for row in rows:
            assert row.trials == row.ok + sum(row.failures.values())
            assert row.share is None or row.low <= row.share <= row.high  # type: ignore[operator]


@pytest.mark.parametrize("empty", [False, True])
def test_the_page_shows_every_stack_host_and_month(empty: bool, tmp_path: Path) -> None:
    gone = Contender(stack="abacus", mode="eager")
    records = [] if empty else [*make_trials(), ended("oom", contender=gone, host_id="other-2c-0a0b0c")]
    for record in records:
        store.write(record, tmp_path)
    text = page(
        ROOT / "site" / "templates",
        "reliability.md.j2",
        **reliability.view(gather(ROOT, dataset.load([tmp_path]))),
    )
    assert ("Nothing has been measured yet" in text) is empty
    assert empty or all(word in text for word in ("2026-11", "other-2c-0a0b0c", "abacus", "out of memory: 1"))
    assert not re.search(r'href="\.\./stacks/abacus', text)
