"""Lines that a user writes for a workload in one framework, counted by one rule in the files that run.

A line is a logical one, however many rows it is spread over. Blank ones, comments, docstrings and imports do not
count, nor does the specification, which all share. Of the same framework's files for other workloads the definitions
count that the file reaches by name, from one to the next.
"""

from __future__ import annotations

import ast
import functools
import io
import tokenize
from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

FOLDER = "harness/workloads"

Use = tuple[str, str | None]  # a name, and the attribute that is asked of it


class WrittenLines(NamedTuple):
    """``own``: all of the workload's file. ``reached``: by the name of another workload, what counts of its file."""

    own: int
    reached: dict[str, int]

    @property
    def together(self) -> int:
        return self.own + sum(self.reached.values())


def written_lines(root: Path, workload: str, framework: str) -> WrittenLines | None:
    """Of ``harness/workloads/<workload>/<framework>.py`` in the checkout; null where there is no such file, or one
    that it reaches is not Python."""
    try:
        return _count(_Files(root, framework), workload)
    except (FileNotFoundError, SyntaxError):
        return None


def _count(files: _Files, workload: str) -> WrittenLines:
    own = files[workload]
    rows: dict[str, set[int]] = defaultdict(set)
    waiting = [(workload, use) for statement in own.tree.body for use in _uses(statement)]
    waiting += [(workload, (name, None)) for name in own.imports]  # also what is only handed on
    seen: set[tuple[str, Use]] = set()
    while waiting:
        step = waiting.pop()
        if step in seen:
            continue
        seen.add(step)
        here, (name, attribute) = step
        if name in files[here].imports:
            there, named = files[here].imports[name]
            if wanted := named or attribute:
                waiting.append((there, (wanted, None)))
        elif here != workload:  # whose file counts as a whole
            for statement in files[here].definitions[name]:
                rows[here] |= files[here].rows & _span(statement)
                waiting += [(here, use) for use in _uses(statement)]
    return WrittenLines(len(own.rows), {other: len(rows[other]) for other in sorted(rows)})


class _Files(dict[str, "_File"]):
    """One framework's file of each workload, read when it is asked for."""

    def __init__(self, root: Path, framework: str) -> None:
        self.root, self.framework = root, framework

    def __missing__(self, workload: str) -> _File:
        code = (self.root / FOLDER / workload / f"{self.framework}.py").read_text()
        self[workload] = _parsed(code, self.framework)
        return self[workload]


class _File:
    """Which rows of a file count, what it defines, and what it takes from the same framework's other files."""

    def __init__(self, code: str, framework: str) -> None:
        self.code, self.framework = code, framework
        self.tree = ast.parse(code)

    @cached_property
    def rows(self) -> set[int]:
        """Rows on which a logical line ends that counts."""
        left_out = {
            row
            for node in ast.walk(self.tree)
            if isinstance(node, ast.Import | ast.ImportFrom) or _is_docstring(node)
            for row in _span(node)
        }
        tokens = tokenize.generate_tokens(io.StringIO(self.code).readline)
        return {token.start[0] for token in tokens if token.type == tokenize.NEWLINE} - left_out

    @cached_property
    def definitions(self) -> dict[str, list[ast.stmt]]:
        """Statements of the file itself, by each name that they bind."""
        bound: dict[str, list[ast.stmt]] = defaultdict(list)
        for statement in self.tree.body:
            for name in _binds(statement):
                bound[name].append(statement)
        return bound

    @cached_property
    def imports(self) -> dict[str, Use]:
        """By the name it has here: another workload, and the name in its file; null for the file as a whole."""
        taken: dict[str, Use] = {}
        for node in ast.walk(self.tree):
            if not isinstance(node, ast.ImportFrom):
                continue
            for alias in node.names:
                for module, name in ((f"{node.module}.{alias.name}", None), (node.module or "", alias.name)):
                    if (other := self._workload(module)) is not None:
                        taken[alias.asname or alias.name] = (other, name)
        return taken

    def _workload(self, module: str) -> str | None:
        """The workload for which a module is this framework's file; null for any other module."""
        before, after = FOLDER.replace("/", ".") + ".", f".{self.framework}"
        return (
            module[len(before) : -len(after)]
            if module.startswith(before) and module.endswith(after)
            else None
        )


@functools.lru_cache(maxsize=256)  # files reach each other, and a site asks in every language
def _parsed(code: str, framework: str) -> _File:
    return _File(code, framework)


def _is_docstring(node: ast.AST) -> bool:
    constant = node.value if isinstance(node, ast.Expr) else None
    return isinstance(constant, ast.Constant) and isinstance(constant.value, str)


def _binds(statement: ast.stmt) -> set[str]:
    if isinstance(statement, ast.FunctionDef | ast.ClassDef):
        return {statement.name}
    return _stored(ast.walk(statement))


def _uses(statement: ast.stmt) -> Iterator[Use]:
    """What a statement takes from its file; not what it names itself, an argument or a variable."""
    nodes = list(ast.walk(statement))
    own = {one.arg for one in nodes if isinstance(one, ast.arg)} | _stored(nodes)
    for one in nodes:
        if isinstance(one, ast.Attribute) and isinstance(one.value, ast.Name) and one.value.id not in own:
            yield one.value.id, one.attr
        elif isinstance(one, ast.Name) and one.id not in own:
            yield one.id, None


def _stored(nodes: Iterable[ast.AST]) -> set[str]:
    return {one.id for one in nodes if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Store)}


def _span(node: ast.AST) -> set[int]:
    """The rows of a statement, decorators included."""
    if not isinstance(node, ast.stmt):
        return set()
    first = min([node.lineno, *(one.lineno for one in getattr(node, "decorator_list", []))])
    return set(range(first, (node.end_lineno or first) + 1))
