"""What is still to be written in a workload's file: the first ``raise NotImplementedError("...")`` in it."""

from __future__ import annotations

import ast

from framebench.errors import UserError
from harness import frameworks, workloads
from harness.frameworks.exported import source_of


def refuse(workload: str, stack: str) -> None:
    """``UserError`` with the sentence that the skeleton left; nothing else of the file is judged here."""
    framework = source_of(frameworks.info(stack)).framework
    if not workloads.has_file(workload, framework):
        return
    file = f"{workload}/{framework}.py"
    try:
        tree = ast.parse((workloads.FOLDER / file).read_text())
    except SyntaxError as error:
        raise UserError(f"harness/workloads/{file}, line {error.lineno}: {error.msg}") from error
    for node in ast.walk(tree):
        match node:
            case ast.Raise(
                exc=ast.Call(
                    func=ast.Name(id="NotImplementedError"), args=[ast.Constant(value=str() as sentence)]
                )
            ):
                raise UserError(sentence)
