"""One trial: ``python -m harness < spec.json > record.json``. In an image an empty stdin runs a small trial.

stdout carries exactly one JSON record; whatever libraries print goes to stderr. The exit code is 0 whenever
a record was written, 2 for a spec that cannot be read. What this process cannot report (a kill, a crash of
the interpreter) the host writes.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import traceback
from pathlib import Path
from typing import NoReturn

import msgspec

from harness import cores, environment, flags, frameworks, manifest, out_of_memory, replicas, standalone
from harness.draft import Draft
from harness.frameworks import Unsupported
from harness.record import Outcome, Record, TrialSpec, decode_spec, encode
from harness.scratch import cleared
from harness.trials import TRIALS

TAIL = 50


class Interrupted(BaseException):
    """SIGTERM: stop now, write what is known."""


def main() -> int:
    """Spec in, record out."""
    parser = argparse.ArgumentParser(prog="python -m harness", description=__doc__)
    parser.add_argument("-o", "--output", type=Path, help="write the record here instead of stdout")
    output = parser.parse_args().output
    stdout = take_stdout()
    given = b"" if sys.stdin is None or sys.stdin.isatty() else sys.stdin.buffer.read()
    try:
        spec = decode_spec(given) if given else standalone.default_spec()
    except msgspec.DecodeError as error:  # of which ValidationError is a kind
        print(f"harness: the trial spec on stdin cannot be read: {error}", file=sys.stderr)
        return 2
    if spec is None:
        print(f"harness: {standalone.EXPECTED}", file=sys.stderr)
        return 2
    record = run(spec)
    if not given:
        print(standalone.sentence(record, f"in {output}" if output else "on stdout"), file=sys.stderr)
    data = encode(record) + b"\n"
    if output is None:
        with os.fdopen(stdout, "wb") as stream:
            stream.write(data)
    else:
        write_whole(output, data)
    return 0


def take_stdout() -> int:
    """Keep stdout for the record alone: duplicate it, then point descriptor 1 at stderr."""
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    return kept


def run(spec: TrialSpec) -> Record:
    """Run the trial; whatever happens, a record."""
    signal.signal(signal.SIGTERM, interrupt)
    draft = Draft(spec)
    try:
        with cleared(), replicas.ended():
            outcome = TRIALS[spec.kind](draft)
        outcome = manifest.verify(draft, outcome, os.environ.get(manifest.LOCK_VARIABLE))
    except Unsupported as refusal:
        outcome = Outcome(status="unsupported", reason=refusal.reason, mend=refusal.mend)
    except (Interrupted, KeyboardInterrupt) as stop:
        name = "SIGTERM" if isinstance(stop, Interrupted) else "SIGINT"
        outcome = Outcome(status="interrupted", reason=f"stopped by {name}", signal=name)
    except Exception as error:
        traceback.print_exc()
        tail = traceback.format_exc().splitlines()[-TAIL:]
        if lacking := out_of_memory.said_by(error):
            outcome = Outcome(status="oom", reason=lacking, stderr_tail=tail)
        elif refused := frameworks.refusal(spec.contender, error):
            outcome = Outcome(status="unsupported", reason=refused.reason, stderr_tail=tail)
        else:
            outcome = Outcome(status="crashed", reason=f"{type(error).__name__}: {error}", stderr_tail=tail)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # from here on the record is written
    draft.hardware = environment.hardware()
    draft.flags += flags.emulation(draft.hardware)
    draft.flags += flags.stand_in(draft.hardware) + flags.settling(draft.timing)
    draft.flags += flags.pace(environment.unequal_cores(cores.pinned_to()), environment.on_battery())
    return draft.record(outcome)


def interrupt(*_: object) -> NoReturn:
    raise Interrupted


def write_whole(path: Path, data: bytes) -> None:
    """Write to a temporary name, sync, rename: the file is whole or absent."""
    temporary = path.with_name(path.name + ".partial")
    with temporary.open("wb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())
    temporary.replace(path)


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # the record is out: a framework that crashes while it is torn down changes nothing
