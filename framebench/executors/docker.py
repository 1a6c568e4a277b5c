"""Trials in containers: no network, read-only root, no capabilities, not root, the same limits for all.

Nothing of the host is mounted, so the engine may be on another machine. What a trial may write:

``/tmp``    a fresh tmpfs, executable (TorchInductor loads the shared objects that it compiles there)
``/cache``  a named volume per image, ``framebench-cache-<first 12 of its config digest>``:
            ``/cache/compile`` is a warm trial's ``cache_dir``, ``/cache/pyc`` holds Python's byte code
``/cold``   the ``cache_dir`` of a cold start instead: a fresh tmpfs like ``/tmp``

A cold start is cold for the framework's compiler. Byte code stays warm, because whoever installs a framework
compiles it once, and not before each start.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import selectors
import signal
import socket
import tarfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Literal

import docker
import msgspec
import psutil
import requests
from docker.errors import APIError, DockerException, ImageNotFound, NotFound
from docker.models.containers import Container

from framebench import images
from framebench.errors import UserError
from framebench.executors import Failure, Progress, Unavailable
from framebench.executors.ending import Ending, Output, judge
from framebench.executors.stopping import StopRequest
from harness.record import ImageRef, Outcome, Record, TrialSpec, encode_spec

LABEL = "org.framebench"
ROOT_LABEL = "org.framebench.root"
OWNER_LABEL = "org.framebench.owner"
GIBIBYTE = 1 << 30
USER = 1000
PROCESSES = 512
"""TensorFlow starts a few threads per core for each of its pools; a runaway trial stops here."""
CACHE_FOLDERS = ("compile", "pyc")
READ_BYTES = 1 << 16
SETTLE_S = 30.0
"""What the engine gets to report the end of a container that was killed."""


class DockerExecutor:
    """Runs trials in the images that ``framebench.images`` builds for the clone ``root``.

    ``memory_bytes`` is the limit of every container; swap is off.
    """

    name = "docker"

    def __init__(self, root: Path) -> None:
        self._root = root
        self._client = connect()
        self._stop = StopRequest()
        self._engine_ids: dict[str, str] = {}  # config digest -> what this engine calls the image
        self._spec_versions: dict[str, int] = {}  # config digest -> version that its harness reads
        information = self._client.info()
        self._engine_cores = int(information["NCPU"])
        self.memory_bytes = memory_limit(int(information["MemTotal"]))

    def ready(self, stacks: Iterable[str]) -> dict[str, ImageRef]:
        matrix = images.load_matrix(self._root)
        found = {stack: images.built(self._root, matrix.default(stack)) for stack in stacks}
        return {stack: self._adopt_built(built) for stack, built in found.items() if built}

    def prepare(self, stacks: Iterable[str], progress: Progress) -> dict[str, ImageRef | Unavailable]:
        self.remove_leftovers()
        matrix = images.load_matrix(self._root)
        prepared: dict[str, ImageRef | Unavailable] = {}
        for stack in stacks:
            try:
                built = images.build(self._root, matrix.default(stack), progress)
            except images.BaseUnavailable:
                raise  # no image can be made here: the user chooses another executor
            except UserError as error:
                prepared[stack] = Unavailable(str(error))
                continue
            prepared[stack] = self._adopt_built(built)
        return prepared

    def _adopt_built(self, built: images.BuiltImage) -> ImageRef:
        reference = ImageRef(
            name=built.name,
            config_digest=built.config_digest,
            repo_digest=images.repo_digest(self._root, built.config_digest),
            lock_sha256=built.lock_sha256,
            compiler=built.compiler,
        )
        return self.adopt(reference, built.tag)

    def adopt(self, image: ImageRef, engine_name: str) -> ImageRef:
        """From now on run trials of ``image`` in what the engine has under ``engine_name`` at this moment.

        The caller has checked that it is that image.
        """
        assert image.config_digest, "a container's image has an identity"
        try:
            found = self._client.images.get(engine_name)
        except ImageNotFound:
            raise UserError(f"The engine has no image {engine_name}; run `framebench build`.") from None
        self._engine_ids[image.config_digest] = found.id
        self._spec_versions[image.config_digest] = int(found.labels.get(images.SPEC_VERSION_LABEL, 1))
        return image

    def remove_leftovers(self) -> None:
        """Remove the containers that a killed run of this clone left, never those of one that still runs."""
        with _engine_errors():
            for container in self._client.containers.list(
                all=True, filters={"label": f"{ROOT_LABEL}={_root_label(self._root)}"}
            ):
                host, pid, started = container.labels[OWNER_LABEL].split(":")
                if host == socket.gethostname() and not _lives(int(pid), started):
                    _remove(container)

    def run(self, spec: TrialSpec, log: Progress) -> Record | Failure:
        cores = self._cores()
        if len(cores) < spec.case.cores:
            reason = f"the case wants {spec.case.cores} cores, the engine's machine has {len(cores)}"
            return Failure(Outcome(status="unsupported", reason=reason), 0)
        digest = spec.image.config_digest
        if digest is None or digest not in self._engine_ids:
            raise UserError(f"Image {spec.image.name} is not prepared; run `framebench build`.")
        cold = spec.kind == "cold-start" or spec.cache_state == "cold"
        spec = msgspec.structs.replace(
            spec,
            cache_dir="/cold" if cold else "/cache/compile",
            cache_state="cold" if cold else "warm",
        )
        with _engine_errors():
            container = self._create(digest, cores[: spec.case.cores], cold)
            try:
                return self._converse(container, spec, Output(log))
            finally:
                _remove(container)

    def stop(self) -> None:
        self._stop.make()

    def _encoded(self, spec: TrialSpec) -> bytes:
        assert spec.image.config_digest
        return encode_spec(spec, self._spec_versions[spec.image.config_digest])

    def _cores(self) -> list[int]:
        """The cores we may use, if the engine is on this machine; else all of the engine's."""
        if self._client.api.base_url.startswith("http+docker"):  # a local socket
            return sorted(os.sched_getaffinity(0))
        return list(range(self._engine_cores))

    def _create(self, digest: str, cores: list[int], cold: bool) -> Container:
        volume = f"framebench-cache-{digest.removeprefix('sha256:')[:12]}"
        self._client.volumes.create(volume, labels={LABEL: "1"})
        in_memory = f"rw,exec,nosuid,nodev,mode=1777,size={self.memory_bytes // 2}"
        container = self._client.containers.create(
            self._engine_ids[digest],
            labels={LABEL: "1", ROOT_LABEL: _root_label(self._root), OWNER_LABEL: _owner()},
            stdin_open=True,
            init=True,  # process 1 itself would not die of SIGABRT
            network_mode="none",
            read_only=True,
            tmpfs={"/tmp": in_memory, "/cold": in_memory} if cold else {"/tmp": in_memory},
            volumes={volume: {"bind": "/cache", "mode": "rw"}},
            environment={
                "HOME": "/tmp",
                "TMPDIR": "/tmp",
                "LOGNAME": "framebench",  # the user has no name in the image's password file
                "PYTHONPYCACHEPREFIX": "/cache/pyc",
            },
            user=f"{USER}:{USER}",
            cap_drop=["ALL"],
            security_opt=["no-new-privileges"],
            pids_limit=PROCESSES,
            mem_limit=self.memory_bytes,
            memswap_limit=self.memory_bytes,
            shm_size=GIBIBYTE,
            cpuset_cpus=",".join(map(str, cores)),
            log_config={"type": "none"},  # we read the streams ourselves
        )
        try:
            # an empty volume belongs to root unless the image says otherwise
            container.put_archive("/cache", _cache_folders())
        except BaseException:
            _remove(container)
            raise
        return container

    def _converse(self, container: Container, spec: TrialSpec, output: Output) -> Record | Failure:
        attached = self._client.api.attach_socket(
            container.id, params={"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1}
        )
        started = time.monotonic_ns()
        deadline = time.monotonic() + spec.timeout_s
        try:
            container.start()
            killed = self._stream(getattr(attached, "_sock", attached), self._encoded(spec), output, deadline)
            if killed is None:
                killed = self._await_end(container, deadline)
            if killed:
                with contextlib.suppress(APIError):  # it may have ended by itself just now
                    container.kill()
                _wait(container, SETTLE_S)
        finally:
            attached.close()
        stdout, stderr_tail = output.close()
        code, oom = _final_state(container, killed is not None)
        by_signal = 128 < code < 128 + signal.NSIG  # as shells and the engine count
        ending = Ending(
            exit_code=None if by_signal else code,
            signal_number=code - 128 if by_signal else None,
            killed=killed,
            oom=oom,
            stdout=stdout,
            stderr_tail=stderr_tail,
            duration_ns=time.monotonic_ns() - started,
        )
        return judge(spec, ending)

    def _stream(
        self, connection: socket.socket, spec: bytes, output: Output, deadline: float
    ) -> Literal["timeout", "interrupted"] | None:
        """Sends the spec and reads both outputs to their end; why the container has to be killed, or null."""
        connection.setblocking(False)
        unsent = memoryview(spec)
        frames = Frames(output)
        with selectors.DefaultSelector() as selector:
            selector.register(self._stop, selectors.EVENT_READ)
            selector.register(connection, selectors.EVENT_READ | selectors.EVENT_WRITE)
            while True:
                remaining = deadline - time.monotonic()
                if remaining <= 0:
                    return "timeout"
                for key, ready in selector.select(remaining):
                    if key.fileobj is self._stop:
                        if self._stop.take():
                            return "interrupted"
                        continue
                    if ready & selectors.EVENT_WRITE:
                        try:
                            unsent = unsent[connection.send(unsent) :]
                        except BlockingIOError:
                            pass
                        except (BrokenPipeError, ConnectionResetError):
                            unsent = unsent[:0]  # nobody reads it any more; the outputs tell why
                        if not unsent:
                            selector.modify(connection, selectors.EVENT_READ)
                            with contextlib.suppress(OSError):
                                connection.shutdown(socket.SHUT_WR)
                    if ready & selectors.EVENT_READ:
                        try:
                            data = connection.recv(READ_BYTES)
                        except BlockingIOError:
                            continue
                        except ConnectionResetError:
                            return None
                        if not data:
                            return None
                        frames.feed(data)

    def _await_end(self, container: Container, deadline: float) -> Literal["timeout", "interrupted"] | None:
        """The outputs have ended, and so, as a rule, has the container."""
        while not _wait(container, 1.0):
            if self._stop.take():
                return "interrupted"
            if time.monotonic() > deadline:
                return "timeout"
            self._client.ping()  # a wait that timed out and an engine that has gone look the same
        return None


class Frames:
    """Takes apart the engine's multiplexed stream: stream number, three zeros, length (big endian), data."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._buffer = bytearray()

    def feed(self, data: bytes) -> None:
        self._buffer += data
        while len(self._buffer) >= 8:
            length = int.from_bytes(self._buffer[4:8], "big")
            if len(self._buffer) < 8 + length:
                return
            payload = bytes(self._buffer[8 : 8 + length])
            if self._buffer[0] == 2:
                self._output.feed_stderr(payload)
            else:
                self._output.feed_stdout(payload)
            del self._buffer[: 8 + length]


def connect() -> docker.DockerClient:
    """A client of the engine that ``DOCKER_HOST`` or the default socket names.

    ``UserError`` says why there is none, with the mend.
    """
    try:
        client = docker.from_env()
        client.ping()
    except (DockerException, requests.RequestException) as error:
        where = os.environ.get("DOCKER_HOST", "/var/run/docker.sock")
        causes = [*_causes(error)]
        if any(isinstance(cause, PermissionError) for cause in causes):
            raise UserError(
                f"No permission on the Docker socket {where}; run `sudo usermod -aG docker $USER` and log in"
                " again."
            ) from None
        if any(isinstance(cause, FileNotFoundError | ConnectionRefusedError) for cause in causes):
            raise UserError(
                f"No Docker engine answers at {where}; start it (`sudo systemctl start docker`, or"
                " `sudo dockerd`), or use `--executor venv`."
            ) from None
        raise UserError(f"The Docker engine at {where} cannot be used: {error}") from None
    return client


def memory_limit(total: int) -> int:
    """Bytes for a container on a machine of ``total`` bytes: all but 1 GiB, and never less than half."""
    return max(total - GIBIBYTE, total // 2)


@contextlib.contextmanager
def _engine_errors() -> Iterator[None]:
    """The engine's refusals, and its silence, as one sentence."""
    try:
        yield
    except APIError as error:
        raise UserError(f"The Docker engine refused: {error.explanation or error}") from error
    except requests.RequestException as error:
        raise UserError(f"The Docker engine does not answer any more ({error}); start it again.") from error


def _wait(container: Container, seconds: float) -> bool:
    """Whether the container ended within ``seconds``; the SDK's timeout is one of two exceptions."""
    try:
        container.wait(timeout=seconds)
    except (requests.ReadTimeout, requests.ConnectionError):
        return False
    return True


def _final_state(container: Container, killed: bool) -> tuple[int, bool]:
    """Exit code, and whether the kernel killed a process at the memory limit (also beside exit code 0)."""
    for attempt in range(3):
        container.reload()
        state: dict[str, Any] = container.attrs["State"]
        # the engine hears of the memory event and of the exit by two ways
        if killed or state["OOMKilled"] or state["ExitCode"] != 137 or attempt == 2:
            break
        time.sleep(0.2)
    return int(state["ExitCode"]), bool(state["OOMKilled"])


def _remove(container: Container) -> None:
    with contextlib.suppress(NotFound):
        container.remove(force=True, v=True)  # v: anonymous volumes; the named cache stays


def _cache_folders() -> bytes:
    """A tar of the empty folders of the cache, owned by the container's user."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for name in CACHE_FOLDERS:
            entry = tarfile.TarInfo(name)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            entry.uid = entry.gid = USER
            tar.addfile(entry)
    return archive.getvalue()


def _root_label(root: Path) -> str:
    return hashlib.sha256(str(root.resolve()).encode()).hexdigest()[:12]


def _owner() -> str:
    """This process: host name, process number and its start time, which a later process cannot share."""
    process = psutil.Process()
    return f"{socket.gethostname()}:{process.pid}:{process.create_time():.2f}"


def _lives(pid: int, started: str) -> bool:
    try:
        return f"{psutil.Process(pid).create_time():.2f}" == started
    except psutil.NoSuchProcess:
        return False


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error, what it came from, and what it was made of (urllib3 wraps errors as arguments)."""
    yield error
    inner = [error.__cause__, error.__context__, *error.args, getattr(error, "reason", None)]
    for cause in inner:
        if isinstance(cause, BaseException) and cause is not error:
            yield from _causes(cause)
