"""A test that needs a part this machine may lack skips with a reason; where the part is promised, it fails."""

from __future__ import annotations

import os

import pytest


def require(word: str, available: bool, reason: str) -> None:
    """Skip unless ``available``; fail instead when ``FRAMEBENCH_REQUIRE`` (comma-separated) names ``word``."""
    if available:
        return
    if word in os.environ.get("FRAMEBENCH_REQUIRE", "").split(","):
        pytest.fail(f"FRAMEBENCH_REQUIRE names {word!r}, but {reason}")
    pytest.skip(reason)
