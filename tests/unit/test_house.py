"""The rules of the house that import contracts cannot say: names that mean one thing, a file for each command."""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path

from framebench.cli import cli

HOUSE = Path(__file__).resolve().parents[2] / "framebench"
SHOWN = ("commands", "pages")  # a command and a page are named for what they show


def modules() -> list[Path]:
    return [path for path in sorted(HOUSE.rglob("*.py")) if path.name != "__init__.py"]


def test_no_two_files_of_one_name() -> None:
    by_name: dict[str, list[Path]] = defaultdict(list)
    for path in modules():
        if path.relative_to(HOUSE).parts[0] not in SHOWN:
            by_name[path.stem].append(path)
    assert {name: paths for name, paths in by_name.items() if len(paths) > 1} == {}


def test_no_package_hides_one_of_its_modules() -> None:
    for init in HOUSE.rglob("__init__.py"):
        inside = {path.stem for path in init.parent.iterdir()}
        names = {
            alias.asname or alias.name
            for node in ast.parse(init.read_text()).body
            if isinstance(node, ast.ImportFrom)
            for alias in node.names
        }
        assert not names & inside, f"{init}: {names & inside}"


def test_every_command_has_its_file() -> None:
    files = {path.stem for path in (HOUSE / "commands").glob("*.py")}
    assert {name.replace("-", "_") for name in cli.commands} <= files
