"""One trial as a supervised process of this machine: what the venv and the system executor share."""

from __future__ import annotations

import contextlib
import os
import re
import selectors
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Literal

import msgspec

from framebench.executors import Failure, Progress, gpu
from framebench.executors.ending import Ending, Output, judge
from framebench.executors.plain_path import scratch_parent
from framebench.executors.stopping import StopRequest
from framebench.records.accidents import KERNEL_KILLED
from framebench.records.versions import encode_spec
from harness import cores
from harness.frameworks import Unsupported
from harness.record import Outcome, Record, TrialSpec

SUPERVISOR = Path(__file__).with_name("supervise.py")
GRACE_S = 10.0
"""What the supervisor gets to kill its descendants before its whole process group is killed."""
READ_BYTES = 1 << 16
KEPT_VARIABLES = ("PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ")


class TrialProcess:
    """Runs ``python -m harness`` for one trial after the other, each in a fresh process.

    The trial sees only the variables it is given: thread counts, allocators and compiler flags of the
    user's shell would change what is measured. Its home is an empty folder (Keras reads ``~/.keras``).
    A warm trial's compile cache is ``cache``; a cold one's is a fresh folder that is removed afterwards.
    """

    def __init__(self) -> None:
        self._stop = StopRequest()

    def stop(self) -> None:
        self._stop.make()

    def run(
        self, python: Path, spec: TrialSpec, cache: Path, variables: Mapping[str, str], log: Progress
    ) -> Record | Failure:
        """The harness's record, or how its process failed to leave one."""
        allowed = cores.pinned_to()[: cores.cores_allowed()]
        if len(allowed) < spec.case.cores:
            reason = f"the case wants {spec.case.cores} cores, this machine allows {len(allowed)}"
            return Failure(Outcome(status="unsupported", reason=reason), 0)
        try:
            seen = ",".join(gpu.choose(spec.case.device_count).uuids) if spec.case.device == "gpu" else ""
        except Unsupported as reason:
            return Failure(Outcome(status="unsupported", reason=reason.reason, mend=reason.mend), 0)
        with (
            self._stop.heeded(),
            tempfile.TemporaryDirectory(
                prefix="framebench-", dir=scratch_parent(), ignore_cleanup_errors=True
            ) as scratch,
        ):
            cold = spec.kind == "cold-start" or spec.cache_state == "cold"
            compile_cache = Path(scratch) / "cache" if cold else cache
            compile_cache.mkdir(parents=True, exist_ok=True)
            home = Path(scratch) / "home"
            home.mkdir()
            spec = msgspec.structs.replace(
                spec, cache_dir=str(compile_cache), cache_state="cold" if cold else "warm"
            )
            environment = {name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ}
            environment |= {
                gpu.VISIBLE: seen,
                "HOME": str(home),
                "TMPDIR": scratch,
                "PYTHONSAFEPATH": "1",
                "PYTHONUTF8": "1",
            }
            return self._supervise(
                [str(python), "-m", "harness"],
                spec,
                allowed[: spec.case.cores],
                environment | dict(variables),
                home,
                log,
            )

    def _supervise(
        self,
        command: list[str],
        spec: TrialSpec,
        pinned: list[int],
        environment: dict[str, str],
        folder: Path,
        log: Progress,
    ) -> Record | Failure:
        output = Output(log)
        out_of_memory_before = _out_of_memory_kills()
        started = time.monotonic_ns()
        listed = ",".join(map(str, pinned))
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(SUPERVISOR), str(os.getpid()), listed, *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            env=environment,
            cwd=folder,
            start_new_session=True,  # Ctrl-C in the terminal reaches the host only
        )
        try:
            deadline = time.monotonic() + spec.timeout_s
            killed = self._converse(process, encode_spec(spec), output, deadline)
        finally:
            code = _end(process)
        stdout, stderr_tail = output.close()
        note = None
        if code == -signal.SIGKILL:
            ran = _out_of_memory_kills() != out_of_memory_before
            note = KERNEL_KILLED if ran else "possibly out of memory"
        ending = Ending(
            exit_code=code if code >= 0 else None,
            signal_number=-code if code < 0 else None,
            killed=killed,
            oom=False,
            stdout=stdout,
            stderr_tail=stderr_tail,
            duration_ns=time.monotonic_ns() - started,
            note=note,
        )
        return judge(spec, ending)

    def _converse(
        self, process: subprocess.Popen[bytes], spec: bytes, output: Output, deadline: float
    ) -> Literal["timeout", "interrupted"] | None:
        """Feeds the spec and reads until both outputs end (the supervisor holds them to its end).

        Returns why the process has to be killed, null when it ended by itself.
        """
        assert process.stdin and process.stdout and process.stderr
        os.set_blocking(process.stdin.fileno(), False)
        unsent = memoryview(spec)
        with selectors.DefaultSelector() as selector:
            selector.register(self._stop, selectors.EVENT_READ)
            selector.register(process.stdin, selectors.EVENT_WRITE)
            selector.register(process.stdout, selectors.EVENT_READ, output.feed_stdout)
            selector.register(process.stderr, selectors.EVENT_READ, output.feed_stderr)
            outputs_open = 2
            while outputs_open:
                remaining = deadline - time.monotonic()
                if remaining <= 0:
                    return "timeout"
                for key, _ in selector.select(remaining):
                    if key.fileobj is self._stop:
                        if self._stop.take():
                            return "interrupted"
                    elif key.fileobj is process.stdin:
                        unsent = unsent[_write(process.stdin, unsent) :]
                        if not unsent:
                            selector.unregister(process.stdin)
                            process.stdin.close()
                    elif data := os.read(key.fd, READ_BYTES):
                        key.data(data)
                    else:
                        selector.unregister(key.fileobj)
                        outputs_open -= 1
        return None


def _write(stream: IO[bytes], data: memoryview) -> int:
    """Bytes written; a reader that has gone counts as one that has read everything."""
    try:
        return os.write(stream.fileno(), data)
    except BlockingIOError:
        return 0
    except BrokenPipeError:
        return len(data)


def _end(process: subprocess.Popen[bytes]) -> int:
    """Ends the process if it still runs; its return code as ``subprocess`` counts it."""
    process.terminate()
    try:
        process.wait(GRACE_S)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream:
            stream.close()
    return process.returncode


def _out_of_memory_kills() -> str | None:
    """The kernel's counter of processes killed for memory, null where it cannot be read."""
    with contextlib.suppress(OSError):
        counter = re.search(r"^oom_kill (\d+)$", Path("/proc/vmstat").read_text(), re.MULTILINE)
        return counter[1] if counter else None
    return None


def compiler_version() -> str | None:
    """First line of ``g++ --version``, null without a C++ compiler."""
    compiler = shutil.which("g++")
    if compiler is None:
        return None
    try:
        answer = subprocess.run([compiler, "--version"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return answer.stdout.splitlines()[0]
