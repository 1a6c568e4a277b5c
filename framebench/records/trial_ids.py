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

    Ids sort by time, also within one process and millisecond; two machines never collide (2^-80). Where the clock is
    set back they go back with it, as the moments in the records do.
    """
    global _last_id
    with _id_lock:
        number = (time.time_ns() // 1_000_000) << 80 | secrets.randbits(80)
        if number >> 80 == _last_id >> 80 and number <= _last_id:
            number = _last_id + 1 + secrets.randbits(32)
        _last_id = number
    return "".join(_ALPHABET[number >> shift & 31] for shift in range(125, -1, -5))


def milliseconds(trial_id: str) -> int | None:
    """When the id was made, in milliseconds since 1970; null where it is no id of ours."""
    if len(trial_id) != 26 or trial_id[0] > "7" or not set(trial_id) <= set(_ALPHABET):
        return None
    number = 0
    for character in trial_id[:10]:
        number = number * 32 + _ALPHABET.index(character)
    return number
