"""A process in a stack's hash-locked environment that is asked about one case after the other (``harness.proving``)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import msgspec

from framebench.executors.ending import signal_name
from framebench.executors.plain_path import plain
from framebench.executors.process import SUPERVISOR
from harness.cores import cores_allowed, pinned_to
from harness.record import Contender


def cores() -> list[int]:
    """The cores on which processes can run side by side, one on each."""
    return pinned_to()[: cores_allowed()]


class ProvingProcess:
    """Started with the first question, and again after one that ended it; on ``core``, and never without its host."""

    def __init__(self, root: Path, python: Path, contender: Contender, precision: str, core: int) -> None:
        self._root = plain(root)
        cache = self._root / "build" / "cache" / "proving" / f"{contender.slug}-{precision}-{core}"
        cache.mkdir(parents=True, exist_ok=True)
        self._log = cache / "stderr.log"
        self._log.unlink(missing_ok=True)
        self._command = [sys.executable, "-I", "-S", str(SUPERVISOR), str(os.getpid()), str(core)]
        self._command += [str(python), "-m", "harness.proving"]
        self._command += [msgspec.json.encode(contender).decode(), precision, str(cache)]
        self._starting = threading.Lock()
        self._stopped = False
        self._process: subprocess.Popen[str] | None = None

    def ask(self, question: dict[str, Any], timeout_s: float) -> dict[str, Any]:
        """The answer; ``{"died": words}`` where there was none in time, the process ended, or was stopped."""
        with self._starting:
            if self._stopped:
                return {"died": "stopped"}
            process = self._process = self._process or self._started()
        assert process.stdin is not None and process.stdout is not None
        late = threading.Event()

        def end() -> None:
            late.set()
            process.terminate()

        timer = threading.Timer(timeout_s, end)
        timer.start()
        try:
            process.stdin.write(json.dumps(question) + "\n")
            process.stdin.flush()
            line = process.stdout.readline()
        except BrokenPipeError:
            line = ""
        finally:
            timer.cancel()
            timer.join()
        if line.endswith("\n") and not late.is_set():
            answer: dict[str, Any] = json.loads(line)
            return answer
        code = process.wait()
        self._process = None
        if late.is_set():
            return {"died": f"no answer within {timeout_s:.0f} s"}
        words = self._log.read_text(errors="replace").strip().splitlines()[-1:] or [f"exit code {code}"]
        why = f"killed by {signal_name(-code)}" if code < 0 else words[0]
        return {"died": f"{why} (all of it: {self._log})"}

    def stop(self) -> None:
        """End the process, if there is one, for good."""
        with self._starting:
            self._stopped, process = True, self._process
        if process is not None:
            process.terminate()
            process.wait()

    def _started(self) -> subprocess.Popen[str]:
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
        with self._log.open("a") as stderr:  # of the ones before it too, whose end names this file
            return subprocess.Popen(
                self._command,
                env=kept | {"PYTHONPATH": str(self._root), "PYTHONUTF8": "1", "PYTHONNOUSERSITE": "1"},
                cwd=self._root,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
                start_new_session=True,  # Ctrl-C is for the command, which stops its processes
            )
