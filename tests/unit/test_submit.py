"""``framebench submit`` on real records: what is sound is handed in with a summary, and nothing else is."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
from pathlib import Path

import pytest
from rich.console import Console

from framebench.commands import submit
from framebench.errors import UserError
from framebench.records import store
from framebench.records.manifests import campaigns, place, sha256
from framebench.records.signature import judge
from tests.requirement import require

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def campaign() -> str:
    """The shortest committed campaign of several records."""
    of_campaign = campaigns(store.load([ROOT / "results"]))
    several = [one for one, files in of_campaign.items() if sum(path.suffix == ".json" for path in files) > 1]
    return min(several, key=lambda one: len(of_campaign[one]))


@pytest.fixture
def results(tmp_path: Path, campaign: str) -> Path:
    """Its records alone, with one of another campaign."""
    folder = tmp_path / "results"
    of_campaign = campaigns(store.load([ROOT / "results"]))
    other = next(one for one in of_campaign if one != campaign)
    last = next(path for path in of_campaign[other] if path.suffix == ".json")
    for path in [*of_campaign[campaign], *last.parent.glob(f"{last.stem}.*")]:
        target = folder / place(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    return folder


def said(results: Path, campaign: str | None = None, key: Path | None = None) -> tuple[int, str]:
    written = io.StringIO()
    code = submit.run(ROOT, results, campaign, key, Console(file=written, width=10_000))
    return code, written.getvalue()


def files_below(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_manifest_has_every_file_and_the_summary_says_what_was_measured(
    results: Path, campaign: str
) -> None:
    before = files_below(results)
    code, text = said(results, campaign)
    assert code == 0
    ((path, manifest),) = store.load([results]).manifests
    mine = campaigns(store.load([results]))[campaign]
    assert manifest.files == {place(one): sha256(one) for one in mine}
    assert set(files_below(results)) - set(before) == {path}
    assert {one: content for one, content in files_below(results).items() if one != path} == before
    for _, record in store.load(mine).records:
        assert f"| `{record.case.path}` | `{record.contender.slug}` |" in text
        assert record.provenance.git_commit in text and record.provenance.host_id in text
    assert path.name in text and "nothing was handed in" not in text


def test_handing_in_twice_is_a_sentence_and_changes_nothing(results: Path, campaign: str) -> None:
    said(results, campaign)
    before = files_below(results)
    with pytest.raises(UserError, match="in a manifest already"):
        said(results, campaign)
    assert files_below(results) == before


def test_a_refused_record_stops_it_and_nothing_is_written(results: Path, campaign: str) -> None:
    path = next(path for path in campaigns(store.load([results]))[campaign] if path.suffix == ".json")
    document = json.loads(path.read_bytes())
    document["duration_ns"] = 1
    path.write_text(json.dumps(document))
    code, text = said(results, campaign)
    assert code == 1
    assert f"{path}: " in text and "nothing was handed in" in text
    assert not (results / "manifests").exists()


def test_a_file_that_cannot_be_read_beside_what_is_handed_in_stops_it(results: Path, campaign: str) -> None:
    """It may well be of the campaign, and nobody can tell."""
    mine = next(path for path in campaigns(store.load([results]))[campaign])
    (mine.parent / "torn.json").write_text("{")
    code, text = said(results, campaign)
    assert code == 1 and "torn.json" in text
    assert not (results / "manifests").exists()


def test_a_broken_file_elsewhere_is_said_and_stops_nothing(results: Path, campaign: str) -> None:
    (results / "elsewhere").mkdir()
    (results / "elsewhere" / "torn.json").write_text("{")
    code, text = said(results, campaign)
    assert code == 0 and f"warning: skipped {results}/elsewhere/torn.json: not a whole JSON" in text
    assert len(store.load([results]).manifests) == 1


def test_a_changed_file_of_an_earlier_manifest_stops_the_next_one(results: Path, campaign: str) -> None:
    mine = [path for path in campaigns(store.load([results]))[campaign] if path.suffix == ".json"]
    later = {path: path.read_bytes() for path in mine[-1].parent.glob(f"{mine[-1].stem}.*")}
    for path in later:
        path.unlink()
    said(results, campaign)
    for path, content in later.items():
        path.write_bytes(content)
    mine[0].write_bytes(mine[0].read_bytes() + b"\n")
    code, text = said(results, campaign)
    assert code == 1 and f"{mine[0]}: manifest: its SHA-256 is" in text
    assert len(store.load([results]).manifests) == 1


def test_with_a_key_the_manifest_is_signed_and_the_summary_says_by_whom(
    results: Path, campaign: str, tmp_path: Path
) -> None:
    require("ssh-keygen", shutil.which("ssh-keygen") is not None, "there is no ssh-keygen")
    key = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    public = key.with_suffix(".pub").read_text().split()[:2]
    (results / "allowed_signers").write_text(" ".join(["grace", *public]) + "\n")
    code, text = said(results, campaign, key)
    ((path, _),) = store.load([results]).manifests
    assert code == 0 and "signed by `grace`, key `SHA256:" in text
    signature = judge(path, results / "allowed_signers")
    assert signature and (signature.state, signature.signer) == ("known", "grace")
    assert store.load([results]).faults == []


def test_what_is_no_key_is_a_sentence_and_nothing_is_written(
    results: Path, campaign: str, tmp_path: Path
) -> None:
    require("ssh-keygen", shutil.which("ssh-keygen") is not None, "there is no ssh-keygen")
    (tmp_path / "key").write_text("no key\n")
    with pytest.raises(UserError, match="ssh-keygen does not sign with it"):
        said(results, campaign, tmp_path / "key")
    assert not (results / "manifests").exists()


def test_the_newest_campaign_is_handed_in_unless_one_is_named(results: Path) -> None:
    newest = next(iter(campaigns(store.load([results]))))
    code, text = said(results)
    assert code == 0 and f"### Campaign `{newest}`" in text


@pytest.mark.parametrize("name", ["nosuchcampaign", "", "../..", "\x1b[31m", "x" * 5000])
def test_an_unknown_campaign_is_a_sentence(results: Path, name: str) -> None:
    with pytest.raises(UserError) as error:
        said(results, name)
    assert len(str(error.value)) < 1000 and "\n" not in str(error.value)


def test_an_empty_folder_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no records"):
        said(tmp_path)


def test_no_folder_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such file or folder"):
        said(tmp_path / "nowhere")


def test_a_strangers_words_are_no_markup_in_the_summary() -> None:
    from framebench.commands.submission_summary import _code

    hostile = "`| [x](http://evil) \n# Title <img src=x>`"
    assert _code(hostile).count("`") == 2 and "|" not in _code(hostile) and "\n" not in _code(hostile)
