"""What was pushed where, and what is said when a push or a pull cannot even begin."""

from __future__ import annotations

from pathlib import Path

import pytest

from framebench import images
from framebench.errors import UserError
from framebench.images.fetch import web
from framebench.images.fetch.debs import load_base_lock
from framebench.images.published import Published, load_published, note_published, repositories
from framebench.images.ship.deb_set import KIND, deb_manifest

ROOT = Path(__file__).resolve().parents[2]
ONE, TWO = f"sha256:{'1' * 64}", f"sha256:{'2' * 64}"


def entry(place: str, day: int) -> Published:
    return Published(
        name="x",
        repo_digest=f"{place}/x@{TWO}",
        pushed_utc=f"2026-06-{day:02}T00:00:00+00:00",
        inputs_sha256="3" * 64,
    )


def test_an_address_is_found_by_config_digest_and_the_latest_place_comes_first(tmp_path: Path) -> None:
    assert images.repo_digest(tmp_path, ONE) is None and repositories(tmp_path) == []
    note_published(tmp_path, ONE, entry("ghcr.io/me/framebench", 1))
    note_published(tmp_path, TWO, entry("127.0.0.1:5000", 2))
    assert images.repo_digest(tmp_path, ONE) == f"ghcr.io/me/framebench/x@{TWO}"
    assert repositories(tmp_path) == ["127.0.0.1:5000", "ghcr.io/me/framebench"]
    note_published(tmp_path, ONE, entry("ghcr.io/other", 3))
    assert images.repo_digest(tmp_path, ONE) == f"ghcr.io/other/x@{TWO}"
    assert images.repo_digest(tmp_path, TWO) == f"127.0.0.1:5000/x@{TWO}"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "truncated"),
        (f'{{"{ONE}": {{"name": "x", "repo_digest": "ghcr.io/x:latest", "pushed_utc": ""}}}}', "repo_digest"),
        ('{"sha256:12": {"name": "x", "repo_digest": "", "pushed_utc": ""}}', "matching regex"),
    ],
)
def test_a_damaged_file_is_named(tmp_path: Path, content: str, said: str) -> None:
    (tmp_path / "containers").mkdir()
    (tmp_path / "containers" / "published.json").write_text(content)
    with pytest.raises(
        UserError, match=rf"published\.json: .*{said}.*git checkout containers/published\.json"
    ):
        load_published(tmp_path)


@pytest.mark.parametrize("place", ["https://ghcr.io/me", "ghcr.io/Me", "me/framebench", "ghcr.io//x", ""])
def test_a_registry_that_is_no_place_is_refused_before_anything_is_built(place: str) -> None:
    with pytest.raises(UserError, match="expected HOST/PREFIX"):
        images.push(ROOT, images.load_matrix(ROOT).rows, place, print)


def test_pushing_without_skopeo_names_the_mend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match=r"skopeo is not installed.*apt-get install skopeo"):
        images.push(ROOT, images.load_matrix(ROOT).rows, "ghcr.io/me/framebench", print)


def test_pulling_what_was_never_pushed_names_the_mend(tmp_path: Path) -> None:
    row = images.load_matrix(ROOT).find("torch-cpu")
    with pytest.raises(UserError, match=f"no address of {row.name}.*framebench build torch-cpu"):
        images.pull_published(tmp_path, row, print)


def test_only_a_registry_on_this_machine_is_spoken_to_in_the_clear() -> None:
    for host in ("127.0.0.1", "127.1.2.3:5000", "localhost", "localhost:5000", "[::1]:5000"):
        assert web.is_loopback(host), host
        assert web.blob_url(f"{host}/a/debs", ONE) == f"http://{host}/v2/a/debs/blobs/{ONE}"
    for host in ("ghcr.io", "10.0.0.1:5000", "localhost.example.org", "registry:5000"):
        assert not web.is_loopback(host), host
    assert web.blob_url("docker.io/me/debs", ONE) == f"https://registry-1.docker.io/v2/me/debs/blobs/{ONE}"


def test_the_set_of_packages_has_the_digests_of_the_lock() -> None:
    lock = load_base_lock(ROOT, "py311")
    manifest = deb_manifest("py311", lock).decode()
    assert KIND in manifest
    assert all(f'"digest":"sha256:{deb.sha256}"' in manifest for deb in lock.debs())
    assert manifest.count("application/vnd.debian.binary-package") == len(lock.debs())
