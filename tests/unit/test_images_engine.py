"""What docker says on failure becomes one sentence with the mend; an image's identity is computed."""

import copy
import subprocess
from pathlib import Path

import pytest

from framebench.errors import UserError
from framebench.images import identity, load_matrix
from framebench.images.audit import two_builds
from framebench.images.make import assembly, builder, canonical, engine, into_engine
from framebench.images.make.engine import explain

ROOT = Path(__file__).resolve().parents[2]
SOCKET = "dial unix /var/run/docker.sock: connect: permission denied"
DETAILS = {
    "Id": "sha256:whatever the engine calls it",
    "Architecture": "amd64",
    "Os": "linux",
    "Created": "2026-06-01T00:00:00Z",
    "RootFS": {"Type": "layers", "Layers": ["sha256:aa", "sha256:bb"]},
    "Config": {
        "User": "1000:1000",
        "Env": ["PATH=/opt/venv/bin"],
        "Entrypoint": ["python", "-m", "harness"],
        "WorkingDir": "/home/bench",
        "Labels": {"org.framebench.image": "x"},
        "Cmd": None,
        "Hostname": "",
    },
}


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        (f"Got permission denied while trying to connect: {SOCKET}", "usermod -aG docker"),
        (
            "Cannot connect to the Docker daemon at unix:///var/run/docker.sock.",
            "No Docker engine answers: start",
        ),
        ("write /opt/x: no space left on device", "disk is full: free some with `framebench prune`"),
        ("ERROR: something else", "`docker build` failed: ERROR: something else"),
    ],
)
def test_failures_of_docker_are_explained(said: str, sentence: str) -> None:
    assert sentence in explain("build", said)


def test_an_engine_with_another_processor_fetches_and_builds_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = subprocess.CompletedProcess([], 0, stdout="arm64\n", stderr="")
    monkeypatch.setattr(engine, "docker", lambda *arguments, check=True: answer)
    monkeypatch.setattr(engine, "client", lambda: "docker")
    row = load_matrix(ROOT).find("torch-cpu")
    said: list[str] = []
    with pytest.raises(
        UserError, match=r"is for amd64 processors, and the engine's machine has arm64: build it on"
    ):
        into_engine.build(ROOT, row, said.append, source=tmp_path)
    assert said == [] and not [*tmp_path.iterdir()]


def test_a_builder_without_an_engine_fetches_nothing_for_another_processor_either(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What `build --check`, `export` and `push` make has no engine behind it that could refuse."""
    monkeypatch.setattr(builder.shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(builder.platform, "machine", lambda: "aarch64")
    row = load_matrix(ROOT).find("torch-cpu")
    said: list[str] = []
    refused = r"is for amd64 processors, and this machine has aarch64: build it on"
    with pytest.raises(UserError, match=refused):
        assembly.assemble(tmp_path, ROOT, row, said.append, "buildah")
    with pytest.raises(UserError, match=refused):
        two_builds.compare_builds(tmp_path, [row], said.append, "buildah")
    assert said == [] and not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_identity_is_the_digest_of_the_canonical_config() -> None:
    layers = [canonical.Layer(digest, None, 0) for digest in ("sha256:aa", "sha256:bb")]  # type: ignore[arg-type]
    run = {key: value for key, value in DETAILS["Config"].items() if value}  # type: ignore[attr-defined]
    assert identity(DETAILS) == canonical.digest_of(canonical.config(layers, run, 1780272000, "amd64"))


@pytest.mark.parametrize(
    ("place", "key", "value"),
    [
        ("Config", "User", "0:0"),
        ("Config", "Env", ["PATH=/evil"]),
        ("Config", "Volumes", {"/x": {}}),
        ("RootFS", "Layers", ["sha256:aa"]),
    ],
)
def test_an_image_with_anything_changed_has_another_identity(place: str, key: str, value: object) -> None:
    other = copy.deepcopy(DETAILS)
    other[place][key] = value  # type: ignore[index]
    assert identity(other) != identity(DETAILS)
