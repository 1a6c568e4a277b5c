"""Names: what a framework calls its tensors against what the specification calls them.

One rule for all frameworks: ``.``, ``/`` and ``_`` count as the same separator, so ``stages.0.conv1.kernel``,
``stages_0_conv1/kernel`` and ``stages/0/conv1/kernel`` are one name. What does not follow it is listed in the file.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from typing import Any, TypeVar

T = TypeVar("T")
SHOWN = 12  # of each list


class NamesDiffer(Exception):
    """The model's tensors are not those of the specification; the message shows both lists and the nearest."""


class ShapesDiffer(Exception):
    """Tensors of the model have other shapes than the specification says; the message lists them."""


def plain(name: str) -> str:
    """A name with every separator alike."""
    return re.sub(r"[./_]+", ".", name)


def canonical_names(
    own: Mapping[str, T], specified: Mapping[str, object], exceptions: Mapping[str, str]
) -> dict[str, T]:
    """``own`` under canonical names, in the specification's order; ``NamesDiffer`` unless the two fit one to one."""
    canonical = {plain(name): name for name in specified}
    matched: dict[str, T] = {}
    strangers: list[str] = []
    for name, value in own.items():
        target = exceptions.get(name) or canonical.get(plain(name))
        if target is None or target not in specified:
            strangers.append(name)
        else:
            matched[target] = value
    missing = [name for name in specified if name not in matched]
    if strangers or missing:
        raise NamesDiffer(_explain(missing, strangers))
    return {name: matched[name] for name in specified}


def refuse_other_shapes(own: Mapping[str, tuple[int, ...]], specified: Mapping[str, Any]) -> None:
    """``ShapesDiffer`` unless each tensor, in canonical layout, has the shape that is specified."""
    wrong = [
        f"  {name}: {tuple(shape)} in the model, {tuple(specified[name].shape)} specified"
        for name, shape in own.items()
        if tuple(shape) != tuple(specified[name].shape)
    ]
    if wrong:
        more = [f"  and {len(wrong) - SHOWN} more"] if len(wrong) > SHOWN else []
        lines = ["the model's tensors have other shapes than the specification's, in canonical layout:"]
        raise ShapesDiffer("\n".join([*lines, *wrong[:SHOWN], *more]))


def _explain(missing: list[str], strangers: list[str]) -> str:
    lines = ["the model's tensors are not the specification's."]
    for title, names, others in (
        ("specified, not in the model", missing, strangers),
        ("in the model, not specified", strangers, missing),
    ):
        if not names:
            continue
        lines.append(f"{title} ({len(names)}):")
        for name in names[:SHOWN]:
            near = difflib.get_close_matches(name, others, n=1, cutoff=0.4)
            lines.append(f"  {name}" + (f"   nearest: {near[0]}" if near else ""))
        if len(names) > SHOWN:
            lines.append(f"  and {len(names) - SHOWN} more")
    return "\n".join(lines)
