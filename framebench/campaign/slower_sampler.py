"""What follows from a self-test: where watching disturbs the work, the sampler looks less often."""

from __future__ import annotations

from pathlib import Path

import msgspec

from framebench.campaign.suites import Suite
from framebench.records import store
from framebench.records.selftest_document import OBSERVER_CHECK

SLOW_HZ = 2.0


def slowed(suite: Suite, results: Path, host_id: str) -> tuple[Suite, str | None]:
    """The suite as it may be measured on this host, and what was changed, in words (null: nothing).

    The newest self-test of the host decides: if its observer effect lies wholly outside the bound, the sampler
    runs at 2 Hz, and the harness flags every trial for it.
    """
    folder = results / store.SELFTESTS / host_id
    selftests = [one for _, one in store.load([folder]).selftests] if folder.exists() else []
    newest = max(selftests, key=lambda selftest: selftest.selftest_id, default=None)
    failed = newest and any(c.name == OBSERVER_CHECK and c.answer == "fail" for c in newest.checks)
    if not newest or not failed or suite.protocol.telemetry_hz <= SLOW_HZ:
        return suite, None
    protocol = msgspec.structs.replace(suite.protocol, telemetry_hz=SLOW_HZ)
    ratio = f"{newest.observer.value:.3f}" if newest.observer else "no ratio"
    return msgspec.structs.replace(suite, protocol=protocol), (
        f"sampler: {SLOW_HZ:g} Hz instead of {suite.protocol.telemetry_hz:g}, because watching disturbs the work "
        f"on this host (self-test of {newest.tested_utc[:10]}: {ratio})"
    )
