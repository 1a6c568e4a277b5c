"""Starts one command, and does not leave a process of it behind. Run as a script, standard library only:

    python -I -S supervise.py HOST_PID CORE[,CORE...] COMMAND [ARGUMENT...]

The command gets the listed cores and ends in every one of these cases, with all its descendants, also
those in sessions of their own: it ends itself; the host sends SIGTERM; the host dies, even by SIGKILL
(the kernel then sends the SIGTERM). Exits as the command did: same exit code, or same signal.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import signal
import sys
from pathlib import Path

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
EXIT_NOT_FOUND = 127
OOM_SCORE = "500"
"""Raised (which needs no privilege), so that out of memory the kernel takes the trial, not the host."""


def main(host: int, cores: set[int], command: list[str]) -> None:
    """Does not return: exits, or ends by the command's signal."""
    _prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    _prctl(PR_SET_CHILD_SUBREAPER, 1)  # orphaned descendants become our children
    if os.getppid() != host:  # it died before prctl took hold
        sys.exit("the host is gone")
    os.sched_setaffinity(0, cores)
    awaited = {signal.SIGTERM, signal.SIGCHLD}
    signal.pthread_sigmask(signal.SIG_BLOCK, awaited)

    child = os.fork()
    if child == 0:
        _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, awaited)
        # Python ignores SIGPIPE and an ignored signal stays ignored over exec
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        with contextlib.suppress(OSError):
            Path("/proc/self/oom_score_adj").write_text(OOM_SCORE)
        try:
            os.execv(command[0], command)
        except OSError as error:
            os.write(2, f"{command[0]}: {error.strerror}\n".encode())
            os._exit(EXIT_NOT_FOUND)

    status = None
    while status is None:
        if signal.sigwait(awaited) == signal.SIGTERM:
            break
        status = _reap_finished(child)
    _exit_as(_kill_descendants(child, status))


def _reap_finished(child: int) -> int | None:
    """Reaps every finished child; the wait status of ``child``, if that is among them."""
    status = None
    with contextlib.suppress(ChildProcessError):
        while (reaped := os.waitpid(-1, os.WNOHANG))[0] != 0:
            if reaped[0] == child:
                status = reaped[1]
    return status


def _kill_descendants(child: int, status: int | None) -> int:
    """Kills generation after generation: when a child dies, its own children become ours."""
    while True:
        for pid in _children():
            os.kill(pid, signal.SIGKILL)
        try:
            reaped, its_status = os.waitpid(-1, 0)
        except ChildProcessError:
            return status if status is not None else 0
        if reaped == child:
            status = its_status


def _children() -> list[int]:
    """Our living children, from the fourth field of ``/proc/PID/stat`` (the name may hold spaces)."""
    me = str(os.getpid())
    children = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, parent = stat.read_text(errors="replace").rpartition(")")[2].split()[:2]
            if parent == me and state != "Z":
                children.append(int(stat.parent.name))
    return children


def _exit_as(status: int) -> None:
    if not os.WIFSIGNALED(status):
        os._exit(os.waitstatus_to_exitcode(status))
    number = os.WTERMSIG(status)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # the command's core dump is enough
    if number not in (signal.SIGKILL, signal.SIGSTOP):
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {number})
    os.kill(os.getpid(), number)


def _prctl(option: int, value: int) -> None:
    if ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")


if __name__ == "__main__":
    main(int(sys.argv[1]), {int(core) for core in sys.argv[2].split(",")}, sys.argv[3:])
