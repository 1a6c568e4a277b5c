"""What a command has to find out about its images and its harness, it finds out once."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from platform import release
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from framebench.campaign.opening import open_campaign
from framebench.campaign.preparation import prepare
from framebench.campaign.request import Request, resolve
from framebench.executors import docker as docker_executor
from framebench.images import identity, load_matrix
from framebench.images.make import engine, harness_layer, local
from framebench.images.make.assembly import inputs_sha256

ROOT = Path(__file__).resolve().parents[2]


class Engine:
    """Has every default image and counts what it is asked; the harness is counted too."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked: list[tuple[str, ...]] = []
        self.read = 0
        self.known: dict[str, dict[str, Any]] = {}
        tree = harness_layer.harness_tree_sha256(root)
        for row in load_matrix(root).for_device("cpu").values():
            details = {
                "Id": "whatever the engine calls it",
                "Architecture": "amd64",
                "Os": "linux",
                "Created": "2026-06-01T00:00:00Z",
                "RootFS": {"Layers": ["sha256:aa"]},
                "Config": {
                    "User": "1000",
                    "Env": ["A=B"],
                    "Entrypoint": ["python"],
                    "WorkingDir": "/",
                    "Labels": {"x": row.name},
                },
            }
            digest = identity(details)
            assert digest is not None
            image = local.made_from(root, row, digest, inputs_sha256(root, row, tree))
            self.known[image.tag] = details
            monkeypatch.setattr(engine, "docker", lambda *arguments: None)
            local.note_local(root, row, image)
        monkeypatch.setattr(engine, "docker", self.docker)
        monkeypatch.setattr(docker_executor, "connect", lambda: self)
        really = harness_layer.harness_files

        def counted(root: Path) -> dict[str, bytes]:
            self.read += 1
            return really(root)

        monkeypatch.setattr(harness_layer, "harness_files", counted)

    def docker(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        self.asked.append(arguments)
        answer = [self.known[reference] for reference in arguments[2:]]
        return subprocess.CompletedProcess(arguments, 0, json.dumps(answer), "")

    # what the executor's own client is asked

    @property
    def containers(self) -> Engine:
        return self

    def list(self, **options: Any) -> list[Any]:
        return []

    def info(self) -> dict[str, Any]:
        return {
            "MemTotal": psutil.virtual_memory().total,
            "NCPU": psutil.cpu_count(),
            "KernelVersion": release(),
        }

    @property
    def api(self) -> Any:
        return SimpleNamespace(base_url="http+docker://localhost")

    def version(self) -> dict[str, Any]:
        return {"Arch": "amd64"}


def test_a_run_whose_images_are_ready_asks_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("containers", "harness", "suites"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    docker = Engine(tmp_path, monkeypatch)
    said: list[str] = []
    request = Request(tmp_path, "smoke", "none", "auto", (), (), tmp_path / "results")
    resolved = resolve(request, said.append)
    images = prepare(resolved, said.append)
    bench = open_campaign(request, resolved, images, said.append)
    assert set(images) == set(resolved.stacks) == set(resolved.ready) and len(images) >= 5
    assert bench.plan.trials()
    assert docker.read == 1
    assert [arguments[:2] for arguments in docker.asked] == [("image", "inspect")]
    assert "executor: docker, because an engine answers" in said
