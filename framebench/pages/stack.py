"""The pages of stacks: what each says of itself, what is timed, what compiling costs and buys, and all its results."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from framebench.dataset.declared import is_framework
from framebench.images import load_matrix
from framebench.language import N_, _, prose
from framebench.pages import figures, source
from framebench.pages.compiling import compiling_table
from framebench.pages.evidence import Evidence
from framebench.pages.listings import results_table
from framebench.pages.source import SourceFile
from framebench.pages.views import Cell, Table
from framebench.pages.words import info, mode_name, stack_name, stacks
from harness.frameworks import StackInfo
from harness.frameworks.exported import is_exported, source_of
from harness.frameworks.library import base_of, is_library
from harness.record import Contender

FIRST = ("driver.py", "stack.py")  # what is timed, and what is set
NAMED = {"__init__.py": N_("declaration")}


PALETTE = 8  # colours that framebench.css has for either scheme


def names() -> list[str]:
    """Every stack that is compared, the plain frameworks first."""
    return [one.name for one in stacks()]


def colours() -> str:
    """The style sheet that gives each stack its colour: the palette of ``framebench.css``, in the order of stacks.
    What was exported has its source's, a library that of the stack that it is made for."""
    own = [one.name for one in stacks() if is_framework(one)]
    lines = [
        f'[data-stack="{one.name}"] {{ --fb-colour: var(--fb-c{own.index(_stands_on(one).name) % PALETTE}); }}'
        for one in stacks()
    ]
    return "\n".join(lines) + "\n"


def index(evidence: Evidence) -> dict[str, Any]:
    """The list of stacks."""
    rows = []
    for name in names():
        if _retired(name, evidence):
            continue
        results = [r for r in evidence.dataset.results if r.contender.stack == name and r.current]
        modes = sorted({mode_name(result.contender) for result in results if not result.contender.twin})
        rows.append(
            [
                Cell(stack_name(name), href=f"{name}/", stack=name),
                Cell("; ".join(modes) or figures.NONE, "fb-reason"),
                Cell(str(len(results)), "fb-num"),
            ]
        )
    return {
        "title": _("Stacks"),
        "lead": _(
            "A framework, one with the backend that runs it, a library with models of its own for one of these, or a "
            "runtime with what a framework exported to it."
        ),
        "table": Table([_("Stack"), _("Modes and variants measured"), _("Results")], rows),
        "empty": _("There is no stack."),
    }


def _retired(name: str, evidence: Evidence) -> bool:
    """Whether it has images and nothing is measured in any of them."""
    own = [row for row in load_matrix(evidence.root).rows if row.stack == name]
    return bool(own) and all(row.retired for row in own)


def view(name: str, evidence: Evidence) -> dict[str, Any]:
    """Everything the template ``stack.md.j2`` needs."""
    results = [result for result in evidence.dataset.results if result.contender.stack == name]
    compiling = []
    for group in evidence.groups:
        table = compiling_table(group, "../../", stack=name)
        if table.rows:
            compiling.append(table._replace(caption=f"{group.short_title}, {group.place}"))
    known = info(name)
    shown = files(evidence.root, name)
    driver = next((one for one in shown if one.name == FIRST[0]), None)
    return {
        "name": name,
        "title": stack_name(name),
        "about": _(known.about) if known else "",
        "modes": declared_modes(name),
        "backend": _backend(name),
        "backend_words": _backend_words(known),
        "conventions": prose(source.docstring(driver.code)) if driver else "",
        "sources": shown,
        "compiling": compiling,
        "results": results_table(results, "../../"),
    }


def files(root: Path, name: str) -> list[SourceFile]:
    """The framework's folder of the harness: the driver first, then the stack, then what they are made of."""
    known = info(name)
    if known is None:
        return []
    folder = f"harness/frameworks/{known.framework}"

    def order(path: str) -> tuple[int, str]:
        return (FIRST.index(path) if path in FIRST else len(FIRST) + (path == "__init__.py"), path)

    every = [path for suffix in ("py", "cpp", "h") for path in (root / folder).glob(f"*.{suffix}")]
    paths = sorted((path.name for path in every), key=order)
    if is_exported(known):  # of the exporters its own
        own = f"from_{source_of(known).framework}.py"
        paths = [path for path in paths if path == own or not path.startswith("from_")]
    read = [source.read(root, f"{folder}/{path}", _(NAMED.get(path, ""))) for path in paths]
    return [one for one in read if one is not None]


def declared_modes(name: str) -> Table:
    """Each mode and variant that the stack declares, in its community's words and as it is asked for."""
    known = info(name)
    rows = []
    for mode, variants in known.modes.items() if known else ():
        for variant in variants:
            contender = Contender(stack=name, mode=mode, variant=variant)
            rows.append([Cell(mode_name(contender)), Cell(contender.slug, code=True)])
    return Table([_("Mode and variant"), _("As a suite asks for it")], rows)


def _stands_on(stack: StackInfo) -> StackInfo:
    """The stack that exported what this one runs, or that its library is made for; any other stack itself."""
    return base_of(source_of(stack))


def _backend_words(stack: StackInfo | None) -> str:
    if is_exported(stack):
        return _("The model is written in, and exported from, the stack")
    if is_library(stack):
        return _("It is a library for the stack")
    return _("What runs it is described on the page of")


def _backend(name: str) -> Cell | None:
    """The plain stack that runs this one, or the one that it stands on; null for one that runs by itself."""
    known = info(name)
    if known is not None and not is_framework(known):
        under = _stands_on(known)
        return Cell(under.title, href=f"../{under.name}/")
    if known is None or not known.backend:
        return None
    plain = next((one for one in stacks() if one.framework == known.backend and not one.backend), None)
    return Cell(plain.title, href=f"../{plain.name}/") if plain else None
