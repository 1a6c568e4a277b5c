"""``python -m harness.defaults [STACK]``: the defaults of a stack, by default the image's, as JSON on stdout."""

from __future__ import annotations

import os
import sys
import tempfile

import msgspec

from harness import defaults, frameworks
from harness.__main__ import take_stdout
from harness.cores import cores_allowed


def main() -> int:
    stack = sys.argv[1] if len(sys.argv) == 2 else os.environ.get("FRAMEBENCH_STACK", "")
    stdout = take_stdout()  # libraries print too
    with tempfile.TemporaryDirectory() as settings:  # an empty folder: no file of a user decides anything
        os.environ.update(frameworks.environment(stack, cores_allowed(), settings))
        try:
            answer = msgspec.json.encode(defaults.table(stack))
        except frameworks.Unsupported as refusal:
            print(f"harness: {refusal.reason}; {refusal.mend}", file=sys.stderr)
            return 2
    with os.fdopen(stdout, "wb") as stream:
        stream.write(answer + b"\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
