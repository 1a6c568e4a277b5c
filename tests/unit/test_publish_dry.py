"""What is uploaded to Pages is asked first: links, size, plain files, and whether the results are committed."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from framebench.cli import cli
from framebench.commands.publish_dry import uncommitted
from framebench.errors import UserError
from framebench.pages.upload import inspect
from framebench.records import store
from tests.record_factory import CONTENDERS, MLP_CASE, make_trials

ADDRESS = "https://lab.example/speeds/"


@pytest.fixture
def site(tmp_path: Path) -> Path:
    folder = tmp_path / "site"
    (folder / "über" / "us").mkdir(parents=True)
    (folder / "index.html").write_text(
        '<a href="%C3%BCber/us/#here">us</a><a href="https://elsewhere/">e</a>'
    )
    (folder / "über" / "us" / "index.html").write_text(
        '<p id="here"><a href="../../">home</a><a href="">self</a>'
    )
    return folder


@pytest.mark.parametrize("address", [None, ADDRESS])
def test_a_whole_site_has_no_fault(site: Path, address: str | None) -> None:
    found = inspect(site, address)
    assert found.faults == [] and (found.files, found.pages) == (2, 2)
    assert found.bytes == sum(path.stat().st_size for path in site.rglob("*.html"))


@pytest.mark.parametrize(
    ("markup", "said"),
    [
        ('<a href="gone/">', "gone/ leads to nothing"),
        ('<img src="gone.png">', "gone.png leads to nothing"),
        ('<link rel="stylesheet" href="gone.css">', "gone.css leads to nothing"),
        ('<script src="../a.js"></script>', "../a.js leads out of the site"),
        ('<a href="/elsewhere/">', "/elsewhere/ leads out of the site"),
        ('<a href="%2e%2e/secret">', "leads out of the site"),
        ('<a href="über/us/#gone">', "leads to no such part"),
        ('<a href="#gone">', "leads to no such part"),
        ('<a href="http://[">', "is no address"),
        (f'<a href="{ADDRESS}gone/">', "leads to nothing"),
        ("<A HREF='gone'>", "gone leads to nothing"),
    ],
)
def test_a_link_that_leads_nowhere_is_named_with_its_page(site: Path, markup: str, said: str) -> None:
    (site / "index.html").write_text(markup)
    (fault,) = inspect(site, ADDRESS).faults
    assert fault.startswith("index.html: ") and said in fault


@pytest.mark.parametrize(
    "link", ["über/us", "über/us/index.html", "mailto:a@b", "data:,", "//elsewhere/x", "?q=1"]
)
def test_what_pages_serves_and_what_is_elsewhere_is_no_fault(site: Path, link: str) -> None:
    (site / "index.html").write_text(f'<a href="{link}">')
    assert inspect(site, ADDRESS).faults == []


def test_what_is_no_plain_file_is_refused(site: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("x")
    (site / "inside").symlink_to(secret)
    os.mkfifo(site / "pipe")
    faults = inspect(site, None).faults
    assert [fault.partition(":")[0] for fault in faults] == ["inside", "pipe"]


def test_too_much_is_refused(site: Path) -> None:
    total = inspect(site, None).bytes
    assert inspect(site, None, largest=total).faults == []
    (fault,) = inspect(site, None, largest=total - 1).faults
    assert "Pages takes" in fault


def _git(folder: Path, *arguments: str) -> None:
    subprocess.run(
        ["git", "-C", folder, "-c", "user.name=a", "-c", "user.email=a@b", *arguments],
        check=True,
        capture_output=True,
    )


def test_results_that_are_in_no_commit_are_named(tmp_path: Path) -> None:
    _git(tmp_path, "init")
    (tmp_path / ".gitignore").write_text("*.tmp\n")
    results = tmp_path / "results"
    results.mkdir()
    for name in ("kept", "changed", "gone"):
        (results / f"{name}.json").write_text("1")
    assert sorted(uncommitted(tmp_path, [results])) == [
        f"results/{n}.json" for n in ("changed", "gone", "kept")
    ]
    _git(tmp_path, "add", "-A")
    _git(tmp_path, "commit", "-m", "one")
    assert uncommitted(tmp_path, [results]) == []
    (results / "changed.json").write_text("2")
    (results / "gone.json").unlink()
    (results / "a new\tone.json").write_text("1")
    (results / "ignored.tmp").write_text("1")
    (tmp_path / "beside").write_text("1")
    assert sorted(uncommitted(tmp_path, [results])) == [
        f"results/{name}" for name in ("a new\tone.json", "changed.json", "gone.json", "ignored.tmp")
    ]


def test_where_git_knows_nothing_it_is_said(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="not a git repository"):
        uncommitted(tmp_path, [tmp_path])


@pytest.mark.slow
def test_a_laboratorys_site_is_refused_until_it_is_committed(tmp_path: Path) -> None:
    lab = tmp_path / "lab"
    runner = CliRunner()
    assert runner.invoke(cli, ["new-site", str(lab), "--title", "Lab"]).exit_code == 0
    for record in make_trials(contenders=CONTENDERS[:2], cases=[MLP_CASE], rounds=3):
        store.write(record, lab / "results")
    command = ["publish-dry", "--config", str(lab / "framebench-site.toml"), "--site-url", ADDRESS]
    refused = runner.invoke(cli, command)
    assert refused.exit_code == 1 and "framebench-site.toml: not committed" in refused.output
    _git(lab, "add", "-A")
    _git(lab, "commit", "-m", "one")
    passed = runner.invoke(cli, command)
    assert passed.exit_code == 0, passed.output
    assert "to upload: " in passed.output and "refused" not in passed.output
