"""A wheel as a layer: its files as an installer lays them out in ``/opt/venv``, the same bytes everywhere.

No container and no pip take part: PyPA's ``installer`` unpacks the wheel into a folder, and the folder is written
as a canonical tar. One wheel is one layer, so images that hold the same wheel share it.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from zipfile import BadZipFile

from installer import install
from installer.destinations import SchemeDictionaryDestination
from installer.exceptions import InstallerError
from installer.sources import WheelFile

from framebench.errors import UserError
from framebench.images.make.canonical import Entry, write_entries

ENVIRONMENT = "opt/venv"


def write_wheel_layer(wheel: Path, python: str, target: Path, epoch: int) -> str:
    """Write the layer of one wheel; its digest.

    Parameters
    ----------
    wheel : a wheel whose hash has been checked.
    python : version of the environment's interpreter, e.g. ``3.11``.
    target : file to write.
    epoch : modification time of every entry, seconds since 1970.
    """
    prefix = f"/{ENVIRONMENT}"
    site = f"{prefix}/lib/python{python}/site-packages"
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        destination = SchemeDictionaryDestination(
            {
                "purelib": site,
                "platlib": site,
                "scripts": f"{prefix}/bin",
                "headers": f"{prefix}/include/site/python{python}/{wheel.name.split('-')[0]}",
                "data": prefix,
            },
            interpreter=f"{prefix}/bin/python",
            script_kind="posix",
            destdir=folder,
        )
        try:
            with WheelFile.open(wheel) as source:
                install(source, destination, {"INSTALLER": b"framebench\n"})
        except (InstallerError, BadZipFile, KeyError) as error:
            raise UserError(f"{wheel.name} is not a wheel that can be installed: {error}.") from error
        return write_entries(_entries(Path(folder)), target, epoch)


def environment_layer(python: str, lock: bytes) -> list[Entry]:
    """What makes ``/opt/venv`` an environment: its mark, its links to the interpreter, and its lock."""
    links = {f"bin/{name}": f"/usr/bin/python{python}" for name in ("python", "python3", f"python{python}")}
    mark = f"home = /usr/bin\ninclude-system-site-packages = false\nversion = {python}\n".encode()
    entries = [Entry("opt", 0o755), *(Entry(f"{ENVIRONMENT}{part}", 0o755) for part in ("", "/bin"))]
    entries += [Entry(f"{ENVIRONMENT}/{name}", 0o777, link=link) for name, link in links.items()]
    entries += [
        Entry(f"{ENVIRONMENT}/pyvenv.cfg", 0o644, mark),
        Entry(f"{ENVIRONMENT}/lock.txt", 0o644, lock),
    ]
    return entries


def _entries(folder: Path) -> list[Entry]:
    """Every file and folder below; modes are the two that matter, so the umask has no say."""
    entries = []
    for path in folder.rglob("*"):
        name = path.relative_to(folder).as_posix()
        if path.is_dir():
            entries.append(Entry(name, 0o755))
        elif "__pycache__" not in path.parts:
            entries.append(Entry(name, 0o755 if path.stat().st_mode & 0o100 else 0o644, path))
    return entries
