"""A process in a stack's hash-locked environment that is asked about one case after the other (``harness.proving``)."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from pathlib import Path
from typing import Any

import msgspec

from framebench.executors.plain_path import plain
from harness.cores import pinned_to
from harness.record import Contender


def cores() -> list[int]:
    """The cores on which processes can run side by side, one on each."""
    return pinned_to()


class ProvingProcess:
    """Started with the first question, and again after one that ended it; pinned to ``core``."""

    def __init__(self, root: Path, python: Path, contender: Contender, precision: str, core: int) -> None:
        self._root = plain(root)
        cache = self._root / "build" / "cache" / "proving" / f"{contender.slug}-{precision}-{core}"
        cache.mkdir(parents=True, exist_ok=True)
        self._log = cache / "stderr.log"
        self._command = [str(python), "-m", "harness.proving", msgspec.json.encode(contender).decode()]
        self._command += [precision, str(cache), str(core)]
        self._process: subprocess.Popen[str] | None = None

    def ask(self, question: dict[str, Any], timeout_s: float) -> dict[str, Any]:
        """The answer; ``{"died": words}`` where there was none in time or the process ended."""
        process = self._process or self._start()
        assert process.stdin is not None and process.stdout is not None
        late = threading.Event()

        def end() -> None:
            late.set()
            process.kill()

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
        if line:
            answer: dict[str, Any] = json.loads(line)
            return answer
        code = process.wait()
        self._process = None
        if late.is_set():
            return {"died": f"no answer within {timeout_s:.0f} s"}
        words = self._log.read_text(errors="replace").strip().splitlines()[-1:] or [f"exit code {code}"]
        return {"died": f"{words[0]} (all of it: {self._log})"}

    def stop(self) -> None:
        """End the process, if there is one."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()

    def _start(self) -> subprocess.Popen[str]:
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
        with self._log.open("w") as stderr:
            self._process = subprocess.Popen(
                self._command,
                env=kept | {"PYTHONPATH": str(self._root), "PYTHONUTF8": "1", "PYTHONNOUSERSITE": "1"},
                cwd=self._root,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
                start_new_session=True,  # Ctrl-C is for the command, which stops its processes
            )
        return self._process
