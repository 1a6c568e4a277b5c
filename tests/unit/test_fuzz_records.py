"""Records changed at random: nothing that reads them falls over, and another time of a step is noticed."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import fuzzed_documents
from benchmarks.fuzz_records import ROOT, Tally, fuzz
from framebench import checking
from framebench.checking import History


@pytest.fixture(scope="module")
def tally() -> Tally:
    return fuzz(600, seed=20261129, history=History(ROOT))


def test_no_mutant_ends_in_a_traceback(tally: Tally) -> None:
    assert tally.tracebacks == []
    assert tally.fates.total() == 600


def test_no_mutant_of_what_was_handed_in_passes_its_manifest(tally: Tally) -> None:
    assert tally.past_manifests == 0


def test_no_mutant_of_another_document_is_worse_than_unnoticed(tally: Tally) -> None:
    """Most are refused: what is left are figures that come of trials which nobody keeps."""
    assert tally.documents.total() == 75
    assert tally.documents["traceback"] == 0
    assert tally.documents["refused"] > 50


def test_the_reproduction_that_is_changed_is_a_sound_one(tmp_path: Path) -> None:
    """Else every mutant of it would be refused, and nobody would know why."""
    path = fuzzed_documents.plant_reproduction(ROOT / "results", tmp_path)
    found = checking.check([tmp_path], ROOT / "results", History(ROOT)).findings
    assert [one for one in found if one.path == path] == []


def test_most_other_times_of_a_step_are_noticed(tally: Tally) -> None:
    """Not each: a block may be a little longer or shorter, and no file tells."""
    assert tally.moved["noticed"] > 3 * tally.moved["unnoticed"]


def test_the_last_line_counts_every_mutant(tally: Tally) -> None:
    fates = ("refused", "warned", "unchanged in meaning", "unnoticed", "traceback")
    assert sum(tally.fates[fate] for fate in fates) == 600
    assert tally.line().startswith("600 mutants: ") and tally.line().endswith("tracebacks 0")
