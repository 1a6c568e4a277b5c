"""The pages of images: what every number was measured in, and how to have it."""

from __future__ import annotations

from typing import Any

from framebench.dataset import Result
from framebench.images.audit.description import Package, describe
from framebench.images.audit.two_builds import Rebuild, load_rebuilds
from framebench.images.locks import is_locked, lock_path
from framebench.images.matrix import ImageRow, load_matrix
from framebench.images.published import Published, load_published
from framebench.language import _
from framebench.pages import figures, lateness
from framebench.pages.evidence import Evidence
from framebench.pages.listings import results_table
from framebench.pages.views import Cell, Fact, Table
from framebench.pages.words import stack_name

ISOLATED = "--network none --read-only --tmpfs /tmp:exec --cap-drop ALL"


def rows(evidence: Evidence) -> list[ImageRow]:
    """The rows of the matrix."""
    return list(load_matrix(evidence.root).rows)


def index(evidence: Evidence) -> dict[str, Any]:
    """The list of images, also of those that only results name."""
    rebuilds = load_rebuilds(evidence.root)
    table = [
        [
            Cell(row.name, href=f"{row.name}/", code=True, stack=row.stack),
            Cell(row.alias if row.default else figures.NONE, code=row.default),
            Cell(" ".join(row.packages[:2]), code=True),
            Cell(row.cuda or figures.NONE),
            Cell(_state(row, evidence, rebuilds.get(row.name))),
            Cell(str(len(_results(row.name, evidence))), "fb-num"),
        ]
        for row in rows(evidence)
    ]
    for name in gone(evidence):
        count = str(len(_results(name, evidence)))
        empty = [Cell("")] * 3
        table.append(
            [Cell(name, href=f"{name}/", code=True), *empty, Cell(_("no longer in the matrix")), Cell(count)]
        )
    return {
        "title": _("Images"),
        "lead": _(
            "A pinned container per stack, version and CUDA version: base by digest, packages by hash, one harness. A "
            "row of `containers/images.toml` each. Campaigns measure in those that have a short name; `--image` "
            "measures in another."
        ),
        "table": Table(
            [_("Image"), _("Short name"), _("Main packages"), "CUDA", _("State"), _("Results")], table
        ),
        "empty": _("There is no image in the matrix."),
    }


def _state(row: ImageRow, evidence: Evidence, rebuild: Rebuild | None) -> str:
    """How far an image got: retired, no lock, locked, or built twice and compared."""
    if row.retired:
        return _("retired since {date}").format(date=row.retired.on)
    if not is_locked(evidence.root, row):
        return _("no lock")
    if rebuild is None:
        return _("locked, builds not compared")
    return _("two builds identical") if rebuild.identical else _("two builds differ")


def gone(evidence: Evidence) -> list[str]:
    """Images that results name and the matrix no longer has."""
    known = {row.name for row in rows(evidence)}
    return sorted({r.image.name for r in evidence.dataset.results if r.image.name} - known)


def view(row: ImageRow, evidence: Evidence) -> dict[str, Any]:
    """Everything the template ``image.md.j2`` needs for a row of the matrix."""
    lock = lock_path(evidence.root, row)
    described = describe(evidence.root, row)
    results = _results(row.name, evidence)
    return {
        "title": row.name,
        "name": row.name,
        "alias": row.alias if is_locked(evidence.root, row) else None,
        "gone": False,
        "notes": lateness.of_image(row, evidence),
        "facts": [
            Fact(_("Stack"), stack_name(row.stack), href=f"../../stacks/{row.stack}/"),
            *([Fact(_("Short name"), row.alias, code=True)] if row.default else []),
            Fact(_("Accelerator"), row.accelerator),
            *(
                Fact(name, version, code=True)
                for name, version in (("CUDA", row.cuda), ("cuDNN", row.cudnn), ("NCCL", row.nccl))
                if version
            ),
            Fact("Python", row.python),
            Fact(_("Architecture"), row.arch),
            Fact(_("Base"), _base(row)),
            Fact(_("Asked for"), " ".join(row.packages), code=True),
            *([Fact(_("Left out"), " ".join(row.without), code=True)] if row.without else []),
        ],
        "look": f"docker run --rm -it {ISOLATED} --entrypoint python framebench/{row.alias}",
        "alone": f"docker run --rm {ISOLATED} framebench/{row.alias} > record.json",
        "run": f"docker run --rm -i {ISOLATED} framebench/{row.alias} < spec.json > record.json",
        "lock": lock.relative_to(evidence.root).as_posix(),
        "published": _published(described.published),
        "packages": _packages(described.packages),
        "rebuild": _rebuild_facts(described.rebuild) if described.rebuild else [],
        "layers": _other_layers(described.rebuild) if described.rebuild else Table([], []),
        "digests": _digests(results, evidence),
        "libraries": _libraries(results),
        "results": results_table(results, "../../"),
    }


def view_gone(name: str, evidence: Evidence) -> dict[str, Any]:
    """The same for an image that only results know."""
    results = _results(name, evidence)
    own = dict.fromkeys(build for result in results for build in result.image.own_builds)
    facts = [Fact(_("Own build"), f"{build}, SHA-256 {build.sha256}") for build in own] or [
        Fact(_("In the matrix"), _("no longer; the results' commits have its recipe"))
    ]
    return {
        "title": name,
        "name": name,
        "alias": None,
        "gone": True,
        "notes": [],
        "facts": facts,
        "lock": "",
        "packages": Table([], []),
        "digests": _digests(results, evidence),
        "libraries": _libraries(results),
        "results": results_table(results, "../../"),
    }


def _base(row: ImageRow) -> str:
    if "-cxx" in row.base:
        holds = _("Debian with Python and the C++ compiler that torch.compile needs, from pinned packages")
    else:
        holds = _("Debian with Python, from pinned packages")
    return f"{row.base}: {holds}"


def _results(name: str, evidence: Evidence) -> list[Result]:
    return [result for result in evidence.dataset.results if result.image.name == name]


def _packages(packages: list[Package]) -> Table:
    table = []
    for package in packages:
        layer = package.layer
        table.append(
            [
                Cell(package.name, code=True),
                Cell(package.version, code=True),
                Cell(package.licence or figures.NONE, quoted=True),
                Cell(figures.size(layer.size_bytes if layer else None), "fb-num"),
                Cell(figures.size(layer.compressed_bytes if layer else None), "fb-num"),
                Cell(package.sha256[:16] + "…", code=True),
            ]
        )
    head = [_("Package"), _("Version"), _("Licence"), _("Layer"), _("Compressed"), _("Hash of the wheel")]
    return Table(head, table)


def _other_layers(rebuild: Rebuild) -> Table:
    """The layers that hold no wheel, with the digests that every machine should get."""
    table = [
        [
            Cell(layer.holds, quoted=True),
            Cell(figures.size(layer.size_bytes), "fb-num"),
            Cell(figures.size(layer.compressed_bytes), "fb-num"),
            Cell(layer.digest.removeprefix("sha256:")[:16] + "…", code=True),
        ]
        for layer in rebuild.layers
        if not layer.is_package
    ]
    return Table([_("Layer"), _("Size"), _("Compressed"), _("Digest")], table)


def _published(published: list[Published]) -> Table:
    table = [
        [Cell(f"docker pull {entry.repo_digest}", code=True), Cell(entry.pushed_utc[:10])]
        for entry in published
    ]
    return Table([_("Command"), _("Pushed")], table)


def _rebuild_facts(rebuild: Rebuild) -> list[Fact]:
    outcome = _("identical") if rebuild.identical else _("not identical") + f": {rebuild.difference}"
    return [
        Fact(_("Two clean builds"), outcome),
        Fact(_("Checked"), f"{rebuild.checked_utc[:10]}, {rebuild.builder}"),
        Fact(_("Config digest"), rebuild.config_digest, code=True),
        Fact(_("Manifest digest"), rebuild.manifest_digest, code=True),
        Fact(_("Layers"), str(len(rebuild.layers))),
        Fact(_("Size"), figures.size(rebuild.size_bytes)),
        Fact(_("Compressed, what a pull transfers"), figures.size(rebuild.compressed_bytes)),
    ]


def _libraries(results: list[Result]) -> Table:
    """CUDA libraries that trials had in memory; gates and memory trials hold them in the record itself."""
    loaded = {
        (library.file, library.package or figures.NONE, library.version or figures.NONE)
        for result in results
        for record in result.records
        if record.software is not None
        for library in record.software.libraries
    }
    table = [[Cell(text, code=True) for text in library] for library in sorted(loaded)]
    return Table([_("Library"), _("Package"), _("Version")], table)


def _digests(results: list[Result], evidence: Evidence) -> Table:
    """Identities under which numbers were measured; an address from the record, else from what was pushed since."""
    published = load_published(evidence.root)
    seen: dict[tuple[str | None, str | None], list[Result]] = {}
    for result in results:
        seen.setdefault((result.image.config_digest, result.image.repo_digest), []).append(result)
    table = []
    for (config, recorded), members in seen.items():
        repo = recorded or (published[config].repo_digest if config in published else None)
        dates = sorted(result.started_utc[:10] for result in members)
        table.append(
            [
                Cell(config or _("none: measured outside a container"), code=bool(config)),
                Cell(repo or figures.NONE, code=bool(repo)),
                Cell(str(len(members)), "fb-num"),
                Cell(dates[0] if dates[0] == dates[-1] else f"{dates[0]} – {dates[-1]}"),
            ]
        )
    return Table([_("Config digest"), _("Address in a registry"), _("Results"), _("Measured")], table)
