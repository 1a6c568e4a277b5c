"""The cards of this machine: which of them ``--gpu`` names, what is to be known of one before anything runs on it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from framebench.errors import UserError
from framebench.executors.gpu import VISIBLE, choose, listed, opened, uuids_of
from framebench.executors.machine import Card, on_cards
from framebench.images import Device
from harness.frameworks import Unsupported


def named(wish: str) -> list[str]:
    """UUIDs of what ``--gpu`` asks for: a UUID or its beginning, a number as ``nvidia-smi -L`` counts, or all.

    ``UserError`` where this machine has no such GPU, or several.
    """
    try:
        with opened() as nvml:
            uuids, lost = listed(nvml)
    except Unsupported as refused:
        raise UserError(f"--gpu {wish}: {refused.reason}; {refused.mend}") from None
    if wish == "all":
        chosen = uuids
    elif wish.isdecimal() and len(wish) < 10:
        chosen = _of_number(int(wish))
    else:
        chosen = [uuid for uuid in uuids if wish and uuid.startswith(wish)]
    if not chosen or (wish != "all" and len(chosen) > 1):
        silent = f"; {' and '.join(lost)}" if lost else ""
        raise UserError(
            f"--gpu {wish or repr(wish)}: {len(chosen) or 'none'} of this machine's GPUs is called so; its GPUs are"
            f" {', '.join(uuids) or 'none'}{silent} (say a UUID or its beginning, a number as `nvidia-smi -L` counts,"
            " or all)"
        )
    return chosen


def _of_number(number: int) -> list[str]:
    """The GPU of this number, or its instances; none where there is none, or it does not answer."""
    with opened() as nvml:
        try:
            return uuids_of(nvml, nvml.nvmlDeviceGetHandleByIndex(number))
        except nvml.NVMLError:
            return []


@contextmanager
def only(uuid: str) -> Iterator[None]:
    """Within, this process and the trials that it starts see this GPU alone."""
    before = os.environ.get(VISIBLE)
    os.environ[VISIBLE] = uuid
    try:
        yield
    finally:
        del os.environ[VISIBLE]
        if before is not None:
            os.environ[VISIBLE] = before


class Facts(NamedTuple):
    """What of a chosen GPU decides whose host it is, who shares it, and which cases fit on it; null = unknown."""

    uuid: str
    card: Card
    memory_bytes: int | None
    capability: tuple[int, int] | None  # CUDA's compute capability
    processes: tuple[int, ...]  # numbers of those that hold it now
    persistence: bool | None
    power_limit_w: float | None
    default_power_limit_w: float | None

    @property
    def name(self) -> str:
        return self.card.name or "a GPU without a name"


def facts(count: int) -> list[Facts]:
    """Of the GPUs that ``choose`` gives; none where it gives none."""
    try:
        chosen = choose(count).uuids
        with opened() as nvml:
            return [_facts(nvml, uuid) for uuid in chosen]
    except Unsupported:
        return []


def _facts(nvml: Any, uuid: str) -> Facts:
    def told(ask: Callable[..., Any], handle: Any) -> Any:
        try:
            return ask(handle)
        except nvml.NVMLError:
            return None

    handle = nvml.nvmlDeviceGetHandleByUUID(uuid)
    whole = handle
    if uuid.startswith("MIG-"):
        whole = told(nvml.nvmlDeviceGetDeviceHandleFromMigDeviceHandle, handle) or handle
    memory = told(nvml.nvmlDeviceGetMemoryInfo, handle)
    capability = told(nvml.nvmlDeviceGetCudaComputeCapability, whole)
    persistence = told(nvml.nvmlDeviceGetPersistenceMode, whole)
    limit = told(nvml.nvmlDeviceGetEnforcedPowerLimit, whole)
    default = told(nvml.nvmlDeviceGetPowerManagementDefaultLimit, whole)
    return Facts(
        uuid=uuid,
        card=Card(told(nvml.nvmlDeviceGetName, whole), hashlib.sha256(uuid.encode()).hexdigest()),
        memory_bytes=None if memory is None else int(memory.total),
        capability=None if capability is None else (capability[0], capability[1]),
        processes=tuple(one.pid for one in told(nvml.nvmlDeviceGetComputeRunningProcesses, handle) or ()),
        persistence=None if persistence is None else bool(persistence),
        power_limit_w=None if limit is None else limit / 1000,
        default_power_limit_w=None if default is None else default / 1000,
    )


def host_of(host_id: str, device: Device, count: int) -> str:
    """The id of this host for trials on such devices: on GPUs with those that are chosen."""
    return host_id if device == "cpu" else on_cards(host_id, [chosen.card for chosen in facts(count)])


def remarks(chosen: Facts) -> Iterator[str]:
    """What of a GPU is to be mended, or known, before anything is measured on it."""
    if chosen.processes:
        numbers = ", ".join(map(str, chosen.processes[:5]))
        yield (
            f"{chosen.name} is not free: {len(chosen.processes)} other process{'es' * (len(chosen.processes) > 1)} "
            f"({numbers}) hold{'s' * (len(chosen.processes) == 1)} it, and what is measured beside them is flagged; "
            "end them, or name another GPU with --gpu"
        )
    if chosen.persistence is False:
        yield (
            f"{chosen.name}: persistence mode is off, so its driver starts anew for each trial; "
            "`sudo nvidia-smi -pm 1` keeps it"
        )
    if chosen.uuid.startswith("MIG-"):
        yield (
            f"{chosen.name} is cut up (MIG), and one instance of it is measured: utilization, clocks, power and energy "
            "are the whole card's, and are left out"
        )
    limit, default = chosen.power_limit_w, chosen.default_power_limit_w
    if limit is not None and default is not None and limit < default:
        yield f"{chosen.name} is limited to {limit:g} W of {default:g} W; its records say so"
