"""What ``check`` says of a tolerance is what the gate says of it."""

from __future__ import annotations

import ast
from pathlib import Path

from framebench.checking import verdicts

ROOT = Path(__file__).parents[2]


def test_the_widest_tolerances_are_the_gates() -> None:
    """The gate's module needs PyTorch, so it is read and not imported."""
    tree = ast.parse((ROOT / "harness" / "gate" / "tolerances.py").read_text())
    told = next(
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "TOO_WIDE"
    )
    assert told == verdicts.TOO_WIDE
