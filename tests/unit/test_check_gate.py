"""What ``check`` knows of the gate without PyTorch is what the gate says."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from framebench.checking import verdicts

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(("module", "name"), [("tolerances", "TOO_WIDE"), ("reference", "STEPS")])
def test_what_check_knows_of_the_gate_is_what_the_gate_says(module: str, name: str) -> None:
    """The gate's modules need PyTorch, so they are read and not imported."""
    tree = ast.parse((ROOT / "harness" / "gate" / f"{module}.py").read_text())
    told = next(
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == name
    )
    assert told == getattr(verdicts, name)
