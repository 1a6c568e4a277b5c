"""A real registry on this machine: what is pushed is what is pulled and measured again, and nothing else is."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest
from rich.console import Console

from framebench import dataset, images
from framebench.campaign import same_image
from framebench.campaign.request import Request
from framebench.commands import reproduce
from framebench.commands import run as run_command
from framebench.errors import UserError
from framebench.executors import StackOn
from framebench.executors.docker import DockerExecutor
from framebench.images.audit.two_builds import copy_inputs
from framebench.images.fetch.debs import BaseUnavailable, fetch_debs, load_base_lock
from framebench.images.make import archive, engine
from framebench.images.make.canonical import canonical_json, digest_of
from framebench.images.matrix import ImageRow
from framebench.images.published import Published, load_published, note_published
from framebench.images.ship.deb_set import deb_manifest
from framebench.images.ship.registry import push_debs
from framebench.records import store
from harness.record import ImageRef
from tests.integration.registry_server import HOST, Answer, Registry, free_port, proxy, require_registry

pytestmark = pytest.mark.docker

ROOT = Path(__file__).parents[2]


class Pushed(NamedTuple):
    """An image of its own kind (its harness has one more file), in a registry."""

    root: Path
    row: ImageRow
    config_digest: str
    address: str
    manifest: dict

    @property
    def repository(self) -> str:
        return self.address.partition("@")[0]

    @property
    def top_layer(self) -> str:
        """Digest of the layer that no other image in the engine has: a pull always fetches it."""
        return self.manifest["layers"][-1]["digest"]

    def names(self) -> list[str]:
        """What the engine calls the image."""
        found = [(name, engine.inspect(name)) for name in engine.references("org.framebench.image")]
        return [name for name, details in found if details and images.identity(details) == self.config_digest]

    def remove(self) -> None:
        for name in self.names():
            engine.docker("image", "rm", name)


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    require_registry()
    server = Registry(tmp_path_factory.mktemp("registry"))
    yield server
    server.kill()


@pytest.fixture(scope="module")
def pushed(registry: Registry, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pushed]:
    root = tmp_path_factory.mktemp("checkout")
    for name in ("containers", "harness", "suites"):
        shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
    (root / "containers" / "published.json").unlink(missing_ok=True)
    shutil.copy(ROOT / "pyproject.toml", root)
    (root / "build").mkdir()
    (root / "build" / "store").symlink_to(ROOT / "build" / "store")
    (root / "harness" / "of_this_test.txt").write_text(f"{uuid.uuid4()}\n" * 5000)
    row = images.load_matrix(root).find("keras-jax-cpu")
    built = images.build(root, row, print)
    try:
        images.push(root, [row], f"{registry.address}/framebench", print)
        address = images.repo_digest(root, built.config_digest)
        assert address
        manifest = json.loads(registry.blob(address.partition("@")[2]).read_bytes())
        image = Pushed(root, row, built.config_digest, address, manifest)
        yield image
        image.remove()
    finally:
        volume = f"framebench-cache-{built.config_digest.removeprefix('sha256:')[:12]}"
        engine.docker("volume", "rm", "--force", volume, check=False)


@pytest.fixture
def absent(pushed: Pushed) -> Pushed:
    """The image, no more in the engine."""
    pushed.remove()
    return pushed


# --- round trip ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def measured(pushed: Pushed) -> Path:
    """Results of two contenders, measured in the image after it was pushed."""
    request = Request(
        root=pushed.root,
        suite="smoke",
        budget="none",
        executor="docker",
        case_globs=("mlp/*",),
        contender_globs=("keras-jax-compiled-loop", "keras-jax-compiled-direct"),
        results=pushed.root / "results",
        rounds=2,
    )
    said = io.StringIO()
    assert run_command.run(request, Console(file=said)) == 0, said.getvalue()
    return request.results


def test_reproduce_pulls_the_removed_image_by_the_address_in_the_record(
    measured: Path, pushed: Pushed
) -> None:
    result = next(r for r in dataset.load([measured]).results if r.timed)
    assert (result.image.config_digest, result.image.repo_digest) == (pushed.config_digest, pushed.address)
    pushed.remove()
    said = io.StringIO()
    code = reproduce.run(pushed.root, measured, result.id, 2, Console(file=said, width=500))
    assert code == 0, said.getvalue()
    assert f"pulling {pushed.address}" in said.getvalue()
    (written,) = (measured / store.REPRODUCTIONS).glob("*/*.json")
    document = json.loads(written.read_text())
    assert (document["image_source"], document["config_digest"]) == ("pulled", pushed.config_digest)
    assert document["verdict"] in ("reproduced", "not reproduced", "undecided")
    assert document["rounds"] == 2


def test_an_image_that_was_pushed_after_its_record_is_found_by_its_identity(
    measured: Path, absent: Pushed
) -> None:
    _, record = store.load([measured]).records[0]
    older = msgspec.structs.replace(record, image=msgspec.structs.replace(record.image, repo_digest=None))
    assert same_image.obtain(absent.root, older, print) == ("pulled", absent.address)


def test_the_published_address_is_what_docker_pull_accepts(absent: Pushed) -> None:
    entry = load_published(absent.root)[absent.config_digest]
    assert (entry.name, entry.repo_digest) == (absent.row.name, absent.address)
    engine.docker("pull", "--quiet", entry.repo_digest)
    details = engine.inspect(entry.repo_digest)
    assert details and images.identity(details) == absent.config_digest
    assert absent.manifest["config"]["digest"] == absent.config_digest


def test_pull_by_name_brings_the_published_image(absent: Pushed) -> None:
    name = images.pull_published(absent.root, absent.row, print)
    details = engine.inspect(name)
    assert details and images.identity(details) == absent.config_digest
    said: list[str] = []
    assert images.pull_published(absent.root, absent.row, said.append) == name
    assert said == [f"{absent.row.name}: {absent.config_digest} is here"]


def test_a_pulled_image_is_measured_in_and_not_built_again(absent: Pushed) -> None:
    shutil.rmtree(absent.root / "build" / "images")  # as in a clone where nothing was ever built
    assert images.local_image(absent.root, absent.row) is None
    name = images.pull_published(absent.root, absent.row, print)
    wanted = StackOn(absent.row.stack)
    image = DockerExecutor(absent.root).prepare([wanted], pytest.fail)[wanted]  # a build says what it does
    assert isinstance(image, ImageRef)
    assert (image.config_digest, image.repo_digest) == (absent.config_digest, absent.address)
    assert engine.inspect(name) is not None


def test_a_pulled_image_of_another_checkout_is_not_measured_in(absent: Pushed, tmp_path: Path) -> None:
    copy_inputs(absent.root, tmp_path)
    shutil.copy(absent.root / "containers" / "published.json", tmp_path / "containers")
    (tmp_path / "harness" / "changed.txt").write_text("after the push")
    said: list[str] = []
    images.pull_published(tmp_path, absent.row, said.append)
    assert said[-1].endswith("so `framebench run` builds its own")
    assert images.local_image(tmp_path, absent.row) is None


def test_pushed_again_it_has_the_same_address(pushed: Pushed, registry: Registry) -> None:
    images.push(pushed.root, [pushed.row], f"{registry.address}/framebench", print)
    assert images.repo_digest(pushed.root, pushed.config_digest) == pushed.address


# --- attacks ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tampered(pushed: Pushed, registry: Registry, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Address of an image with one more variable than ours, pushed under our image's tags."""
    config = json.loads(registry.blob(pushed.config_digest).read_bytes())
    config["config"]["Env"].append("KERAS_BACKEND=torch")
    image = canonical_json(config)
    manifest = {**pushed.manifest, "config": {**pushed.manifest["config"]}}
    manifest["config"].update(digest=digest_of(image), size=len(image))
    blobs = {layer["digest"]: registry.blob(layer["digest"]) for layer in pushed.manifest["layers"]}
    folder = tmp_path_factory.mktemp("tampered")
    archive.write_folder(
        folder, archive.layout_files(image, canonical_json(manifest), blobs, {archive.REFERENCE: "x"})
    )
    command = ["skopeo", "--insecure-policy", "copy", "--preserve-digests", "--dest-tls-verify=false"]
    for tag in ("latest", pushed.config_digest.removeprefix("sha256:")[:12]):
        subprocess.run([*command, f"oci:{folder}", f"docker://{pushed.repository}:{tag}"], check=True)
    return f"{pushed.repository}@{digest_of(canonical_json(manifest))}"


def test_a_tampered_image_under_the_same_tag_is_not_pulled(absent: Pushed, tampered: str) -> None:
    engine.docker("pull", "--quiet", f"{absent.repository}:latest")
    fooled = engine.inspect(f"{absent.repository}:latest")
    engine.docker("image", "rm", f"{absent.repository}:latest")
    assert fooled and images.identity(fooled) != absent.config_digest  # whoever goes by the tag
    images.pull(absent.address, absent.config_digest)
    details = engine.inspect(absent.address)
    assert details and images.identity(details) == absent.config_digest


def test_an_address_of_another_image_is_refused_by_identity(absent: Pushed, tampered: str) -> None:
    honest = load_published(absent.root)[absent.config_digest]
    note_published(absent.root, absent.config_digest, msgspec.structs.replace(honest, repo_digest=tampered))
    try:
        with pytest.raises(UserError, match="is not the image that was asked for") as refusal:
            images.pull_published(absent.root, absent.row, print)
    finally:
        note_published(absent.root, absent.config_digest, honest)
    assert absent.config_digest in str(refusal.value)
    assert engine.inspect(tampered) is None and not absent.names()


def test_what_the_user_had_stays_when_it_is_refused(absent: Pushed, tampered: str) -> None:
    engine.docker("pull", "--quiet", tampered)
    try:
        with pytest.raises(UserError, match="is not the image that was asked for"):
            images.pull(tampered, absent.config_digest)
        assert engine.inspect(tampered) is not None
    finally:
        engine.docker("image", "rm", tampered)


def changed(*parts: str) -> Callable[[str, Answer], Answer]:
    """A lie: one byte of the answers whose path holds one of ``parts`` is another."""

    def change(path: str, answer: Answer) -> Answer:
        status, headers, body = answer
        if body and any(part in path for part in parts):
            middle = len(body) // 2
            body = body[:middle] + bytes([body[middle] ^ 1]) + body[middle + 1 :]
        return status, headers, body

    return change


@contextmanager
def killed_in_mid_layer(pushed: Pushed, registry: Registry) -> Iterator[tuple[str, list[str]]]:
    """A proxy's address; the registry behind it dies when half of the top layer has gone through. And what was
    asked for of that layer."""
    asked: list[str] = []

    def change(path: str, answer: Answer) -> Answer | None:
        if pushed.top_layer in path:
            asked.append(path)
            if len(asked) == 1:
                registry.kill()
                return None
        return answer

    with proxy(registry, change) as address:
        yield address, asked


@pytest.mark.parametrize("what", ["manifest", "config", "layer"])
def test_a_registry_that_lies_is_found_out(absent: Pushed, registry: Registry, what: str) -> None:
    part = {"manifest": "/manifests/", "config": absent.config_digest, "layer": absent.top_layer}[what]
    with proxy(registry, changed(part)) as address:
        lying = absent.address.replace(registry.address, address)
        with pytest.raises(images.Unavailable, match=r"gave other bytes than .* names") as refusal:
            images.pull(lying, absent.config_digest)
    assert str(refusal.value).count("\n") == 0
    assert engine.inspect(lying) is None and not absent.names()


def test_a_truncated_blob_is_refused_and_whole_again_accepted(absent: Pushed, registry: Registry) -> None:
    file = registry.blob(absent.top_layer)
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    try:
        with pytest.raises(images.Unavailable, match=r"gave other bytes .* nothing was kept"):
            images.pull(absent.address, absent.config_digest)
        assert not absent.names()
    finally:
        file.write_bytes(whole)
    images.pull(absent.address, absent.config_digest)
    assert absent.names() == [absent.address]


def test_a_pull_outlives_a_registry_that_dies_and_comes_back(absent: Pushed, registry: Registry) -> None:
    with killed_in_mid_layer(absent, registry) as (address, asked):
        threading.Timer(2, registry.start).start()
        images.pull(absent.address.replace(registry.address, address), absent.config_digest)
    assert len(asked) > 1  # the layer was asked for again
    assert absent.names()


@pytest.mark.slow
def test_a_registry_that_stays_dead_is_a_sentence_and_the_next_pull_ends_well(
    absent: Pushed, registry: Registry
) -> None:
    with killed_in_mid_layer(absent, registry) as (address, _):
        dying = absent.address.replace(registry.address, address)
        try:
            with pytest.raises(images.Unavailable, match=r"broke off while giving .* run again"):
                images.pull(dying, absent.config_digest)  # the engine gives up after a minute
        finally:
            registry.start()
    assert engine.inspect(dying) is None and not absent.names()
    images.pull(absent.address, absent.config_digest)
    assert absent.names() == [absent.address]


# --- Debian packages ----------------------------------------------------------------------------


@pytest.fixture
def vanished(tmp_path: Path) -> tuple[Path, Path]:
    """A checkout whose base has one package, at a path that no mirror has; and that package's file in its store."""
    base, store_ = tmp_path / "containers" / "base", tmp_path / "build" / "store" / "debs"
    base.mkdir(parents=True)
    store_.mkdir(parents=True)
    real = load_base_lock(ROOT, "py311").debs()[0]
    whole = next(path for path in fetch_debs(ROOT, "py311", print) if real.sha256 in path.name)
    line = f"vanished=1.0 debian pool/main/v/vanished/vanished_1.0_amd64.deb {real.size} {real.sha256}"
    (base / "old.lock").write_text(
        'suite = "bookworm"\nepoch = 1780272000\nsnapshot = "20260601T000000Z"\n'
        f'asked = ["vanished"]\npackages = ["{line}"]\n'
    )
    return tmp_path, Path(shutil.copy(whole, store_))


def published_at(root: Path, registry: str) -> None:
    entry = Published(
        name="x",
        repo_digest=f"{registry}/framebench/x@sha256:{'1' * 64}",
        pushed_utc="2026-06-01T00:00:00+00:00",
        inputs_sha256="3" * 64,
    )
    note_published(root, f"sha256:{'2' * 64}", entry)


def test_a_package_that_no_mirror_has_comes_from_the_registry(
    registry: Registry, vanished: tuple[Path, Path]
) -> None:
    root, deb = vanished
    whole = deb.read_bytes()
    push_debs(root, "old", load_base_lock(root, "old"), f"{registry.address}/framebench", print)
    deb.unlink()
    with pytest.raises(BaseUnavailable, match=r"vanished=1\.0 could not be fetched"):
        fetch_debs(root, "old", print)  # nothing says yet where to ask
    published_at(root, registry.address)
    assert fetch_debs(root, "old", print) == [deb]
    assert deb.read_bytes() == whole

    deb.unlink()
    blob = registry.blob(f"sha256:{deb.stem}")
    blob.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    try:
        with pytest.raises(BaseUnavailable, match=rf"{registry.address}.*expected sha256 {deb.stem}, found"):
            fetch_debs(root, "old", print)
    finally:
        blob.write_bytes(whole)
    assert not deb.exists()


def test_an_older_set_of_packages_keeps_a_tag(registry: Registry, vanished: tuple[Path, Path]) -> None:
    root, _ = vanished
    lock = load_base_lock(root, "old")
    newer = msgspec.structs.replace(lock, suite="trixie")
    for each in (lock, newer):
        push_debs(root, "old", each, f"{registry.address}/framebench", print)
    tags = registry.storage / "docker/registry/v2/repositories/framebench/debs/_manifests/tags"
    held = {link.read_text() for link in tags.glob("old*/current/link")}
    assert held == {digest_of(deb_manifest("old", each)) for each in (lock, newer)}


def test_a_registry_that_wants_a_token_gets_an_anonymous_one(
    tmp_path_factory: pytest.TempPathFactory, vanished: tuple[Path, Path]
) -> None:
    """The registry's own token authentication; who hands out the tokens is ours, and asks for no account."""
    require_registry()
    root, deb = vanished
    port = free_port()
    realm = f"http://{HOST}:{port}/token"
    server = Registry(
        tmp_path_factory.mktemp("guarded"), f"auth: {{silly: {{realm: '{realm}', service: ours}}}}\n"
    )
    asked: list[str] = []

    def hand_out(path: str, answer: Answer) -> Answer:
        asked.append(path)
        return 200, {"Content-Type": "application/json"}, b'{"token": "anonymous"}'

    published_at(root, server.address)
    try:
        with proxy(server, hand_out, port):
            push_debs(root, "old", load_base_lock(root, "old"), f"{server.address}/framebench", print)
            deb.unlink()
            del asked[:]
            assert fetch_debs(root, "old", print) == [deb]
    finally:
        server.kill()
    assert asked == ["/token?service=ours&scope=repository%3Aframebench%2Fdebs%3Apull"]


# --- what goes wrong with a push ----------------------------------------------------------------


def test_pushing_where_nobody_answers_is_a_sentence(pushed: Pushed) -> None:
    before = (pushed.root / "containers" / "published.json").read_bytes()
    with pytest.raises(UserError, match=r"No registry answers at 127\.0\.0\.1:"):
        images.push(pushed.root, [pushed.row], f"{HOST}:{free_port()}/x", print)
    assert (pushed.root / "containers" / "published.json").read_bytes() == before


def test_pushing_without_permission_is_a_sentence(
    pushed: Pushed, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("closed")
    closed = Registry(folder, f"auth: {{htpasswd: {{realm: ours, path: '{folder}/passwords'}}}}\n")
    try:
        with pytest.raises(UserError, match=f"`skopeo login {closed.address}` and run again"):
            images.push(pushed.root, [pushed.row], f"{closed.address}/x", print)
        with pytest.raises(images.Unavailable, match=f"docker login {closed.address}"):
            images.pull(pushed.address.replace(pushed.address.partition("/")[0], closed.address), "sha256:0")
    finally:
        closed.kill()


def test_a_registry_that_changes_what_it_is_given_is_found_out(pushed: Pushed, registry: Registry) -> None:
    """Nothing is noted as published that the registry does not offer."""
    before = load_published(pushed.root)
    with (
        proxy(registry, changed("/manifests/")) as address,
        pytest.raises(UserError, match=r"was pushed as .* but the registry offers"),
    ):
        images.push(pushed.root, [pushed.row], f"{address}/framebench", print)
    assert load_published(pushed.root) == before
