"""Every test leaves the process as it found it: a trial run in here pins cores, sets variables and takes SIGTERM."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest
from hypothesis import settings

from framebench.executors.alone import holder

settings.register_profile("framebench", settings(), deadline=None)  # a deadline is a timing assertion
settings.load_profile("framebench")


def pytest_report_header() -> str | None:
    """Tests that measure wait, and pytest shows nothing of what they say."""
    campaign = holder()
    return campaign and f"this machine is measuring: {campaign}; tests that measure wait until that has ended"


@pytest.fixture(autouse=True)
def _leave_the_process_as_it_was() -> Iterator[None]:
    affinity, environ = os.sched_getaffinity(0), dict(os.environ)
    handler = signal.getsignal(signal.SIGTERM)
    yield
    os.sched_setaffinity(0, affinity)
    os.environ.clear()
    os.environ.update(environ)
    signal.signal(signal.SIGTERM, handler)
