"""Canonical layers: equal file systems give equal bytes, however a builder wrote them down."""

import io
import json
import random
import tarfile
from pathlib import Path

from framebench.images.make.archive import write_for_engine
from framebench.images.make.canonical import Layer, config, digest_of, write_layer

EPOCH = 1780272000
FILES = {
    "opt/venv/a.py": b"a",
    "opt/venv/b.py": b"b" * 2000,
    "opt/venv/" + "long" * 40 + ".py": b"",
    "etc/passwd": b"root",
}
LEFTOVERS = {
    "etc/resolv.conf": b"nameserver",
    "etc/hostname": b"builder",
    "etc/passwd-": b"old",
    "var/log/dpkg.log": b"today",
    "var/cache/ldconfig/aux-cache": b"inodes",
    "dev/console": b"",
    "opt/venv/__pycache__/a.cpython-311.pyc": b"time",
}


def entry(name: str, kind: bytes = tarfile.REGTYPE, **fields: object) -> tarfile.TarInfo:
    header = tarfile.TarInfo(name)
    header.type = kind
    for key, value in fields.items():
        setattr(header, key, value)
    return header


def flat(
    path: Path, seed: int, files: dict[str, bytes] = FILES, prefix: str = "", link: bool = False
) -> Path:
    """A file system as some builder would write it: any order, any time, any spelling, links or copies."""
    rng = random.Random(seed)
    members = [(entry(prefix + name, mode=0o644, size=len(data)), data) for name, data in files.items()]
    members += [
        (entry(prefix + name, tarfile.DIRTYPE, mode=0o755), b"") for name in ("opt", "opt/venv", "etc")
    ]
    members += [(entry(prefix + "tmp", tarfile.DIRTYPE, mode=0o1777), b"")]
    members += [
        (entry(prefix + "opt/venv/python", tarfile.SYMTYPE, mode=0o777, linkname="/usr/bin/python3"), b"")
    ]
    members += [(entry(prefix + "opt/venv/.wh.gone", mode=0o644), b"")]
    rng.shuffle(members)
    twin = (entry(prefix + "opt/venv/twin.py", mode=0o644, size=1), b"a")
    if link:
        twin = (
            entry(
                prefix + "opt/venv/twin.py", tarfile.LNKTYPE, mode=0o644, linkname=prefix + "opt/venv/a.py"
            ),
            b"",
        )
    members.append(twin)
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as tar:
        for header, data in members:
            header.mtime, header.uname = rng.randrange(2**31), rng.choice(["root", "someone"])
            tar.addfile(header, io.BytesIO(data))
    return path


def names(path: Path) -> list[str]:
    with tarfile.open(path) as tar:
        return tar.getnames()


def test_order_times_spelling_links_and_leftovers_do_not_matter(tmp_path: Path) -> None:
    one = write_layer(flat(tmp_path / "1", 1), None, tmp_path / "one", EPOCH)
    two = write_layer(
        flat(tmp_path / "2", 2, FILES | LEFTOVERS, prefix="./", link=True), None, tmp_path / "two", EPOCH
    )
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    assert one == two == digest_of((tmp_path / "one").read_bytes())
    with tarfile.open(tmp_path / "one") as tar:
        assert {member.mtime for member in tar} == {EPOCH}
        assert tar.getnames() == sorted(tar.getnames())
        assert tar.getmember("tmp").mode == 0o1777
        assert tar.getmember("opt/venv/python").linkname == "/usr/bin/python3"
        assert "opt/venv/.wh.gone" in tar.getnames()
        assert not set(LEFTOVERS) & set(tar.getnames())


def test_a_changed_byte_mode_or_name_gives_another_digest(tmp_path: Path) -> None:
    digests = {
        write_layer(flat(tmp_path / "in", 1, files), None, tmp_path / "out", EPOCH)
        for files in (FILES, FILES | {"opt/venv/a.py": b"A"}, FILES | {"opt/venv/c.py": b""})
    }
    assert len(digests) == 3


def test_layer_above_another_holds_what_is_new_with_its_folders_and_whiteouts(tmp_path: Path) -> None:
    write_layer(flat(tmp_path / "base", 1), None, tmp_path / "below", EPOCH)
    upper = {**FILES, "opt/venv/b.py": b"changed", "opt/new.py": b"new"}
    del upper["etc/passwd"]
    write_layer(flat(tmp_path / "upper", 2, upper), tmp_path / "below", tmp_path / "layer", EPOCH)
    assert names(tmp_path / "layer") == [
        "etc",
        "etc/.wh.passwd",
        "opt",
        "opt/new.py",
        "opt/venv",
        "opt/venv/b.py",
    ]


def test_archive_loads_without_the_layers_that_the_engine_has(tmp_path: Path) -> None:
    content = b"layer"
    (tmp_path / "layer").write_bytes(content)
    layer = Layer(digest_of(content), tmp_path / "layer", len(content))
    held = Layer(digest_of(b"held"), tmp_path / "never read", 4)
    image = config([held, layer], {"User": "1000:1000"}, EPOCH, "amd64")
    stream = io.BytesIO()
    write_for_engine(stream, image, [held, layer], "framebench/x:1", frozenset({held.digest}))
    stream.seek(0)
    with tarfile.open(fileobj=stream) as tar:
        blobs = {name for name in tar.getnames() if name.startswith("blobs/")}
        (manifest,) = json.load(tar.extractfile("manifest.json"))  # type: ignore[arg-type]
        index = json.load(tar.extractfile("index.json"))  # type: ignore[arg-type]
        assert tar.extractfile(manifest["Config"]).read() == image  # type: ignore[union-attr]
    assert manifest["RepoTags"] == ["framebench/x:1"]
    assert [name in blobs for name in manifest["Layers"]] == [False, True]
    assert "blobs/" + index["manifests"][0]["digest"].replace(":", "/") in blobs
    assert json.loads(image)["rootfs"]["diff_ids"] == [held.digest, layer.digest]
    assert "history" not in json.loads(image)
