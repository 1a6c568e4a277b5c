"""``framebench new workload``: the skeleton of a workload, one file for each framework, and what to do next."""

from __future__ import annotations

import keyword
import re
from pathlib import Path

from rich.console import Console

from framebench.commands.saying import Sayer
from framebench.errors import UserError
from harness import frameworks
from harness.frameworks.exported import source_of
from harness.frameworks.library import is_library

TEMPLATES = Path(__file__).parent / "templates" / "workload"


def workload(root: Path, name: str, console: Console) -> None:
    """Write ``harness/workloads/<name>/``; a name that is taken or is no module's name is refused."""
    folder = root / "harness" / "workloads" / name
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or keyword.iskeyword(name):
        raise UserError(
            f"{name!r} cannot name a workload: use small letters, digits and _, a letter first, and no word of Python"
        )
    if folder.exists() or folder.with_suffix(".py").exists():
        raise UserError(
            f"harness/workloads/ has a {name} already; choose another name, or remove it if it is a try"
        )
    folder.mkdir()
    for file, text in skeleton(name).items():
        (folder / file).write_text(text)
    say = Sayer(console)
    for line in next_steps(name):
        say(line)


def skeleton(name: str) -> dict[str, str]:
    """``{file: text}`` of a workload that is specified and not written yet."""
    files = {"__init__.py": "", "spec.py": _filled("spec", name)}
    for framework in known_frameworks():
        files[f"{framework}.py"] = _filled(framework, name)
    return files


def known_frameworks() -> list[str]:
    """The names of a workload's files, in the order in which stacks are found; a library has no model of its own."""
    infos = [info for info in frameworks.stacks().values() if not is_library(info)]
    written = [source_of(info).framework for info in infos if info.name != frameworks.SELF_TEST]
    return list(dict.fromkeys(written))


def next_steps(name: str) -> list[str]:
    """What to do with the skeleton, in order."""
    folder = f"harness/workloads/{name}"
    return [
        f"written: {folder}/{{{','.join(skeleton(name))}}}",
        "Next (CONTRIBUTING.md goes through it):",
        f"  1. {folder}/spec.py: turn the tiny classifier that is specified there into your work",
        f"  2. {folder}/torch.py and jax.py: write the model and its loss (the reference needs these two),",
        "     then the other frameworks' files; delete those that you leave out",
        f"  3. framebench reference {name}      what float64 says, and the tolerances",
        f"  4. framebench gate {name} torch     is it the same work? Until then: what to write next",
        f"  5. framebench mutate {name} torch   are planted faults caught?",
        f'  6. a [[case]] in suites/, with workload = "{name}"; `framebench plan` shows it',
    ]


def _filled(template: str, name: str) -> str:
    own = TEMPLATES / f"{template}.py.txt"
    text = (own if own.exists() else TEMPLATES / "other.py.txt").read_text()
    return text.replace("FRAMEWORK", template).replace("NAME", name)
