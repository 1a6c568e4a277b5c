"""What ends a command from outside: Ctrl-C, SIGTERM, and SIGHUP of a terminal that closes."""

from __future__ import annotations

import os
import signal
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from framebench.campaign.campaign import Campaign
    from framebench.campaign.request import Say


def end_in_order() -> None:
    """SIGTERM and SIGHUP end a command as Ctrl-C does, so that no container and no half file stays behind.

    One that is ignored stays ignored: `nohup` means it.
    """

    def handle(number: int, frame: FrameType | None) -> None:
        if number == signal.SIGHUP:
            _leave_the_terminal()
        raise KeyboardInterrupt

    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, handle)


@contextmanager
def stopping(campaign: Campaign, say: Say) -> Iterator[None]:
    """First Ctrl-C: finish the trial. A second, SIGTERM or SIGHUP: kill it. Every finished trial is on disk either way.

    SIGTERM comes from whoever ends a job at its time limit, seconds before SIGKILL.
    """

    def ask(number: int, frame: FrameType | None) -> None:
        if campaign.stop_after_trial:
            campaign.executor.stop()
        else:
            campaign.stop_after_trial = True
            say("finishing the current trial; press Ctrl-C again to stop now")

    def end(number: int, frame: FrameType | None) -> None:
        if number == signal.SIGHUP:
            _leave_the_terminal()
        campaign.stop_after_trial = True
        campaign.executor.stop()

    wanted: dict[signal.Signals, Callable[[int, FrameType | None], None]] = {
        signal.SIGINT: ask,
        signal.SIGTERM: end,
        signal.SIGHUP: end,
    }
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:  # nohup
        del wanted[signal.SIGHUP]
    previous = {number: signal.signal(number, handler) for number, handler in wanted.items()}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _leave_the_terminal() -> None:
    """What is said from here on goes nowhere: writing to a terminal that has closed is an error."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.__stdout__, sys.__stderr__):
        if stream is not None and not _is_kept(stream.fileno()):
            os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def _is_kept(descriptor: int) -> bool:
    """Whether it is a file or a pipe, which outlives the terminal."""
    return not stat.S_ISCHR(os.fstat(descriptor).st_mode)
