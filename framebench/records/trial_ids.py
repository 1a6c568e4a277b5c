"""Ids of trials: unique everywhere, and sorted by time."""

from __future__ import annotations

import secrets
import threading
import time

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32: sorts like the number it writes
_last_id = 0
_id_lock = threading.Lock()


def new_trial_id() -> str:
    """26 lower-case characters: 48 bits of milliseconds, then 80 random bits (a ULID).

    Ids sort by time, also within one process and millisecond; two machines never collide (2^-80).
    """
    global _last_id
    with _id_lock:
        number = (time.time_ns() // 1_000_000) << 80 | secrets.randbits(80)
        if number <= _last_id:  # same millisecond, or the clock was set back
            number = _last_id + 1 + secrets.randbits(32)
        _last_id = number
    return "".join(_ALPHABET[number >> shift & 31] for shift in range(125, -1, -5))
