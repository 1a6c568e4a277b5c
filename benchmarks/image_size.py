"""Size and cold build time of an image, beside the plain way for the same packages: a Dockerfile with apt and pip.

    python -m benchmarks.image_size [IMAGE]      (default: keras-jax-cpu)

Both download everything, with no cache, in this run and one after the other: ours with `framebench build` in a fresh
clone of HEAD with an empty store; the plain one with `docker build` over the network from a minimal Debian that
mmdebstrap makes first. Ours makes its base too, so the ratio of times is given with and without that (elsewhere it
would be a `docker pull debian`). One run each: the network's share varies. The plain image holds bytecode, ours does
not: its size is given apart.

Needs a Docker engine and mmdebstrap. The machine's pip configuration is left aside, so that both ask the same index.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import ssl
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from framebench.images import ImageRow, load_matrix
from framebench.images.fetch.debs import load_base_lock
from framebench.images.locks import check_lock
from framebench.images.make import engine

ROOT = Path(__file__).resolve().parent.parent
BASE, PLAIN = "framebench-bench-base", "framebench-bench-plain"

DOCKERFILE = """
FROM {base}
RUN apt-get update && apt-get install -y --no-install-recommends python3 python3-venv {compiler} \
 && rm -rf /var/lib/apt/lists/*
RUN --mount=type=secret,id=certificates --mount=type=bind,target=/mnt \
    python3 -m venv /opt/venv \
 && /opt/venv/bin/pip install --cert /run/secrets/certificates --no-cache-dir {index} -r /mnt/requirements.txt
"""


class Measured(NamedTuple):
    base_seconds: float
    """For the minimal Debian, where that is made apart."""
    seconds: float
    size: int  # bytes, layers uncompressed
    bytecode: int  # bytes of it in .pyc files


def plain(row: ImageRow, folder: Path) -> Measured:
    """The image that somebody would write by hand, from the same versions."""
    suite = load_base_lock(ROOT, row.base).suite
    start = time.monotonic()
    subprocess.run(["mmdebstrap", "--quiet", "--variant=minbase", suite, folder / "base.tar"], check=True)
    engine.docker("import", str(folder / "base.tar"), BASE)
    base_seconds = time.monotonic() - start
    context = folder / "context"
    context.mkdir()
    pins = [wheel.pin for wheel in check_lock(ROOT, row)]
    (context / "requirements.txt").write_text("".join(f"{pin}\n" for pin in pins))
    compiler = "g++ libpython3-dev" if "g++" in base_packages(row) else ""
    index = f"--extra-index-url {row.index}" if row.index else ""
    (folder / "Dockerfile").write_text(DOCKERFILE.format(base=BASE, compiler=compiler, index=index))
    certificates = ssl.get_default_verify_paths().cafile  # this machine's: it may trust a proxy of its own
    cached = set(build_cache())
    start = time.monotonic()
    engine.docker(
        *("build", "--no-cache", "--file", str(folder / "Dockerfile"), "--tag", PLAIN),
        *("--secret", f"id=certificates,src={certificates}", str(context)),
    )
    seconds = time.monotonic() - start
    try:
        return measured(PLAIN, base_seconds, seconds)
    finally:
        engine.docker("image", "rm", "--force", PLAIN, BASE)
        for record in reversed([record for record in build_cache() if record not in cached]):  # newest first
            engine.docker("builder", "prune", "--force", "--all", "--filter", f"id={record}", check=False)


def ours(row: ImageRow, folder: Path) -> Measured:
    """``framebench build`` in a fresh clone, whose layers no image on this machine shares."""
    clone = folder / "clone"
    subprocess.run(["git", "clone", "--quiet", ROOT, clone], check=True)
    for lock in (clone / "containers" / "base").glob("*.lock"):  # another date: no layer is in the engine yet
        lock.write_text(
            re.sub(r"^epoch = (\d+)", lambda m: f"epoch = {int(m[1]) + 1}", lock.read_text(), flags=re.M)
        )
    matrix = clone / "containers" / "images.toml"  # and this machine's alias stays where it is
    matrix.write_text(matrix.read_text().replace("default = true", "default = false"))
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PIP_")}
    environment |= {"PYTHONPATH": str(clone), "PIP_CONFIG_FILE": os.devnull, "PIP_NO_CACHE_DIR": "1"}
    if certificates := ssl.get_default_verify_paths().cafile:
        environment["PIP_CERT"] = certificates
    command = [sys.executable, "-m", "framebench.cli", "build", row.name]
    start = time.monotonic()
    done = subprocess.run(command, cwd=clone, env=environment, text=True, capture_output=True)
    seconds = time.monotonic() - start
    if done.returncode:
        sys.exit(f"framebench build {row.name} failed: {done.stdout[-1000:]}{done.stderr[-1000:]}")
    tag = done.stdout.split()[-1]
    try:
        return measured(tag, 0, seconds)
    finally:
        engine.docker("image", "rm", "--force", tag)


def measured(tag: str, base_seconds: float, seconds: float) -> Measured:
    details = engine.inspect(tag)
    assert details, f"{tag} was built and is not there"
    script = r"find / -xdev -name '*.pyc' -type f -printf '%s\n'"
    run = ("run", "--rm", "--network", "none", "--user", "0", "--entrypoint", "sh", tag, "-c", script)
    return Measured(base_seconds, seconds, details["Size"], sum(map(int, engine.docker(*run).stdout.split())))


def base_packages(row: ImageRow) -> set[str]:
    """Names of the Debian packages that the row's base and those below it hold."""
    found: set[str] = set()
    name: str | None = row.base
    while name:
        lock = load_base_lock(ROOT, name)
        found |= {deb.name for deb in lock.debs()}
        name = lock.parent
    return found


def build_cache() -> list[str]:
    """Ids of the records in the engine's build cache, oldest first."""
    said = engine.docker("system", "df", "--verbose", "--format", "{{json .BuildCache}}").stdout
    return [record["ID"] for record in sorted(json.loads(said) or [], key=lambda record: record["CreatedAt"])]


def main() -> None:
    """Print a table of two rows, and the ratios."""
    if shutil.which("mmdebstrap") is None:
        print("size and build time of an image: not measured, mmdebstrap is not installed")
        return
    row = load_matrix(ROOT).find(sys.argv[1] if len(sys.argv) > 1 else "keras-jax-cpu")
    with tempfile.TemporaryDirectory(prefix="framebench-") as folder:
        found = {"plain": plain(row, Path(folder)), "framebench": ours(row, Path(folder))}
    print(f"{row.alias}, {len(check_lock(ROOT, row))} packages, everything downloaded")
    for name, (base, build, size, bytecode) in found.items():
        times = f"{base:.0f} + {build:.0f} s" if base else f"{build:.0f} s"
        print(f"  {name:10} {size / 1e6:6.0f} MB, {bytecode / 1e6:4.0f} MB of it bytecode; {times}")
    theirs, mine = found.values()
    without = (mine.size - mine.bytecode) / (theirs.size - theirs.bytecode)
    print(f"  framebench / plain: size {mine.size / theirs.size:.2f}, without bytecode {without:.2f};")
    all_of_it = mine.seconds / (theirs.base_seconds + theirs.seconds)
    print(
        f"  time {all_of_it:.2f}, with the plain image's base for nothing {mine.seconds / theirs.seconds:.2f}"
    )


if __name__ == "__main__":
    main()
