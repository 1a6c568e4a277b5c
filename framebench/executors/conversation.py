"""What is said with a container: the spec goes in, both outputs come out, and it ends in any case."""

from __future__ import annotations

import contextlib
import selectors
import signal
import socket
import threading
import time
from concurrent.futures import Future
from typing import Any, Literal

import docker
from docker.errors import APIError
from docker.models.containers import Container

from framebench.executors import Failure
from framebench.executors.ending import Ending, Output, judge
from framebench.executors.stopping import StopRequest
from harness.record import Record, TrialSpec

READ_BYTES = 1 << 16
SETTLE_S = 30.0
"""What the engine gets to report the end of a container that was killed."""


class Conversation:
    """With the containers of one engine, one at a time; ``stop`` ends it from outside."""

    def __init__(self, client: docker.DockerClient, stop: StopRequest) -> None:
        self._client, self._stop = client, stop

    def hold(
        self, container: Container, spec: TrialSpec, document: bytes, output: Output
    ) -> Record | Failure:
        """Start the container, hand it ``document`` (the spec as its harness reads it) and wait for its end.

        What docker-py raises where the engine goes away, or somebody removes the container, comes through.
        """
        attached = self._client.api.attach_socket(
            container.id, params={"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1}
        )
        started = time.monotonic_ns()
        deadline = time.monotonic() + spec.timeout_s
        try:
            container.start()
            end = End(container)
            connection = getattr(attached, "_sock", attached)
            killed = self._stream(connection, document, output, deadline)
            if killed is None:
                killed = self._await_end(end, deadline)
            if killed:
                with contextlib.suppress(OSError):  # an engine that waits for a reader answers nobody
                    connection.shutdown(socket.SHUT_RDWR)
                with contextlib.suppress(APIError):  # it may have ended by itself just now
                    container.kill()
                end.came(SETTLE_S)
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

    def _await_end(self, end: End, deadline: float) -> Literal["timeout", "interrupted"] | None:
        """The outputs have ended, and so, as a rule, has the container."""
        while not end.came(1.0):
            if self._stop.take():
                return "interrupted"
            if time.monotonic() > deadline:
                return "timeout"
        return None


class End:
    """The end of a container, asked for as soon as it runs: an engine that was restarted meanwhile cannot answer.

    One that is asked later would answer too, though what the trial has said is lost with the engine before it.
    """

    def __init__(self, container: Container) -> None:
        self._told: Future[None] = Future()
        threading.Thread(target=self._ask, args=[container], daemon=True).start()

    def came(self, seconds: float) -> bool:
        """Whether it came within so many seconds; raises what asking for it raised."""
        try:
            self._told.result(seconds)
        except TimeoutError:
            return False
        return True

    def _ask(self, container: Container) -> None:
        try:
            container.wait(timeout=None)
        except BaseException as error:  # handed to whoever waits
            self._told.set_exception(error)
        else:
            self._told.set_result(None)


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


def _final_state(container: Container, killed: bool) -> tuple[int, bool]:
    """Exit code, and whether the kernel killed a process at the memory limit (also beside exit code 0)."""
    for attempt in range(10):
        container.reload()
        state: dict[str, Any] = container.attrs["State"]
        # the engine hears of the memory event and of the exit by two ways
        if killed or state["OOMKilled"] or state["ExitCode"] != 137 or attempt == 9:
            break
        time.sleep(0.2)
    return int(state["ExitCode"]), bool(state["OOMKilled"])
