"""A laboratory's own site: its title everywhere, its results alone, and one sentence for what cannot be."""

from __future__ import annotations

import html
import json
import re
import subprocess
import tomllib
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

from framebench import dataset
from framebench.cli import cli
from framebench.commands import new_site, site
from framebench.commands.new_site import Pin, skeleton
from framebench.errors import UserError
from framebench.pages import publisher
from framebench.pages.publisher import CONFIG, Publisher, refuse_unfit
from framebench.records import store
from tests.record_factory import CONTENDERS, MLP_CASE, make_trials

ROOT = Path(__file__).resolve().parents[2]
ADDRESS = "https://lab.example/speeds/"
TITLE = 'Lab </title><script>x</script> & "Söhne" ${HOME} {{ 7 }} #1'
PIN = Pin("https://git.example/framebench", "0" * 40)
ATOM = "{http://www.w3.org/2005/Atom}"


def asked(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli, [str(one) for one in arguments])


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("parent") / "lab"
    made = asked("new-site", folder, "--title", TITLE, "--licence", "CC0-1.0")
    assert made.exit_code == 0, made.output
    for record in make_trials(contenders=CONTENDERS[:2], cases=[MLP_CASE], rounds=3):
        store.write(record, folder / "results")
    built = asked("site", "--config", folder / CONFIG, "--site-url", ADDRESS)
    assert built.exit_code == 0, built.output + repr(built.exception)
    return folder


def test_the_repository_holds_what_it_needs(lab: Path) -> None:
    said = tomllib.loads((lab / CONFIG).read_text())
    assert said["title"] == TITLE and said["licence"] == "CC0-1.0"
    assert "CC0-1.0" in (lab / "results" / "LICENSE").read_text()
    assert (lab / ".github/workflows/pages.yml").read_bytes() == (
        ROOT / ".github/workflows/pages.yml"
    ).read_bytes()
    head = subprocess.run(
        ["git", "-C", ROOT, "rev-parse", "HEAD"], capture_output=True, text=True, check=True
    )
    assert f"FRAMEBENCH_COMMIT := {head.stdout.strip()}\n" in (lab / "Makefile").read_text()
    top = subprocess.run(
        ["git", "-C", lab, "rev-parse", "--show-toplevel"], capture_output=True, text=True, check=True
    )
    assert Path(top.stdout.strip()) == lab.resolve()


def test_make_has_what_its_pages_tell_readers_to_make(lab: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (lab / "Makefile").read_text(), re.MULTILINE))
    told = {
        target
        for path in (lab / "build" / "site" / "results").glob("*/index.html")
        for target in re.findall(r"<code>make ([a-z-]+)", path.read_text())
    }
    assert told | {"bench-all", "serve", "site", "publish-dry"} <= targets
    assert "reproduce" in told
    said = subprocess.run(["make", "-C", lab], capture_output=True, text=True, check=True)
    assert "make publish-dry" in said.stdout


def test_a_clone_at_another_commit_is_left_as_it_is(lab: Path, tmp_path: Path) -> None:
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    identity = ["-c", "user.name=a", "-c", "user.email=a@b"]
    subprocess.run(["git", "-C", tmp_path, *identity, "commit", "--allow-empty", "-qm", "one"], check=True)
    done = subprocess.run(["make", "-C", lab, "site", f"CLONE={tmp_path}"], capture_output=True, text=True)
    assert done.returncode == 2 and f"{tmp_path} is at another commit" in done.stdout


def test_the_title_is_on_every_page_in_both_languages_and_is_text(lab: Path) -> None:
    built = lab / "build" / "site"
    pages = list(built.rglob("*.html"))
    assert {page.relative_to(built).parts[0] == "zh" for page in pages} == {True, False}
    for page in pages:
        text = page.read_text()
        assert "<script>x" not in text, page
        head = re.search(r"<title>(.*?)</title>", text, re.DOTALL)
        assert head and TITLE in html.unescape(head[1]), page
        site_name = re.search(r'<meta property="og:site_name" content="([^"]*)">', text)
        assert page.name == "404.html" or (site_name and html.unescape(site_name[1]) == TITLE), page
        assert "og:image" not in text, page
    for language in ("", "zh/"):
        assert html.escape(TITLE, quote=False).replace('"', "&#34;") in (
            (built / language / "index.html").read_text()
        )


def test_a_missing_page_leads_to_the_other_language(lab: Path) -> None:
    for name, other in (("404.html", "/speeds/zh/"), ("zh/404.html", "/speeds/zh/../")):
        text = (lab / "build" / "site" / name).read_text()
        assert re.findall(r'fb-language"[^>]* href="([^"]*)"', text) == [other]


def test_the_feed_is_the_laboratorys(lab: Path) -> None:
    for language in ("", "zh"):
        feed = ET.fromstring((lab / "build" / "site" / language / "feed.xml").read_bytes())
        assert (feed.findtext(f"{ATOM}title") or "").startswith(TITLE)
        assert feed.findtext(f"{ATOM}author/{ATOM}name") == TITLE
        assert "CC0-1.0" in (feed.findtext(f"{ATOM}rights") or "")


def test_the_licence_of_the_data_is_the_laboratorys(lab: Path) -> None:
    built = lab / "build" / "site"
    package = json.loads((built / "data" / "datapackage.json").read_text())
    assert package["licenses"] == [{"name": "CC0-1.0"}] and package["title"] == TITLE
    for name in ("licence/index.html", "data/index.html", "index.html", "llms.txt", "feed.xml"):
        for language in ("", "zh"):
            text = (built / language / name).read_text()
            assert "CC0-1.0" in text and "CC BY 4.0" not in text, name


def test_its_results_alone_are_there(lab: Path) -> None:
    built = lab / "build" / "site"
    rows = json.loads((built / "data" / "results.json").read_text())
    own = {result.id for result in dataset.load([lab / "results"]).results}
    assert own == {row["result_id"] for row in rows}
    assert own == {path.parent.name for path in built.glob("results/*/index.html")}
    hosts = {path.name for path in (ROOT / "results").iterdir() if path.is_dir()}
    shown = {path.parent.name for path in built.glob("hosts/*/index.html")}
    assert shown and not shown & hosts


def test_signers_and_waivers_are_its_own(lab: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = {}

    def load(folders: object, published: Path, retired: object, index: object) -> None:
        found["published"] = published
        raise UserError("enough")

    monkeypatch.setattr(dataset, "load", load)
    with pytest.raises(UserError, match="enough"):
        site.build(ROOT, site.of(ROOT, lab / CONFIG, None), None)
    assert found["published"] == lab / "results"
    with pytest.raises(UserError, match="enough"):
        site.build(ROOT, site.of(ROOT, None, lab / "results"), None)
    assert found["published"] == ROOT / "results"


@pytest.mark.parametrize(
    ("title", "named"),
    [
        ("", "--title"),
        ("  ", "--title"),
        ("a\nb", "--title"),
        ("a\x1b[2Jb", "--title"),
        ("x" * 101, "--title"),
        ("a\u202eb", "--title"),
        ("a\u200bb", "--title"),
        ("\ud800", "--title"),
    ],
)
def test_a_title_that_is_none_is_refused_and_nothing_written(tmp_path: Path, title: str, named: str) -> None:
    with pytest.raises(UserError, match=named):
        new_site.run(ROOT, tmp_path / "lab", Publisher(title=title, description="d", licence="X"), None)  # type: ignore[arg-type]
    assert not (tmp_path / "lab").exists()


@pytest.mark.parametrize("licence", ["", "CC BY 4.0", "<b>", "x\n", "-"])
def test_a_licence_is_an_identifier(tmp_path: Path, licence: str) -> None:
    done = asked("new-site", tmp_path / "lab", "--title", "Lab", "--licence", licence)
    assert isinstance(done.exception, UserError) and "SPDX" in str(done.exception)


def _full(folder: Path) -> Path:
    (folder / "lab").mkdir()
    (folder / "lab" / "thesis.tex").write_text("mine")
    return folder / "lab"


def _file(folder: Path) -> Path:
    (folder / "lab").write_text("mine")
    return folder / "lab"


@pytest.mark.parametrize("place", [_full, _file, lambda _: ROOT / "build" / "lab"])
def test_a_place_that_is_taken_or_in_the_clone_is_left_as_it_is(
    tmp_path: Path, place: Callable[[Path], Path]
) -> None:
    folder = place(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    done = asked("new-site", folder, "--title", "Lab")
    assert isinstance(done.exception, UserError) and str(folder) in str(done.exception)
    assert sorted(tmp_path.rglob("*")) == before and not (ROOT / "build" / "lab").exists()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('title = "a"\ndescription = "b"\nlicence = "X"\nemail = "c"\n', "email"),
        ('description = "b"\nlicence = "X"\n', "title"),
        ('title = 1\ndescription = "b"\nlicence = "X"\n', "title"),
        ('title = ""\ndescription = "b"\nlicence = "X"\n', "title is empty"),
        ('title = "a"\ndescription = " "\nlicence = "X"\n', "description is empty"),
        ('title = "a"\ndescription = "b"\nlicence = "a b"\n', "licence"),
        ("title", "not valid TOML"),
        (None, "does not exist"),
    ],
)
def test_a_file_that_cannot_be_used_is_named_with_its_key(
    tmp_path: Path, content: str | None, said: str
) -> None:
    config = tmp_path / CONFIG
    if content is not None:
        config.write_text(content)
    done = asked("site", "--config", config)
    assert isinstance(done.exception, UserError)
    assert str(config) in str(done.exception) and said in str(done.exception)
    assert not (tmp_path / "build").exists()


@given(st.text(max_size=110), st.text(max_size=310))
def test_what_is_accepted_comes_back_from_the_file(title: str, description: str) -> None:
    given_ = Publisher(title=title, description=description, licence="CC-BY-4.0")
    try:
        refuse_unfit(given_, "--")
    except UserError:
        return
    written = skeleton(given_, PIN)[CONFIG]
    assert tomllib.loads(written) == {"title": title, "description": description, "licence": "CC-BY-4.0"}


@pytest.mark.parametrize(
    ("origin", "repository"),
    [
        ("https://user:secret@git.example/a/b.git", "https://git.example/a/b.git"),
        ("https://git.example:8443/a/b", "https://git.example:8443/a/b"),
        ("git@git.example:a/b.git", "git@git.example:a/b.git"),
        ("/srv/b", "/srv/b"),
        (None, "{root}"),
        ("https://git.example/$(id)", None),
        ("--upload-pack=x", None),
    ],
)
def test_where_framebench_comes_from(tmp_path: Path, origin: str | None, repository: str | None) -> None:
    def git(*arguments: str) -> None:
        subprocess.run(["git", "-C", tmp_path, *arguments], check=True, capture_output=True)

    git("init")
    git("-c", "user.name=a", "-c", "user.email=a@b", "commit", "--allow-empty", "-m", "one")
    if origin is not None:
        git("config", "remote.origin.url", origin)
    if repository is None:
        with pytest.raises(UserError, match="address of this clone"):
            new_site.pin_of(tmp_path)
    else:
        assert new_site.pin_of(tmp_path).repository == repository.format(root=tmp_path)


def test_without_git_there_is_no_commit_to_pin(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no git checkout"):
        new_site.pin_of(tmp_path)


def test_the_projects_own_words_stay() -> None:
    assert publisher.PROJECT.settings == {}
