"""An image of this interpreter alone, whose harness runs a text that comes in the spec, in the one place that no record
has to tell again: the protocol's name."""

from __future__ import annotations

import _ctypes
import io
import json
import subprocess
import sys
import sysconfig
import tarfile
from collections.abc import Iterator
from pathlib import Path

import docker
import msgspec

from framebench.errors import UserError
from framebench.executors.connection import connect
from framebench.executors.docker import CUDA_LABEL
from harness.record import Contender, TrialSpec
from tests.record_factory import make_record
from tests.requirement import require

HARNESS = """
import json, os, signal, sys, time
spec = json.load(sys.stdin)
told = ("kind", "campaign_id", "round", "seed", "case", "contender", "image", "provenance")
given = json.loads(spec["protocol"]["name"])
record = json.dumps(given["record"] | {name: spec[name] for name in told}, separators=(",", ":"))
exec(given["script"])
"""


def python_tree() -> bytes:
    """A tar of this Python, its standard library and the shared libraries it is linked with."""
    archive = io.BytesIO()
    executable = Path(sys.executable).resolve()
    library = Path(sysconfig.get_path("stdlib")).resolve()
    users = [
        executable,
        getattr(_ctypes, "__file__", executable),
    ]  # the latter so that a trial can call the kernel
    linked = subprocess.run(["ldd", *users], capture_output=True, text=True, check=True).stdout
    needed = {word for word in linked.split() if word.startswith("/") and not word.endswith(":")}

    def lean(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
        left_out = {"test", "idlelib", "site-packages", "dist-packages", "__pycache__"}
        return None if left_out & set(Path(entry.name).parts) else entry

    with tarfile.open(fileobj=archive, mode="w", dereference=True) as tar:
        tar.add(executable, str(executable))
        tar.add(library, str(library), filter=lean)
        for path in sorted(needed):
            tar.add(path, path)
        for name in ("harness/__init__.py", "harness/__main__.py"):
            content = HARNESS.encode() if name.endswith("__main__.py") else b""
            entry = tarfile.TarInfo(f"/opt/framebench/{name}")
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return archive.getvalue()


def make(engine: docker.DockerClient, name: str) -> None:
    """Put the image into an engine as ``name``, which is ``REPOSITORY:TAG``."""
    entry_point = json.dumps([str(Path(sys.executable).resolve()), "-m", "harness"])
    repository, _, tag = name.partition(":")
    engine.api.import_image_from_data(
        python_tree(),
        repository=repository,
        tag=tag,
        changes=[
            f"ENTRYPOINT {entry_point}",
            "ENV PYTHONPATH=/opt/framebench",
            f"LABEL {CUDA_LABEL}=13.0.96",
        ],
    )


def in_an_engine(name: str) -> Iterator[docker.DockerClient]:
    """For a fixture: this machine's engine with the image ``name`` in it, which goes at the end with its cache."""
    try:
        client = connect()
    except UserError as error:
        require("docker", False, str(error))
        raise
    make(client, name)
    digest = client.images.get(name).id
    yield client
    client.images.remove(name, force=True)
    client.volumes.get(f"framebench-cache-{digest.removeprefix('sha256:')[:12]}").remove()


def make_spec(engine: docker.DockerClient, name: str, script: str = "", **changes: object) -> TrialSpec:
    """A trial in the image ``name`` that runs ``script``, which has ``spec`` and a ``record`` to print."""
    record = make_record()
    image = msgspec.structs.replace(record.image, config_digest=engine.images.get(name).id)
    given = json.dumps({"record": msgspec.to_builtins(record), "script": script})
    spec = TrialSpec(
        kind="timing",
        trial_id=record.trial_id,
        campaign_id=record.campaign_id,
        round=1,
        seed=1,
        case=msgspec.structs.replace(record.case, cores=1),
        contender=Contender(stack="test", mode="eager"),
        protocol=msgspec.structs.replace(record.protocol, name=given),
        image=image,
        provenance=record.provenance,
        timeout_s=60.0,
    )
    return msgspec.structs.replace(spec, **changes)
