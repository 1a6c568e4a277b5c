"""Trials in containers of a Docker engine, closed in as ``confinement`` says, with an end in any case.

Nothing of the host is mounted, so the engine may be on another machine; only a GPU must be on this one.
"""

from __future__ import annotations

import contextlib
import functools
import threading
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import requests
from docker.errors import APIError, ImageNotFound, NotFound
from docker.models.containers import Container
from docker.types import DeviceRequest

from framebench import images
from framebench.errors import UserError
from framebench.executors import Failure, Progress, StackOn, Unavailable, gpu, machine
from framebench.executors.confinement import cache_folders, confined, memory_limit
from framebench.executors.connection import called, connect, engine_errors
from framebench.executors.conversation import Conversation
from framebench.executors.drivers import too_old
from framebench.executors.ending import Output
from framebench.executors.engine_away import Return
from framebench.executors.engine_processor import ask_model
from framebench.executors.machine import Machine
from framebench.executors.ownership import LABEL, ours, remove, remove_left_behind
from framebench.executors.rows import Rows
from framebench.executors.stopping import StopRequest
from framebench.images import Device
from framebench.images.fetch.wheel_tags import MACHINES
from framebench.records.accidents import CONTAINER_LOST, killed
from framebench.records.versions import encode_spec
from harness import cores
from harness.environment import EMULATED_VARIABLE
from harness.frameworks import Unsupported
from harness.record import ImageRef, Outcome, Record, TrialSpec

CUDA_LABEL = "org.framebench.cuda"
FAR_GPU = Unavailable(
    "the case wants a GPU, which is asked for by UUID, and the engine is not on this machine"
)


class Adopted(NamedTuple):
    """What is known of an image that trials may run in."""

    engine_id: str  # what this engine calls it
    spec_version: int  # that its harness reads
    cuda: str | None  # version, of a CUDA image
    emulated: bool  # made for another processor than the engine's


class DockerExecutor:
    """Runs trials in the images that ``framebench.images`` builds for the clone ``root``.

    ``memory_bytes`` is the limit of every container; swap is off. ``say`` hears of an engine that goes away.
    """

    name = "docker"

    def __init__(
        self,
        root: Path,
        images_asked: Sequence[str] = (),
        harness_tree: str | None = None,
        own_wheels: Sequence[images.OwnWheel] = (),
        say: Progress = lambda line: None,
    ) -> None:
        self._root = root
        self._say = say
        self.rows = Rows(root, images_asked, own_wheels)
        self._harness_tree = harness_tree
        self._client = connect()
        self._stop = StopRequest()
        self._engine = Return(self._stop, say)
        self._unremoved: list[Container] = []  # of an engine that was away
        self._sweeping, self._filling = threading.Lock(), threading.Lock()
        self._adopted: dict[str, Adopted] = {}  # by config digest
        self._information = self._client.info()
        version = self._client.version()
        self.engine = called(version, self._information)
        self._architecture = version["Arch"]
        self.memory_bytes = memory_limit(int(self._information["MemTotal"]))
        self._machine: Machine | None = None
        self._local: dict[Device, dict[str, images.Here]] = {}

    def _has(self, device: Device) -> dict[str, images.Here]:
        """By the row's name: the images for this device that the engine has. It is asked once."""
        if device not in self._local:
            rows = self.rows.on(device).values()
            self._local[device] = images.local_images(self._root, rows, self._harness_tree)
        return self._local[device]

    def bases_to_build(self, devices: Iterable[Device]) -> set[str]:
        """Bases of the stacks whose image for one of the devices is not here."""
        return {
            row.base
            for device in devices
            for row in self.rows.on(device).values()
            if row.name not in self._has(device)
        }

    def machine(self) -> Machine:
        """This machine, or the engine's; its processor is known as soon as an image is there to look in."""
        if self._is_here:
            return machine.this_machine()
        if self._machine is None or self._machine.cpu_model is None:
            looked_in = next(iter(self._adopted.values()), None)
            architecture = str(self._information.get("Architecture") or self._architecture)
            self._machine = Machine(
                cpu_model=ask_model(self._client, looked_in.engine_id, self.memory_bytes)
                if looked_in
                else None,
                cores=int(self._information["NCPU"]),
                cores_allowed=int(self._information["NCPU"]),
                memory_bytes=int(self._information["MemTotal"]),
                architecture=MACHINES.get(architecture, architecture),  # Podman says what images say
            )
        return self._machine

    @functools.cached_property
    def _is_here(self) -> bool:
        """Whether the engine runs on this machine, and not far away or in a virtual machine with a local socket."""
        said = self._information
        return self._client.api.base_url.startswith("http+docker") and machine.is_this_machine(
            int(said["NCPU"]), int(said["MemTotal"]), str(said.get("KernelVersion"))
        )

    def refusal(self, wanted: StackOn, count: int = 1) -> Unavailable | None:
        if wanted.device == "gpu":
            if not self._is_here:
                return FAR_GPU
            if reason := gpu.refusal_of(count):
                return reason
        row = self._row(wanted)
        return row if isinstance(row, Unavailable) else None

    def _row(self, wanted: StackOn) -> images.ImageRow | Unavailable:
        """The row whose image is here or can be made here, or why there is none."""
        row = self.rows.find(wanted)
        if isinstance(row, Unavailable):
            return row
        # what was pulled may run under emulation, and says so; an image is made on its own kind of processor
        other = self.rows.foreign(row, self._architecture)
        return other if other and row.name not in self._has(wanted.device) else row

    def ready(self, wanted: Iterable[StackOn]) -> dict[StackOn, ImageRef]:
        rows = {one: row for one in wanted if (row := self.rows.on(one.device).get(one.stack))}
        here = {one: (row, self._has(one.device).get(row.name)) for one, row in rows.items()}
        return {one: self._adopt_local(row, *found) for one, (row, found) in here.items() if found}

    def prepare(self, wanted: Iterable[StackOn], progress: Progress) -> dict[StackOn, ImageRef | Unavailable]:
        self.remove_leftovers()
        prepared: dict[StackOn, ImageRef | Unavailable] = {}
        for one in wanted:
            row = self._row(one)
            if isinstance(row, Unavailable):
                prepared[one] = row
                continue
            try:
                here = self._has(one.device).get(row.name)
                here = here or images.Here(images.build(self._root, row, progress), {})
            except images.BaseUnavailable:
                raise  # no image can be made here: the user chooses another executor
            except UserError as error:
                prepared[one] = Unavailable(str(error))
                continue
            prepared[one] = self._adopt_local(row, *here)
        return prepared

    def _adopt_local(
        self, row: images.ImageRow, image: images.LocalImage, details: dict[str, Any]
    ) -> ImageRef:
        reference = ImageRef(
            name=image.name,
            config_digest=image.config_digest,
            repo_digest=images.repo_digest(self._root, image.config_digest),
            lock_sha256=image.lock_sha256,
            base_sha256=images.base_sha256(self._root, row),
            compiler=image.compiler,
            own_builds=images.own_builds(row),
        )
        return self._note(reference, details) if details else self.adopt(reference, image.tag)

    def adopt(self, image: ImageRef, engine_name: str) -> ImageRef:
        """From now on run trials of ``image`` in what the engine has under ``engine_name`` at this moment.

        The caller has checked that it is that image.
        """
        assert image.config_digest, "a container's image has an identity"
        try:
            image_there = self._client.images.get(engine_name)
        except ImageNotFound:
            raise UserError(f"The engine has no image {engine_name}; run `framebench build`.") from None
        return self._note(image, image_there.attrs)

    def _note(self, image: ImageRef, details: dict[str, Any]) -> ImageRef:
        """Run trials of ``image`` in the one that the engine describes by ``details``."""
        assert image.config_digest, "a container's image has an identity"
        labels = details["Config"].get("Labels") or {}
        self._adopted[image.config_digest] = Adopted(
            engine_id=details["Id"],
            spec_version=int(labels.get(images.SPEC_VERSION_LABEL, 1)),
            cuda=labels.get(CUDA_LABEL),
            emulated=details["Architecture"] != self._architecture,
        )
        return image

    def remove_leftovers(self) -> None:
        """Remove the containers that a killed run of this clone left, never those of one that still runs."""
        with engine_errors():
            remove_left_behind(self._client, self._root)

    def run(self, spec: TrialSpec, log: Progress) -> Record | Failure:
        allowed = self._cores()
        if len(allowed) < spec.case.cores:
            reason = f"the case wants {spec.case.cores} cores, the engine's machine has {len(allowed)}"
            return Failure(Outcome(status="unsupported", reason=reason), 0)
        image = self._adopted.get(spec.image.config_digest or "")
        if image is None:
            raise UserError(f"Image {spec.image.name} is not prepared; run `framebench build`.")
        try:
            gpus = self._gpus(spec, image) if spec.case.device == "gpu" else None
        except Unsupported as reason:
            return Failure(Outcome(status="unsupported", reason=reason.reason, mend=reason.mend), 0)
        cold = spec.kind == "cold-start" or spec.cache_state == "cold"
        spec = msgspec.structs.replace(
            spec,
            cache_dir="/cold" if cold else "/cache/compile",
            cache_state="cold" if cold else "warm",
        )
        started = time.monotonic_ns()
        with self._stop.heeded(), engine_errors():
            try:
                answer = self._in_container(spec, image, allowed[: spec.case.cores], gpus, log)
                if not killed(answer.outcome) or self._engine.answers():
                    return answer
                outcome = self._without_engine()
            except ImageNotFound:
                outcome = self._make_again(spec)
            except NotFound:
                outcome = _lost("somebody removed it before the trial had ended")
                self._say(f"a trial of {spec.contender.slug}: {outcome.reason}")
            except APIError:
                raise
            except requests.RequestException:
                outcome = self._without_engine()
        return Failure(outcome, time.monotonic_ns() - started)

    def stop(self) -> None:
        self._stop.make()

    def _in_container(
        self, spec: TrialSpec, image: Adopted, allowed: list[int], gpus: DeviceRequest | None, log: Progress
    ) -> Record | Failure:
        self._sweep()
        container = self._create(spec, image, allowed, gpus)
        try:
            document = encode_spec(spec, image.spec_version)
            return Conversation(self._client, self._stop).hold(container, spec, document, Output(log))
        finally:
            try:
                remove(container)
            except requests.RequestException:
                self._unremoved.append(container)

    def _sweep(self) -> None:
        """Remove what could not be removed, since the engine was away: with live-restore it may still run."""
        with self._sweeping:
            while self._unremoved:
                remove(self._unremoved[-1])
                self._unremoved.pop()

    def _without_engine(self) -> Outcome:
        """Wait until it is back."""
        if not self._engine.wait():
            return Outcome(status="interrupted", reason="stopped by the user")
        self._sweep()
        with contextlib.suppress(APIError, requests.RequestException):  # it may go away again
            self.engine = called(self._client.version(), self._client.info())  # brought up to date, perhaps
        return _lost("the Docker engine went away")

    def _make_again(self, spec: TrialSpec) -> Outcome:
        """Make an image that was removed while trials ran in it; ``UserError`` where another one would come out."""
        name = spec.image.name
        row = self.rows.on(spec.case.device).get(spec.contender.stack)
        gone = f"Image {name} was removed from the engine while trials ran in it"
        if row is None or row.name != name:
            raise UserError(f"{gone}; the same command gets it again and carries on.")
        self._say(f"image {name} was removed from the engine: making it again")
        made = images.build(self._root, row, self._say)
        if made.config_digest != spec.image.config_digest:
            raise UserError(
                f"{gone}, and what it is made from has changed; the same command measures in the new one."
            )
        self.adopt(spec.image, made.tag)
        return _lost(f"image {name} had been removed from the engine")

    def _cores(self) -> list[int]:
        """Numbers of the cores that trials may use: ours, if the engine is on this machine, else all of its own."""
        allowed = self.machine().cores_allowed
        return cores.pinned_to()[:allowed] if self._is_here else list(range(allowed))

    def _gpus(self, spec: TrialSpec, image: Adopted) -> DeviceRequest:
        """The request for the GPUs of the case; ``Unsupported`` when they or their driver do not suit."""
        if image.cuda is None:
            raise Unsupported(f"the case wants a GPU, and {spec.image.name} is an image without CUDA")
        if not self._is_here:
            raise Unsupported(*FAR_GPU)
        chosen = gpu.choose(spec.case.device_count)
        name, stack = spec.image.name or "this image", spec.contender.stack
        if sentence := too_old(self._root, chosen.driver, name, stack, image.cuda):
            raise Unsupported(sentence)
        return gpu.device_request(chosen.uuids, self._information.get("DiscoveredDevices"))

    def _create(
        self, spec: TrialSpec, image: Adopted, allowed: list[int], gpus: DeviceRequest | None
    ) -> Container:
        assert spec.image.config_digest
        volume = f"framebench-cache-{spec.image.config_digest.removeprefix('sha256:')[:12]}"
        self._client.volumes.create(volume, labels={LABEL: "1"})
        options = confined(volume, self.memory_bytes, allowed, cold=spec.cache_state == "cold")
        if image.emulated:
            options["environment"][EMULATED_VARIABLE] = "1"
        if gpus is None:
            options["environment"][gpu.VISIBLE] = ""
        else:
            options["device_requests"] = [gpus]
            options["environment"]["NVIDIA_DRIVER_CAPABILITIES"] = ",".join(gpu.CAPABILITIES)
        container = self._client.containers.create(
            image.engine_id,
            labels=ours(self._root),
            stdin_open=True,
            log_config={"type": "none"},  # we read the streams ourselves
            **options,
        )
        try:
            # an empty volume belongs to root unless the image says otherwise; where two containers share one, the
            # engine's second mkdir would fail
            with self._filling:
                container.put_archive("/cache", cache_folders())
        except BaseException:
            remove(container)
            raise
        return container


def _lost(why: str) -> Outcome:
    """Of a trial that has lost its container, and is worth another try."""
    return Outcome(status="invalid", reason=f"{CONTAINER_LOST}: {why}")
