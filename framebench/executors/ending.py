"""From the way a process ended to a record or a failure: the one judgement that all executors share."""

from __future__ import annotations

import signal
from collections.abc import Callable
from operator import attrgetter
from typing import Literal, NamedTuple

import msgspec

from framebench.errors import UserError, one_line
from framebench.executors import Failure
from framebench.records.reading import MOST_BYTES
from framebench.records.versions import decode_record
from framebench.records.writing import sidecar_bytes
from harness.record import Outcome, Record, TrialSpec, encode

STDERR_LINES = 50
"""Lines of standard error that a crash leaves in its record."""
LINE_CHARACTERS = 400
"""A longer line is cut in the tail, so that a failed trial's record stays small."""
REASON_CHARACTERS = 4000
"""Of what a trial itself says went wrong: a compiler's error may hold its whole program."""
UNBROKEN_BYTES = 64 * 1024
"""Standard error without a line end is handed on in pieces of this size."""
STDOUT_BYTES = 64 * 1024 * 1024
"""A record with its sidecar is well below this; what is longer is not a record."""


class Ending(NamedTuple):
    """What an executor saw: ``exit_code`` is null when a signal ended the process, and the reverse.

    ``killed`` says why *we* killed it, null if we did not. ``note`` is one more thing worth telling
    beside a signal.
    """

    exit_code: int | None
    signal_number: int | None
    killed: Literal["timeout", "interrupted"] | None
    oom: bool
    stdout: bytes
    stderr_tail: list[str]
    duration_ns: int
    note: str | None = None


class Output:
    """Collects standard output, hands on standard error line by line and keeps its last lines."""

    def __init__(self, log: Callable[[str], None]) -> None:
        self._log = log
        self._stdout = bytearray()
        self._unfinished = b""
        self._tail: list[str] = []

    def feed_stdout(self, data: bytes) -> None:
        if len(self._stdout) <= STDOUT_BYTES:
            self._stdout += data

    def feed_stderr(self, data: bytes) -> None:
        *lines, self._unfinished = (self._unfinished + data).split(b"\n")
        for line in lines:
            self._line(line)
        if len(self._unfinished) > UNBROKEN_BYTES:
            self._flush()

    def close(self) -> tuple[bytes, list[str]]:
        """Standard output and the last lines of standard error."""
        if self._unfinished:
            self._flush()
        return bytes(self._stdout), self._tail

    def _flush(self) -> None:
        line, self._unfinished = self._unfinished, b""
        self._line(line)

    def _line(self, raw: bytes) -> None:
        line = raw.decode("utf-8", errors="replace").rstrip("\r")
        self._tail = [*self._tail, line[:LINE_CHARACTERS]][-STDERR_LINES:]
        self._log(line)


def judge(spec: TrialSpec, ending: Ending) -> Record | Failure:
    """The record on standard output, or what the process could not report itself.

    In this order: our own kill, the memory limit (even beside exit code 0: a child may have been the
    one that was killed), a signal or exit code, an answer that is no record of this trial.
    """
    if ending.killed == "interrupted":
        return _failure(ending, "interrupted", "stopped by the user")
    if ending.killed == "timeout":
        return _failure(ending, "timeout", f"killed after {spec.timeout_s:g} s")
    if ending.oom:
        return _failure(ending, "oom", "the kernel killed a process of the trial at its memory limit")
    if ending.signal_number is not None:
        note = f" ({ending.note})" if ending.note else ""
        return _failure(ending, "crashed", f"killed by {signal_name(ending.signal_number)}{note}")
    if ending.exit_code != 0:
        return _failure(ending, "crashed", f"exit code {ending.exit_code}")
    if len(ending.stdout) > STDOUT_BYTES:
        return _failure(ending, "crashed", f"standard output is longer than {STDOUT_BYTES} bytes")
    if not ending.stdout.strip():
        return _failure(ending, "crashed", "exit code 0 without a record on standard output")
    try:
        record = decode_record(_cut(ending.stdout))
    except (
        msgspec.DecodeError,
        UnicodeDecodeError,
        RecursionError,
    ) as error:  # ValidationError is one of the first
        return _failure(ending, "crashed", f"standard output is not a valid record: {one_line(str(error))}")
    if record.trial_id != spec.trial_id:
        return _failure(ending, "crashed", f"the record is of another trial, {one_line(record.trial_id)}")
    for field, told in _told(spec).items():
        if (said := _at(record, field)) != told:
            lie = f"the record says {field} is {one_line(str(said))}, and the trial was told {told}"
            return _failure(ending, "crashed", lie)
    if record.kind != "profile" and (unfit := _unfit(record)):  # a profile is shown and never kept
        return _failure(ending, "crashed", unfit)
    return record


def _cut(answer: bytes) -> bytes:
    """The record with the words of its outcome as long as a record keeps them; the rest of it as it stands."""
    document = msgspec.json.decode(answer, type=dict[str, msgspec.Raw])
    if "outcome" not in document:
        return answer
    outcome: dict[str, object] = {**msgspec.json.decode(document["outcome"], type=dict[str, msgspec.Raw])}
    for key, most in (
        ("reason", REASON_CHARACTERS),
        ("mend", REASON_CHARACTERS),
        ("stderr_tail", LINE_CHARACTERS),
    ):
        if isinstance(raw := outcome.get(key), msgspec.Raw):
            outcome[key] = _ends(msgspec.json.decode(raw), most)
    return msgspec.json.encode({**document, "outcome": outcome})


def _ends(words: object, most: int) -> object:
    """Both ends of what is longer, each of a list; anything else as it is."""
    if isinstance(words, list):
        return [_ends(one, most) for one in words]
    if isinstance(words, str) and len(words) > most:
        return f"{words[: most // 2]} … {words[3 - most // 2 :]}"
    return words


def _unfit(record: Record) -> str | None:
    """Why nobody could read the record again that is to be kept; null where everybody can."""
    if record.sidecar is not None:
        if record.sidecar.inline is None:
            return "the record names a sidecar and does not bring it"
        try:
            sidecar_bytes(record)
        except UserError as error:
            return str(error)
    size = len(encode(msgspec.structs.replace(record, sidecar=None)))
    return f"the record has {size} bytes, and at most {MOST_BYTES} can be read" if size > MOST_BYTES else None


def _told(spec: TrialSpec) -> dict[str, object]:
    """What a trial repeats of its spec, whichever version it reads, and can only lie about."""
    fields = (
        *("kind", "campaign_id", "round", "seed", "case.path", "contender.slug"),
        *("image.name", "image.config_digest", "image.lock_sha256"),
        *("provenance.executor", "provenance.host_id", "provenance.git_commit", "provenance.work_hash"),
    )
    return {field: _at(spec, field) for field in fields}


def _at(document: Record | TrialSpec, field: str) -> object:
    return attrgetter(field)(document)


def signal_name(number: int) -> str:
    """``SIGKILL`` for 9; ``signal 40`` for one without a name."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _failure(
    ending: Ending, status: Literal["interrupted", "timeout", "oom", "crashed"], reason: str
) -> Failure:
    name = signal_name(ending.signal_number) if ending.signal_number is not None else None
    outcome = Outcome(
        status=status,
        reason=reason,
        exit_code=ending.exit_code,
        signal=name,
        stderr_tail=ending.stderr_tail,
    )
    return Failure(outcome, ending.duration_ns)
