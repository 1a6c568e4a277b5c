"""The machine that measures: what a case and a host's id are made of. An executor says which machine that is."""

from __future__ import annotations

import hashlib
import platform
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import psutil

from harness import cores

GIBIBYTE = 2**30
MODEL_FIELDS = ("model name", "Model", "Hardware")


class Machine(NamedTuple):
    """Facts of the machine that trials run on; ``cpu_model`` is null as long as nobody has looked there."""

    cpu_model: str | None
    cores: int  # online
    cores_allowed: int  # that trials may use
    memory_bytes: int
    architecture: str

    @property
    def gibibytes(self) -> int:
        """Its memory, rounded."""
        return round(self.memory_bytes / GIBIBYTE)

    @property
    def host_id(self) -> str:
        """E.g. ``amd-epyc-2c-24g-3f2a91``: equal for equal hardware, no name or serial number in it.

        Two machines of one type share an id on purpose: their trials are replications on the same hardware.
        """
        model = self.cpu_model or self.architecture
        facts = "\n".join([model, str(self.cores), str(self.gibibytes), self.architecture])
        words = re.sub(r"\(r\)|\(tm\)|processor|cpu|core|@.*", "", model.lower())
        slug = "-".join(re.findall(r"[a-z0-9]+", words)[:3]) or self.architecture
        return f"{slug}-{self.cores}c-{self.gibibytes}g-{hashlib.sha256(facts.encode()).hexdigest()[:6]}"


class Card(NamedTuple):
    """A GPU, or an instance of one that is cut up, as its driver names it; of its UUID the SHA-256 alone."""

    name: str | None
    uuid_sha256: str


def on_cards(host_id: str, cards: Sequence[Card]) -> str:
    """The id of a host for what is measured on these cards: ``amd-epyc-2c-24g-3f2a91-h200-5d01c7``.

    Each card is a host of its own, because cards of one type differ by several per cent: nothing that compares within
    a host compares across cards.
    """
    if not cards:
        return host_id
    names = re.sub(r"nvidia|tesla", "", (cards[0].name or "gpu").lower())
    slug = "-".join(re.findall(r"[a-z0-9]+", names)) or "gpu"
    several = f"-x{len(cards)}" if len(cards) > 1 else ""
    which = "\n".join(sorted(card.uuid_sha256 for card in cards))
    return f"{host_id}-{slug}{several}-{hashlib.sha256(which.encode()).hexdigest()[:6]}"


def this_machine() -> Machine:
    """The machine that this process runs on."""
    return Machine(
        cpu_model=cpu_model(),
        cores=psutil.cpu_count() or 1,
        cores_allowed=cores.cores_allowed(),
        memory_bytes=psutil.virtual_memory().total,
        architecture=platform.machine(),
    )


def is_this_machine(cores_online: int, memory_bytes: int, kernel: str) -> bool:
    """Whether a container engine with a local socket, which says this of its machine, runs on this one.

    A virtual machine (Docker Desktop, Colima, Podman machine) has a local socket too, and another kernel, other
    cores or less memory.
    """
    here = this_machine()
    near = abs(memory_bytes - here.memory_bytes) < 0.02 * here.memory_bytes
    return near and cores_online == here.cores and kernel == platform.release()


def cpu_model() -> str:
    """Name of this machine's processor as the kernel gives it, or its architecture."""
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return platform.processor() or platform.machine()
    return model_in(text) or platform.machine()


def model_in(cpuinfo: str) -> str | None:
    """The processor's name in the text of ``/proc/cpuinfo``, or the board's on ARM: as a trial finds it."""
    told = (re.search(rf"^{field}[ \t]*:[ \t]*(\S.*)$", cpuinfo, re.MULTILINE) for field in MODEL_FIELDS)
    return next((name.group(1).strip() for name in told if name), None)


def host_id() -> str:
    """Id of this machine."""
    return this_machine().host_id
