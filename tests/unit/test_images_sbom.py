"""Licences are read from real wheels and .deb files in their own words; the bill of materials is valid and lasting."""

import io
import json
import tarfile
from pathlib import Path
from zipfile import ZipFile

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from framebench.errors import UserError
from framebench.images.audit.licences import deb_licences, wheel_licence
from framebench.images.audit.materials import Licensed, licences, sbom
from framebench.images.locks import lock_path
from framebench.images.matrix import ImageRow, load_matrix

ROOT = Path(__file__).parents[2]
DEP5 = """Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/

Files: *
Copyright: 1999 Somebody
License: GPL-2+

Files: lib/*
Copyright: 2001 Somebody
License: BSD-3-clause
 Redistribution is allowed.

License: GPL-2+
 See /usr/share/common-licenses/GPL-2.
"""


def wheel(folder: Path, name: str, version: str, fields: str, *others: str) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / f"{name.replace('-', '_')}-{version}-py3-none-any.whl"
    info = f"{name.replace('-', '_')}-{version}.dist-info"
    with ZipFile(path, "w") as archive:
        for other in others:
            archive.writestr(other.format(info=info), "License-Expression: not this one\n")
        archive.writestr(
            f"{info}/METADATA", f"Metadata-Version: 2.4\nName: {name}\nVersion: {version}\n{fields}\n"
        )
    return path


def deb(folder: Path, name: str, files: dict[str, str], links: dict[str, str] | None = None) -> Path:
    """A Debian package with these files: an ``ar`` of format number, control and data."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w:xz") as tar:
        for place, text in files.items():
            entry = tarfile.TarInfo(f"./{place}")
            entry.size = len(text.encode())
            tar.addfile(entry, io.BytesIO(text.encode()))
        for place, target in (links or {}).items():
            entry = tarfile.TarInfo(f"./{place}")
            entry.type, entry.linkname = tarfile.SYMTYPE, target
            tar.addfile(entry)
    control = io.BytesIO()
    tarfile.open(fileobj=control, mode="w:xz").close()
    members = {
        "debian-binary": b"2.0\n",
        "control.tar.xz": control.getvalue(),
        "data.tar.xz": data.getvalue(),
    }
    content = b"!<arch>\n"
    for member, body in members.items():
        content += f"{member:<16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(body):<10}`\n".encode()
        content += body + b"\n" * (len(body) % 2)
    path = folder / f"{name}.deb"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ("License-Expression: MIT OR Apache-2.0\nLicense: something else", "MIT OR Apache-2.0"),
        (
            "License: Apache License 2.0\nClassifier: License :: OSI Approved :: MIT License",
            "Apache License 2.0",
        ),
        (f"License: {'word ' * 40}\nClassifier: License :: OSI Approved :: BSD License", "BSD License"),
        ("License: MIT License\n  \n  Permission is granted\nClassifier: License :: Two", "Two"),
        (
            "Classifier: License :: One\nClassifier: Topic :: Work\nClassifier: License :: A :: Two",
            "One, Two",
        ),
        ("License: Licence à la française", "Licence à la française"),
        ("Summary: nothing said", "not named, and the wheel holds no licence file"),
    ],
)
def test_a_wheel_is_quoted(tmp_path: Path, fields: str, said: str) -> None:
    assert (
        wheel_licence(wheel(tmp_path, "pack", "1.0", fields, "pack/_vendor/x-1.dist-info/METADATA")) == said
    )


def test_a_wheel_that_names_no_licence_points_at_its_text(tmp_path: Path) -> None:
    path = wheel(tmp_path, "pack", "1.0", "Summary: x", "{info}/licenses/LICENSE")
    assert wheel_licence(path) == "not named in METADATA; see pack-1.0.dist-info/licenses/LICENSE"


def test_debian_copyright_files(tmp_path: Path) -> None:
    doc = "usr/share/doc"
    debs = {
        "lib": deb(tmp_path, "lib", {}, {f"{doc}/lib": "base"}),
        "base": deb(tmp_path, "base", {f"{doc}/base/copyright": DEP5, f"{doc}/other/copyright": "x"}),
        "prose": deb(tmp_path, "prose", {f"{doc}/prose/copyright": "This package was made by hand.\n"}),
        "bare": deb(tmp_path, "bare", {"usr/bin/bare": "x"}),
        "away": deb(tmp_path, "away", {}, {f"{doc}/away": "elsewhere"}),
    }
    assert deb_licences(debs) == {
        "base": ["BSD-3-clause", "GPL-2+"],
        "lib": ["BSD-3-clause", "GPL-2+"],
        "prose": ["not machine-readable: /usr/share/doc/prose/copyright"],
        "bare": ["no copyright file in the package"],
        "away": ["see /usr/share/doc/elsewhere/copyright"],
    }


ROW = ImageRow(
    name="torch-1-cpu-py311",
    stack="torch",
    default=True,
    accelerator="cpu",
    python="3.11",
    arch="amd64",
    base="upper",
    packages=["torch==1.0+cpu"],
)

OWN = ROOT / "containers" / "base" / f"{load_matrix(ROOT).find('keras-jax-cpu').base}.lock"
HEAD = OWN.read_text().partition("packages = [")[0]  # of a base without a parent: suite, epoch, snapshot


@pytest.fixture
def checkout(tmp_path: Path) -> tuple[Path, Path, list[Path]]:
    """A repository with one image of two wheels and three Debian packages on two bases; its wheels and .debs."""
    root = tmp_path / "repository"
    for folder in ("containers/locks", "containers/base", "harness"):
        (root / folder).mkdir(parents=True)
    (root / "harness" / "__init__.py").write_text("")
    pins = {"torch==1.0+cpu": "a" * 64, "nvidia-ml-py==13.615": "b" * 64}
    lines = [f"{pin} --hash=sha256:{digest}  # 1 bytes\n" for pin, digest in pins.items()]
    lock_path(root, ROW).write_text("".join(lines))
    wheels = tmp_path / "wheels"
    wheel(wheels, "torch", "1.0+cpu", "License-Expression: BSD-3-Clause AND LicenseRef-Own")
    wheel(wheels, "nvidia-ml-py", "13.615", "License: BSD")
    for base, parent, names in (("lower", None, ["base", "lib"]), ("upper", "lower", ["cc"])):
        packages = [f'"{n}=1:2~1+b1 debian pool/main/x/{n}_2_all.deb 1 {"c" * 64}"' for n in names]
        text = f'parent = "{parent}"\n' if parent else ""
        text += f"{HEAD}packages = [{', '.join(packages)}]\n"
        (root / "containers" / "base" / f"{base}.lock").write_text(text)
    doc = "usr/share/doc"
    debs = [
        deb(tmp_path, "base", {f"{doc}/base/copyright": DEP5}),
        deb(tmp_path, "lib", {}, {f"{doc}/lib": "base"}),
        deb(tmp_path, "cc", {f"{doc}/cc/copyright": "prose"}),
    ]
    return root, wheels, debs


def test_every_part_is_in_a_valid_document(checkout: tuple[Path, Path, list[Path]]) -> None:
    text = sbom(checkout[0], ROW, *checkout[1:])
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text.decode()) is None
    document = json.loads(text)
    assert document["metadata"]["timestamp"] == "2026-06-01T00:00:00+00:00"
    assert document["metadata"]["component"]["name"] == ROW.name
    parts = {part["bom-ref"]: part for part in document["components"]}
    assert set(parts) == {
        "harness",
        "pypi/torch==1.0+cpu",
        "pypi/nvidia-ml-py==13.615",
        *(f"deb/{name}=1:2~1+b1" for name in ("base", "lib", "cc")),
    }
    assert parts["pypi/torch==1.0+cpu"]["hashes"] == [{"alg": "SHA-256", "content": "a" * 64}]
    assert parts["pypi/torch==1.0+cpu"]["purl"] == "pkg:pypi/torch@1.0%2Bcpu"
    assert parts["deb/cc=1:2~1+b1"]["purl"] == "pkg:deb/debian/cc@1:2~1%2Bb1?arch=all&distro=bookworm"
    (image,) = [edge for edge in document["dependencies"] if edge["ref"] == "image"]
    assert set(image["dependsOn"]) == set(parts)
    assert Licensed("lib", "1:2~1+b1", "BSD-3-clause, GPL-2+") in licences(text)
    assert Licensed("torch", "1.0+cpu", "BSD-3-Clause AND LicenseRef-Own") in licences(text)
    assert len(licences(text)) == len(parts)


def test_equal_content_gives_equal_bytes_and_other_content_another_serial(
    checkout: tuple[Path, Path, list[Path]],
) -> None:
    root, wheels, debs = checkout
    first, second = sbom(root, ROW, wheels, debs), sbom(root, ROW, wheels, debs)
    assert first == second
    (root / "harness" / "__init__.py").write_text("# changed\n")
    other = sbom(root, ROW, wheels, debs)
    assert json.loads(other)["serialNumber"] != json.loads(first)["serialNumber"]


def test_a_missing_wheel_is_named(checkout: tuple[Path, Path, list[Path]]) -> None:
    root, wheels, debs = checkout
    next(wheels.glob("nvidia*")).unlink()
    with pytest.raises(UserError, match=r"no wheel of nvidia-ml-py==13\.615"):
        sbom(root, ROW, wheels, debs)


def test_a_missing_debian_package_is_counted(checkout: tuple[Path, Path, list[Path]]) -> None:
    root, wheels, debs = checkout
    with pytest.raises(UserError, match="name 3 Debian packages, and 2 files were given"):
        sbom(root, ROW, wheels, debs[:2])
