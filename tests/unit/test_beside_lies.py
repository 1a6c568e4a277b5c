"""Commands that read results work beside lies and ruins, and name the files that they skip."""

from __future__ import annotations

import io
import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from benchmarks.fuzz_records import mutate
from framebench import dataset
from framebench.campaign.request import Request
from framebench.commands import answers, compare, doctor, plan, reproduce, run, show
from framebench.errors import UserError
from framebench.pages.evidence import gather
from framebench.pages.site import render
from framebench.records.store import MANIFESTS, SELFTESTS
from tests.planted_lies import plant

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The committed records, half of them lies and random changes."""
    folder = tmp_path_factory.mktemp("beside") / "results"
    shutil.copytree(ROOT / "results", folder)
    lies = set(plant(folder).values())
    chance = random.Random(20261129)
    rest = sorted(
        path
        for path in folder.rglob("*.json")
        if not {MANIFESTS, SELFTESTS} & {*path.parts} and path not in lies
    )
    documents = {path: json.loads(path.read_bytes()) for path in rest}
    for path in chance.sample(rest, len(rest) // 2):
        path.write_bytes(mutate(chance, documents[path], documents[chance.choice(rest)]).content)
    (folder / "no-folder-of-ours.json").write_text("[" * 100_000)
    return folder


def said(command: Callable[[Console], object]) -> str:
    written = io.StringIO()
    command(Console(file=written, width=10_000))
    return written.getvalue()


def test_the_terminal_names_each_file_that_it_skips(results: Path) -> None:
    data = dataset.load([results])
    case = next(case for case in data.comparisons if len(case.rows) > 1)
    one, other = (row.result.id for row in case.rows[:2])
    for text in (
        said(lambda console: show.run(ROOT, results, None, console)),
        said(lambda console: answers.run(ROOT, results, console)),
        said(lambda console: compare.run([results], one, other, console)),
    ):
        assert len(data.broken) > 50
        missing = [str(fault) for fault in data.broken if f"warning: skipped {fault}" not in text]
        assert missing == []
    assert all(len(fault.reason) < 2_000 for fault in data.broken)


def test_what_measures_names_them_too_and_goes_on(results: Path, tmp_path: Path) -> None:
    """Copied, since a campaign adds to them."""
    folder = tmp_path / "results"
    shutil.copytree(results, folder)
    broken = dataset.load([folder]).broken
    suite = tmp_path / "few.toml"
    planted = (ROOT / "suites" / "selftest" / "planted.toml").read_text()
    suite.write_text(planted.replace("rounds = 10", "rounds = 1"))
    request = Request(ROOT, str(suite), "none", "system", (), ("numpy-eager",), folder)
    code = 0

    def measure(console: Console) -> None:
        nonlocal code
        code = run.run(request, console)

    for text in (said(lambda console: plan.run(request, console)), said(measure)):
        assert [str(fault) for fault in broken if f"warning: skipped {fault}" not in text] == []
    assert code == 0

    def again(console: Console) -> None:
        with pytest.raises(UserError, match="no result"):
            reproduce.run(ROOT, folder, "zzzzzzzzzz", 5, console)

    text = said(again)
    assert [str(fault) for fault in broken if f"warning: skipped {fault}" not in text] == []


def test_the_doctor_says_that_there_are_such_files(results: Path) -> None:
    text = said(lambda console: doctor.run(ROOT, results, console))
    assert "a file that cannot be used: " in text and "framebench check" in text


def test_the_site_is_made_and_its_problems_page_has_each_of_them(results: Path) -> None:
    data = dataset.load([results])
    files = render(gather(ROOT, data))
    problems = str(files["problems.md"])
    assert all(fault.path.stem in problems for fault in data.broken)
