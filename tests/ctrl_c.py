"""Ctrl-C for programs that tests start."""

import signal


def heed_ctrl_c() -> None:
    """As ``preexec_fn``: a shell's background jobs ignore SIGINT and hand that down; this child is to heed it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
