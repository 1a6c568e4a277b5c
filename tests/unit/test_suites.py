"""Suites: the shipped ones are sound, a bad one is one sentence with file and key."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from framebench.campaign import suites
from framebench.errors import UserError

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("name", suites.available(ROOT))
def test_shipped_suites_load(name: str) -> None:
    suite = suites.load(ROOT, name)
    assert suite.name == name
    assert len({entrant.slug for entrant in suite.entrants()}) == len(suite.entrants())


def test_the_headline_is_small() -> None:
    suite = suites.load(ROOT, "cpu")
    assert suite.headline is not None
    assert len(suite.headline.contenders) + 1 <= 9  # the twin runs too
    assert len(suite.headline.cases) <= 4


def test_contender_slugs_come_back() -> None:
    for entrant in suites.load(ROOT, "cpu").entrants():
        if not entrant.twin:
            assert suites.parse_contender(entrant.slug) == entrant


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("rounds = 1", "rounds = 0", "key rounds: Expected `int` >= 1"),
        ("rounds = 1", 'rounds = "one"', "rounds"),
        ("rounds = 1", "rounds = 1\nround = 2", "round"),
        ('workload = "mlp"', 'workload = "mpl"', "the nearest: mlp"),
        (
            'preset = "smoke"\ntasks = ["train"]\nbatch = 32',
            'preset = "huge"\ntasks = ["train"]\nbatch = 32',
            "huge",
        ),
        ('baseline = "torch-eager"', 'baseline = "torch-lazy"', "torch-lazy"),
        (
            "[protocol]",
            '[headline]\ncases = ["*"]\ncontenders = ["torch-eager"]\nif_time_allows = ["jax-compiled"]\n\n[protocol]',
            "headline.if_time_allows: 'jax-compiled' is not among the headline's contenders",
        ),
        ('name = "smoke"\ntitle', 'name = "smoke\ntitle', "smoke.toml"),
    ],
)
def test_a_malformed_suite_is_one_sentence(tmp_path: Path, old: str, new: str, says: str) -> None:
    shutil.copytree(ROOT / "suites", tmp_path / "suites")
    path = tmp_path / "suites" / "smoke.toml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(UserError) as error:
        suites.load(tmp_path, "smoke")
    assert "smoke.toml" in str(error.value)
    assert says in str(error.value)
    assert "\n" not in str(error.value)


def test_an_unknown_suite_names_the_nearest() -> None:
    with pytest.raises(UserError, match="nearest: smoke"):
        suites.load(ROOT, "smok")


def test_a_glob_that_matches_nothing_names_the_nearest() -> None:
    with pytest.raises(UserError, match="torch-eager"):
        suites.select(["torch-eager", "keras-jax-eager-loop"], ["torch-eagre"], "contender")


def test_a_suite_may_lie_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine.toml").write_text((ROOT / "suites" / "smoke.toml").read_text())
    monkeypatch.chdir(tmp_path)
    assert (
        suites.load(ROOT, "mine.toml")
        == suites.load(ROOT, str(tmp_path / "mine.toml"))
        == suites.load(ROOT, "smoke")
    )
    with pytest.raises(UserError, match=r"^nowhere.toml does not exist: give the path"):
        suites.load(ROOT, "nowhere.toml")
    (tmp_path / "mine.toml").write_text("rounds = 1")
    with pytest.raises(UserError, match=r"^mine.toml: .*name"):
        suites.load(ROOT, "mine.toml")
