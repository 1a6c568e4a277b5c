"""Signatures by the real ssh-keygen: right ones are known by their signer, and whatever was touched is wrong."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from framebench import checking
from framebench.checking import History
from framebench.errors import UserError
from framebench.records import store
from framebench.records.manifests import campaigns, compose
from framebench.records.placing import ALLOWED_SIGNERS, signature_path
from framebench.records.signature import sign, verify
from tests.record_factory import make_record, trial_id
from tests.requirement import require

CONTENT = b'{\n "files": {}\n}\n'


@pytest.fixture(scope="module", autouse=True)
def _needs_openssh() -> None:
    require("ssh-keygen", shutil.which("ssh-keygen") is not None, "there is no ssh-keygen")


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with keys of three kinds, and one that nobody knows."""
    folder = tmp_path_factory.mktemp("keys")
    for kind in ("ed25519", "ecdsa", "rsa"):
        subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", "", "-f", str(folder / kind)], check=True)
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / "stranger")], check=True
    )
    known = [
        f'{kind}@example.org namespaces="framebench" {public(folder / kind)}\n'
        for kind in ("ed25519", "ecdsa", "rsa")
    ]
    (folder / "allowed").write_text("# whose keys\n" + "".join(known))
    (folder / "sig").write_bytes(sign(CONTENT, folder / "ed25519"))
    return folder


def public(key: Path) -> str:
    return " ".join(key.with_name(f"{key.name}.pub").read_text().split()[:2])


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa", "rsa"])
def test_a_known_key_is_its_signers(keys: Path, tmp_path: Path, kind: str) -> None:
    (tmp_path / "sig").write_bytes(sign(CONTENT, keys / kind))
    found = verify(CONTENT, tmp_path / "sig", keys / "allowed")
    assert (found.state, found.signer) == ("known", f"{kind}@example.org")
    assert found.key and found.key.startswith("SHA256:")


def test_a_right_signature_of_a_stranger_is_unknown(keys: Path, tmp_path: Path) -> None:
    (tmp_path / "sig").write_bytes(sign(CONTENT, keys / "stranger"))
    for allowed in (keys / "allowed", keys / "no such file"):
        found = verify(CONTENT, tmp_path / "sig", allowed)
        assert (found.state, found.signer) == ("unknown", None) and found.key


def test_a_key_that_is_known_for_something_else_is_not_for_this(keys: Path, tmp_path: Path) -> None:
    (tmp_path / "allowed").write_text(f'me namespaces="git" {public(keys / "ed25519")}\n')
    assert verify(CONTENT, keys / "sig", tmp_path / "allowed").state == "unknown"


def test_a_signature_made_for_something_else_is_wrong(keys: Path, tmp_path: Path) -> None:
    command = ["ssh-keygen", "-Y", "sign", "-n", "git", "-f", str(keys / "ed25519")]
    made = subprocess.run(command, input=CONTENT, capture_output=True, check=True).stdout
    (tmp_path / "sig").write_bytes(made)
    assert verify(CONTENT, tmp_path / "sig", keys / "allowed").state == "wrong"


@given(at=st.integers(0, len(CONTENT) - 1), byte=st.integers(1, 255))
@settings(max_examples=40, deadline=None)
def test_any_other_content_is_wrong(keys: Path, at: int, byte: int) -> None:
    other = CONTENT[:at] + bytes([CONTENT[at] ^ byte]) + CONTENT[at + 1 :]
    assert verify(other, keys / "sig", keys / "allowed").state == "wrong"


@given(data=st.binary(max_size=400))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_bytes_that_are_no_signature_are_wrong(keys: Path, tmp_path: Path, data: bytes) -> None:
    (tmp_path / "sig").write_bytes(data)
    assert verify(CONTENT, tmp_path / "sig", keys / "allowed").state == "wrong"


def test_a_huge_signature_or_a_folder_is_wrong(keys: Path, tmp_path: Path) -> None:
    with (tmp_path / "sig").open("wb") as file:
        file.truncate(1 << 30)
    assert verify(CONTENT, tmp_path / "sig", keys / "allowed").state == "wrong"
    assert verify(CONTENT, tmp_path, keys / "allowed").state == "wrong"


@pytest.mark.parametrize("name", ["-f", "$(touch hacked)", "*", "a b", "ünïcødé"])
def test_a_name_of_strange_letters_runs_nothing(keys: Path, tmp_path: Path, name: str) -> None:
    (tmp_path / "allowed").write_text(f'"{name}" {public(keys / "ed25519")}\n')
    found = verify(CONTENT, keys / "sig", tmp_path / "allowed")
    assert found.state in ("known", "unknown")
    assert not list(Path.cwd().glob("hacked*"))


def test_without_openssh_nothing_is_signed_and_nothing_is_believed(
    keys: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert verify(CONTENT, keys / "sig", keys / "allowed").state == "unchecked"
    with pytest.raises(UserError, match="install OpenSSH"):
        sign(CONTENT, keys / "ed25519")


@pytest.fixture
def manifest(keys: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Handed in below ``results`` of the working folder, and signed by a known key."""
    monkeypatch.chdir(tmp_path)
    results = Path("results")
    store.write(make_record(trial_id=trial_id(1), campaign_id="0123456789ab"), results)
    (paths,) = campaigns(store.load([results])).values()
    made = compose("0123456789ab", paths, None)
    shutil.copyfile(keys / "allowed", results / ALLOWED_SIGNERS)
    return store.write_manifest(made, sign(store.document_bytes(made), keys / "ed25519"), results)


def doubts() -> list[tuple[str, bool]]:
    found = checking.check([Path("results")], Path("results"), History(Path.cwd())).findings
    return [
        (f"{one.path.name}: {one.doubt}", one.doubt.refused)
        for one in found
        if one.doubt.field in ("signature", "file", "files", "manifest")
    ]


def test_a_known_signature_is_not_doubted(manifest: Path) -> None:
    assert doubts() == []


def test_a_strangers_signature_is_for_a_human(manifest: Path, keys: Path) -> None:
    signature_path(manifest).write_bytes(sign(manifest.read_bytes(), keys / "stranger"))
    ((words, refused),) = doubts()
    assert "SHA256:" in words and "allowed_signers does not name" in words and not refused


def test_a_signature_of_another_manifest_is_refused(manifest: Path, keys: Path) -> None:
    signature_path(manifest).write_bytes((keys / "sig").read_bytes())
    ((words, refused),) = doubts()
    assert words.startswith(f"{manifest.name}.sig: signature: ") and refused


def test_a_space_more_in_a_signed_manifest_is_refused(manifest: Path) -> None:
    manifest.write_bytes(manifest.read_bytes() + b" ")
    assert [refused for words, refused in doubts() if ": signature: " in words] == [True]


def test_a_signature_without_its_manifest_is_refused(manifest: Path) -> None:
    manifest.unlink()
    ((words, refused),) = doubts()
    assert "a signature without its manifest" in words and refused
