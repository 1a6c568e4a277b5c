"""axe-core for tests: what of an open page somebody could not see, hear or reach."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Any

_CONTRAST = ("color-contrast", "link-in-text-block")
"""The rules whose answer depends on the palette; and what costs axe most of its time."""
_RUN = Path(__file__).with_name("axe.js").read_text()


def violations(page: Any) -> list[str]:
    """A sentence for each element of the open page that breaks one of axe's rules, but those of ``contrast``."""
    return _run(page, {"rules": {name: {"enabled": False} for name in _CONTRAST}}, looks=False)


def contrast(page: Any) -> list[str]:
    """The same for what can be told from its surroundings, asked of one text of each look."""
    return _run(page, {"runOnly": {"type": "rule", "values": _CONTRAST}}, looks=True)


def _run(page: Any, rules: dict[str, Any], looks: bool) -> list[str]:
    if not page.evaluate("'axe' in window"):
        page.evaluate(resources.files("axe_playwright_python").joinpath("axe.min.js").read_text())
    found: list[str] = page.evaluate(_RUN, {"rules": rules, "looks": looks})
    return found
