"""Parameters by canonical name, and the same as the tree that a JAX model takes; the one is the other, leaf by leaf."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def nested(named: Mapping[str, Any]) -> Any:
    """``{"convs.0.kernel": a}`` as ``{"convs": [{"kernel": a}]}``: split at dots, numbered 0, 1, ... as a list."""
    tree: dict[str, Any] = {}
    for name, leaf in named.items():
        *path, last = name.split(".")
        node = tree
        for part in path:
            node = node.setdefault(part, {})
        node[last] = leaf
    return _with_lists(tree)


def _with_lists(node: Any) -> Any:
    if not isinstance(node, dict):
        return node
    children = {key: _with_lists(child) for key, child in node.items()}
    numbers = [str(index) for index in range(len(children))]
    if children and children.keys() == set(numbers):
        return [children[number] for number in numbers]
    return children


def named(tree: Any, path: str = "") -> dict[str, Any]:
    """The inverse of ``nested``: leaves by canonical name, in the tree's order."""
    if isinstance(tree, dict):
        children = list(tree.items())
    elif isinstance(tree, list):
        children = [(str(index), child) for index, child in enumerate(tree)]
    else:
        return {path: tree}
    leaves: dict[str, Any] = {}
    for key, child in children:
        leaves |= named(child, f"{path}.{key}" if path else key)
    return leaves
