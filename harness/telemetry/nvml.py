"""An NVIDIA GPU through NVML; each metric is asked once, and left alone where the driver refuses it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from harness.telemetry.devices import nvml_handle, nvml_starts
from harness.telemetry.field_values import FieldValues
from harness.telemetry.gpm import Gpm
from harness.telemetry.nvml_metrics import CALLS, ENERGY, FIELDS, XID, Call, Read
from harness.telemetry.refusal import GpuLost, raise_if_lost, refusal
from harness.telemetry.source import Capability

SLOW_EVERY = 10  # ticks between readings of what changes slowly
_MAX_EVENTS = 100  # at one poll

Values = dict[str, float | None]


def open_gpus(names: list[str]) -> tuple[list[NvmlSource], str | None]:
    """A source per GPU, each given by its names (``devices.cuda_devices``), or none and the reason."""
    nvml, reason = nvml_starts()
    if nvml is None:
        return [], reason
    try:
        return [NvmlSource(nvml, nvml_handle(nvml, of_one)) for of_one in names], None
    except nvml.NVMLError as error:
        return [], f"NVML does not find the trial's GPU: {error}"


class NvmlSource:
    """One GPU or MIG instance. After the device was lost (``lost`` says how) it is not asked any more.

    A reading that fails is ``None``; ``notes`` keeps the driver's last words about it.
    """

    def __init__(self, nvml: Any, device: Any) -> None:
        self.nvml = nvml
        self.device = device
        self.uuid_sha256 = hashlib.sha256(nvml.nvmlDeviceGetUUID(device).encode()).hexdigest()
        self.lost: str | None = None
        self.notes: dict[str, str] = {}
        self.fields: list[str] = []
        self.ticking = self.counting = FieldValues(nvml, device, [])
        self.calls: list[tuple[Call, Read]] = []
        self.gpm: Gpm | None = None
        self.gpm_metrics: list[str] = []
        self.event_set: Any = None
        self.xids: list[int] = []

    def probe(self) -> dict[str, Capability]:
        """Ask everything once; what works is what ``tick`` and ``counters`` will read."""
        found: dict[str, Capability] = {}
        with self._noting_loss():
            found |= self._probe_fields()
            for call in CALLS:
                found |= self._probe_call(call)
            found |= self._probe_events() | self._probe_gpm()
        return found

    def tick(self, number: int) -> Values:
        """What is worth ten readings a second."""
        values: Values = {}
        with self._noting_loss():
            self._read_fields(self.ticking, values)
            for call, read in self.calls:
                if call.when == "tick" or (call.when == "tenth tick" and number % SLOW_EVERY == 0):
                    self._read_call(call, read, values)
        return values

    def counters(self) -> Values:
        """All counters, and what is too slow for a tick. The energy counter has its own way (``energy``)."""
        values: Values = {}
        if self.lost is not None:
            return values
        with self._noting_loss():
            self._read_fields(self.counting, values)
            for call, read in self.calls:
                if call.when == "edge":
                    self._read_call(call, read, values)
            self._read_events(values)
        return values

    def energy(self) -> float | None:
        """J since the driver was loaded; null where the counter cannot be read (any more)."""
        if self.lost is not None or ENERGY not in self.fields:
            return None
        with self._noting_loss():
            try:
                return int(self.nvml.nvmlDeviceGetTotalEnergyConsumption(self.device)) / 1000
            except self.nvml.NVMLError as error:
                self._fail([ENERGY], error, {})
        return None

    def mark(self) -> None:
        """An edge of a window for the metrics that the hardware averages."""
        if self.gpm is None or self.lost is not None:
            return
        with self._noting_loss():
            try:
                self.gpm.take()
            except self.nvml.NVMLError as error:
                self.gpm.samples.clear()
                self._fail(self.gpm_metrics, error, {})

    def averages(self) -> Values:
        """The hardware's averages between the last two marks."""
        values: Values = {}
        if self.gpm is None or self.lost is not None:
            return values
        with self._noting_loss():
            try:
                found, missing = self.gpm.values(self.gpm_metrics)
            except self.nvml.NVMLError as error:
                self._fail(self.gpm_metrics, error, values)
            else:
                values.update(found)
                self.notes = missing | self.notes  # an error at a mark says more than "too short"
        return values

    # --- probing -----------------------------------------------------------------------------------

    def _probe_fields(self) -> dict[str, Capability]:
        nvml = self.nvml
        try:
            answers = FieldValues(nvml, self.device, list(FIELDS)).read()
        except nvml.NVMLError as error:
            support, reason = refusal(error)
            return {name: f.capability._replace(support=support, reason=reason) for name, f in FIELDS.items()}
        found = {}
        for name, code, _ in answers:
            found[name] = FIELDS[name].capability
            if code == nvml.NVML_SUCCESS:
                self.fields.append(name)
            else:
                support, reason = refusal(nvml.NVMLError(code))
                found[name] = found[name]._replace(support=support, reason=reason)
        ticking = [name for name in self.fields if FIELDS[name].every_tick]
        counting = [
            name for name in self.fields if FIELDS[name].capability.kind == "counter" and name != ENERGY
        ]
        self.ticking = FieldValues(nvml, self.device, ticking)
        self.counting = FieldValues(nvml, self.device, counting)
        return found

    def _probe_call(self, call: Call) -> dict[str, Capability]:
        """The first way that works; else the answer of the last one that this driver has at all."""
        support, reason = refusal(self.nvml.NVMLError(self.nvml.NVML_ERROR_FUNCTION_NOT_FOUND))
        for read in call.ways:
            try:
                read(self.nvml, self.device)
            except self.nvml.NVMLError as error:
                if error.value != self.nvml.NVML_ERROR_FUNCTION_NOT_FOUND:
                    support, reason = refusal(error)
                continue
            self.calls.append((call, read))
            return call.metrics
        return {name: how._replace(support=support, reason=reason) for name, how in call.metrics.items()}

    def _probe_events(self) -> dict[str, Capability]:
        nvml, how = self.nvml, Capability("counter", "", low=0.0)
        try:
            events = nvml.nvmlEventSetCreate()
            nvml.nvmlDeviceRegisterEvents(self.device, nvml.nvmlEventTypeXidCriticalError, events)
        except nvml.NVMLError as error:
            support, reason = refusal(error)
            return {XID: how._replace(support=support, reason=reason)}
        self.event_set = events
        return {XID: how}

    def _probe_gpm(self) -> dict[str, Capability]:
        """A MIG instance is sampled through its GPU and its number."""
        nvml, device, instance = self.nvml, self.device, None
        try:
            if nvml.nvmlDeviceIsMigDeviceHandle(device).value:
                instance = nvml.nvmlDeviceGetGpuInstanceId(device)
                device = nvml.nvmlDeviceGetDeviceHandleFromMigDeviceHandle(device)
        except nvml.NVMLError:
            pass  # a driver without MIG
        gpm = Gpm(nvml, device, instance)
        found = gpm.probe()
        self.gpm_metrics = [name for name, how in found.items() if how.support == "ok"]
        self.gpm = gpm if self.gpm_metrics else None
        return found

    # --- reading -----------------------------------------------------------------------------------

    @contextmanager
    def _noting_loss(self) -> Iterator[None]:
        try:
            yield
        except GpuLost as error:
            self.lost = str(error)

    def _read_fields(self, fields: FieldValues, values: Values) -> None:
        nvml = self.nvml
        try:
            answers = fields.read()
        except nvml.NVMLError as error:
            self._fail(fields.names, error, values)
            return
        for name, code, value in answers:
            if code == nvml.NVML_SUCCESS:
                values[name] = value
            else:
                self._fail([name], nvml.NVMLError(code), values)

    def _read_call(self, call: Call, read: Read, values: Values) -> None:
        try:
            values.update(read(self.nvml, self.device))
        except self.nvml.NVMLError as error:
            self._fail(list(call.metrics), error, values)

    def _read_events(self, values: Values) -> None:
        """XID errors so far; the set is polled, never waited for."""
        nvml = self.nvml
        if self.event_set is None:
            return
        try:
            for _ in range(_MAX_EVENTS):
                self.xids.append(int(nvml.nvmlEventSetWait_v2(self.event_set, 0).eventData))
        except nvml.NVMLError_Timeout:
            pass
        except nvml.NVMLError as error:
            self._fail([XID], error, values)
            return
        values[XID] = len(self.xids)
        if self.xids:
            self.notes[XID] = f"XID {', '.join(str(code) for code in self.xids)}"

    def _fail(self, names: list[str], error: Any, values: Values) -> None:
        """A reading that was possible at the start and is not now."""
        raise_if_lost(error)
        values.update(dict.fromkeys(names))
        self.notes.update(dict.fromkeys(names, str(error)))
