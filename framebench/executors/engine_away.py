"""An engine that went away under its trials, stopped or restarted: it is waited for, a bounded time."""

from __future__ import annotations

import select
import threading
import time

from framebench.errors import UserError
from framebench.executors import Progress
from framebench.executors.connection import connect, named
from framebench.executors.stopping import StopRequest

WAIT_S = 300.0
"""An engine that is brought up to date is back by then."""
ASK_EVERY_S = 1.0


class Return:
    """The wait for one engine, which several trials at once may need; ``say`` hears of it once."""

    def __init__(self, stop: StopRequest, say: Progress) -> None:
        self._stop, self._say = stop, say
        self._one_waits = threading.Lock()

    def wait(self) -> bool:
        """Whether the engine answers; false if the user stopped the wait.

        ``UserError`` when it is not back in time.
        """
        with self._one_waits:
            if self.answers():
                return True
            started, minutes = time.monotonic(), f"{WAIT_S / 60:.2g} minutes"
            self._say(
                f"the Docker engine at {named()} does not answer: waiting up to {minutes} for it (Ctrl-C twice stops)"
            )
            while not self.answers():
                if time.monotonic() - started > WAIT_S:
                    raise UserError(
                        f"The Docker engine at {named()} has not come back within {minutes}; start it again, and the"
                        " same command carries on."
                    )
                if select.select([self._stop], [], [], ASK_EVERY_S)[0] and self._stop.take():
                    return False
            self._say(f"the Docker engine answers again after {time.monotonic() - started:.0f} s")
            return True

    def answers(self) -> bool:
        """Whether it takes a new connection: while it shuts down, it still answers on those that it has."""
        try:
            connect().close()
        except UserError:
            return False
        return True
