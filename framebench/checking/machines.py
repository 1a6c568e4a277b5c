"""On what: the machine behind the host's id, the same over a campaign, and what was set on it."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from itertools import combinations, islice

from framebench.checking.doubt import Doubt, refuse
from framebench.checking.known import Known
from framebench.executors.machine import Card, Machine, on_cards
from harness import flags, roofline
from harness.frameworks import SELF_TEST
from harness.record import Record
from harness.thread_pools import TEAMS

TRIED = 20_000  # choices of cards, where nobody watched them: 8 of 16 are 12,870
SAID = 5
DEVICES = {"cpu": ("cpu",), "gpu": ("gpu", "cuda")}  # as frameworks name them


def doubts(record: Record, known: Known) -> Iterator[Doubt]:
    """An id is made of hardware, so the hardware tells whether it is its own."""
    hardware, case = record.hardware, record.case
    if record.trial_id in known.other_campaign:
        said, common = known.other_campaign[record.trial_id]
        yield refuse("campaign_id", f"{record.campaign_id} is {_words(common)}, this trial {_words(said)}")
    if record.trial_id in known.other_machine:
        said, common = known.other_machine[record.trial_id]
        yield refuse("hardware", f"says {said}, other trials of the campaign say {common}")
    if hardware is None:
        if record.outcome.status == "ok":
            yield refuse("hardware", "a trial that ended well knows its machine")
        return
    if hardware.cpu_model and hardware.cores_online and hardware.ram_bytes:
        made = Machine(
            hardware.cpu_model,
            hardware.cores_online,
            hardware.cores_allowed,
            hardware.ram_bytes,
            hardware.architecture,
        ).host_id
        possible = _on_cards(made, record)
        if record.provenance.host_id not in possible:
            called = " or ".join(possible[:SAID])
            yield refuse(
                "provenance.host_id", f"{record.provenance.host_id}, this hardware is called {called}"
            )
    if hardware.cores_online is not None and hardware.cores_allowed > hardware.cores_online:
        yield refuse(
            "hardware.cores_allowed",
            f"{hardware.cores_allowed} cores of {hardware.cores_online} that are there",
        )
    if hardware.cores_allowed < case.cores and record.outcome.status == "ok":
        yield refuse("hardware.cores_allowed", f"{hardware.cores_allowed}, the case used {case.cores}")
    if flags.stand_in(hardware):
        names = ", ".join(sorted({gpu.name or "a GPU without a name" for gpu in hardware.gpus}))
        yield refuse(
            "hardware.gpus",
            f"{names}: a driver that stands in for one, as the tests have, and no card of NVIDIA's",
            "delete it, and measure on a card",
        )
    if case.device == "gpu" and not hardware.gpus and record.outcome.status == "ok":
        yield refuse("hardware.gpus", "a case on a GPU, and no GPU")
    yield from _settings(record)


def _on_cards(host_id: str, record: Record) -> list[str]:
    """What the host can be called in a trial on its GPUs: of those that were watched, else of any that are there."""
    if record.case.device == "cpu" or record.hardware is None:
        return [host_id]
    there = [
        Card(gpu.name, uuid)
        for gpu in record.hardware.gpus
        for uuid in (gpu.mig_uuid_sha256 if gpu.mig and gpu.mig_uuid_sha256 else [gpu.uuid_sha256])
    ]
    watched = {gpu.uuid_sha256 for gpu in record.telemetry.gpus} if record.telemetry else set()
    chosen = [card for card in there if card.uuid_sha256 in watched] or there
    count = min(record.case.device_count, len(chosen))
    return [on_cards(host_id, of_case) for of_case in islice(combinations(chosen, count), TRIED)]


def _settings(record: Record) -> Iterator[Doubt]:
    """What was read back is what the case and the contender declare."""
    settings, case = record.settings, record.case
    if settings is None or record.outcome.status != "ok":
        return
    ran, _ = roofline.precision_ran(settings.precision, case.device)
    if ran is not None and ran != case.precision:
        yield refuse("settings.precision", f"computed in {ran}, the case declares {case.precision}")
    if settings.threads.get("affinity") not in (None, case.cores):
        yield refuse(
            "settings.threads.affinity", f"{settings.threads['affinity']} cores, the case has {case.cores}"
        )
    cores = case.cores // max(1, settings.threads.get("processes") or 1)
    for team in TEAMS if record.canaries else ():  # one of which demands it
        threads = settings.threads.get(team)
        if threads is not None and threads != cores:
            yield refuse(f"settings.threads.{team}", f"{threads} threads, the case has {cores} cores for it")
    device = (settings.device or "").casefold()
    if (
        record.contender.stack != SELF_TEST
        and device
        and not any(name in device for name in DEVICES[case.device])
    ):
        yield refuse("settings.device", f"{settings.device!r} in a case for the {case.device.upper()}")
    if case.device == "cpu" and settings.gpus_visible:
        yield refuse("settings.gpus_visible", f"{settings.gpus_visible} in a case for the CPU")
    if settings.compile.get("mode") not in (None, record.contender.mode):
        yield refuse(
            "settings.compile.mode", f"{settings.compile['mode']}, the contender is {record.contender.mode}"
        )


def _words(facts: Hashable) -> str:
    return ", ".join(map(str, facts)) if isinstance(facts, tuple) else str(facts)
