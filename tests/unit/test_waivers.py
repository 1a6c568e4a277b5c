"""Waivers: an exception is named with its reason and its last day, and is shown; without them nothing passes."""

from __future__ import annotations

import io
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from rich.console import Console

from framebench import checking, dataset
from framebench.checking import Checked, History, waived
from framebench.commands import check
from framebench.errors import UserError
from framebench.pages import data, result
from framebench.pages.evidence import gather
from framebench.pages.site import render
from framebench.records import store
from framebench.records.manifests import place
from framebench.records.waivers import WAIVERS, read_waivers
from tests.record_factory import make_record, trial_id

ROOT = Path(__file__).parents[2]
TODAY = datetime.now(UTC).date()
LATER, EARLIER = TODAY + timedelta(days=30), TODAY - timedelta(days=1)
WHY = "the clock of this host was mended"


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """One record that is refused for its duration."""
    folder = tmp_path / "results"
    store.write(
        msgspec.structs.replace(make_record(trial_id=trial_id(1)), duration_ns=1, sidecar=None), folder
    )
    return folder


def record_of(results: Path) -> Path:
    return store.load([results]).records[0][0]


def asked(results: Path, *paths: Path) -> Checked:
    return checking.check(paths or [results], results, History(results.parent))


def refused_rules(results: Path) -> set[str]:
    return {one.doubt.field for one in asked(results).refused}


def waive(results: Path, rule: str, until: object = LATER, file: str = "") -> None:
    name = file or place(record_of(results))
    with (results / WAIVERS).open("a") as written:
        lines = [f'file = "{name}"', f'rule = "{rule}"', f'why = "{WHY}"', 'by = "grace"', f"until = {until}"]
        written.write("\n".join(["[[waiver]]", *lines, ""]))


def said_of_waivers(checked: Checked) -> list[str]:
    return [str(one.doubt) for one in checked.findings if one.path.name == WAIVERS]


def test_a_waiver_turns_one_refusal_into_a_warning_that_says_why(results: Path) -> None:
    before = refused_rules(results)
    rule = min(before)
    waive(results, rule)
    assert refused_rules(results) == before - {rule}
    (warning,) = [str(one) for one in asked(results).warnings if "waived until" in str(one)]
    assert f"waived until {LATER} by grace, because {WHY}" in warning
    assert said_of_waivers(asked(results)) == []


def test_with_every_rule_waived_nothing_is_refused_and_the_command_says_it(results: Path) -> None:
    for rule in refused_rules(results):
        waive(results, rule)
    written = io.StringIO()
    assert check.run(results.parent, [], Console(file=written, width=10_000)) == 0
    assert "waived until" in written.getvalue() and "no record is refused" in written.getvalue()


def test_the_last_day_counts_and_the_day_after_refuses_and_says_so(results: Path) -> None:
    found = asked(results).findings
    rule = min(refused_rules(results))
    last = date(2026, 11, 30)
    waive(results, rule, last)

    def refused_on(day: date) -> set[str]:
        judged = waived.waive(found, [record_of(results)], results, day)
        return {one.doubt.field for one in judged if one.doubt.refused}

    assert rule not in refused_on(last) and rule in refused_on(last + timedelta(days=1))
    (results / WAIVERS).unlink()
    waive(results, rule, EARLIER)
    assert rule in refused_rules(results)
    (line,) = said_of_waivers(asked(results))
    assert f"ended on {EARLIER}" in line


@pytest.mark.parametrize("file", ["", "no/such/file/at/all.json"])
def test_a_waiver_for_nothing_is_said(results: Path, file: str) -> None:
    waive(results, "no.such.rule", file=file)
    (line,) = said_of_waivers(asked(results))
    assert "is for nothing that is refused; delete it" in line


def test_a_waiver_without_an_end_in_sight_is_refused_and_waives_nothing(results: Path) -> None:
    rule = min(before := refused_rules(results))
    waive(results, rule, TODAY + timedelta(days=367))
    assert refused_rules(results) == before | {"waiver"}
    (line,) = said_of_waivers(asked(results))
    assert "in more than a year; write an earlier day" in line
    (results / WAIVERS).unlink()
    waive(results, rule, TODAY + timedelta(days=366))
    assert refused_rules(results) == before - {rule}


def test_nothing_is_said_of_the_waivers_of_files_that_nobody_asked_about(results: Path) -> None:
    other = store.write(make_record(trial_id=trial_id(2), step_ns=9e7), results)
    waive(results, "no.such.rule", file=place(other))
    assert said_of_waivers(asked(results, record_of(results))) == []
    assert said_of_waivers(asked(results)) != []


def test_another_file_is_not_waived(results: Path) -> None:
    other = store.write(
        msgspec.structs.replace(make_record(trial_id=trial_id(2), step_ns=9e7), duration_ns=1), results
    )
    rule = min(refused_rules(results))
    waive(results, rule)
    assert [one.path for one in asked(results).refused if one.doubt.field == rule] == [other]


@pytest.mark.parametrize(
    "content",
    [
        b"[[waiver]]\n",
        b'[[waiver]]\nfile = "a"\nrule = "b"\nwhy = ""\nby = "c"\nuntil = 2027-01-01\n',
        b'[[waiver]]\nfile = "a"\nrule = "b"\nwhy = "\\t "\nby = "c"\nuntil = 2027-01-01\n',
        b'[[waiver]]\nfile = "../x/a"\nrule = "b"\nwhy = "w"\nby = "c"\nuntil = 2027-01-01\n',
        b'[[waiver]]\nfile = "/a"\nrule = "b"\nwhy = "w"\nby = "c"\nuntil = 2027-01-01\n',
        b'[[waiver]]\nfile = "a"\nrule = "file"\nwhy = "w"\nby = "c"\nuntil = 2027-01-01\n',
        b'[[waiver]]\nfile = "a"\nrule = "manifest"\nwhy = "w"\nby = "c"\nuntil = 2027-01-01\n',
        b'[[waiver]]\nfile = "a"\nrule = "b"\nwhy = "w"\nby = "c"\nuntil = "soon"\n',
        b'[[waiver]]\nfile = "a"\nrule = "b"\nwhy = "w"\nby = "c"\nuntil = 2027-13-01\n',
        b'[[waiver]]\nfile = "a"\nrule = "b"\nwhy = "w"\nby = "c"\n',
        b'[[waiver]]\nfile = 1\nrule = "b"\nwhy = "w"\nby = "c"\nuntil = 2027-01-01\n',
        b"waiver = 1",
        b"[[waivers]]\n",
        b"not toml",
        b"\xff\xfe\x00",
        b"a = " + b"[" * 100_000,
    ],
)
def test_a_wrong_file_of_waivers_is_one_sentence_and_waives_nothing(results: Path, content: bytes) -> None:
    before = refused_rules(results)
    (results / WAIVERS).write_bytes(content)
    with pytest.raises(UserError) as error:
        read_waivers(results)
    assert WAIVERS in str(error.value) and "\n" not in str(error.value) and len(str(error.value)) < 600
    assert refused_rules(results) == before | {"waiver"}
    broken = dataset.load([results], published=results).broken
    assert [fault.path.name for fault in broken] == [WAIVERS]


def test_pages_show_what_is_waived_by_whom_and_until_when(results: Path) -> None:
    rule = min(refused_rules(results))
    waive(results, rule)
    waive(results, rule, EARLIER, file="some/<b>old</b>/file/of/theirs.json")
    loaded = dataset.load([results], published=results)
    evidence = gather(ROOT, loaded)
    rows = [[cell.text for cell in row] for row in data.problems(evidence)["waivers"].rows]
    assert rows[0] == [rule, WHY, "grace", str(LATER), place(record_of(results))]
    assert rows[1][-2] == f"{EARLIER}, not in force"
    notes = result.view(loaded.results[0], evidence)["notes"]
    assert [note for note in notes if rule in note and WHY in note and str(LATER) in note]
    page = str(render(evidence)["problems.md"])
    assert WHY in page and "<b>old</b>" not in page


def test_a_waiver_that_is_over_is_no_note_of_a_result(results: Path) -> None:
    waive(results, "some.rule", EARLIER)
    loaded = dataset.load([results], published=results)
    notes = result.view(loaded.results[0], gather(ROOT, loaded))["notes"]
    assert not [note for note in notes if "some.rule" in note]


def test_the_committed_waivers_can_be_read() -> None:
    read_waivers(ROOT / "results")
