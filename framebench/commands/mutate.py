"""``framebench mutate``: faults planted in a right implementation, and which part of the gate caught each."""

from __future__ import annotations

import json
from pathlib import Path

from rich.console import Console

from framebench.commands import unwritten
from framebench.commands.gate import GateRequest, cases_of, contender_of
from framebench.commands.saying import Sayer
from framebench.executors.environment_python import lines


def run(root: Path, request: GateRequest, console: Console) -> int:
    """Exit code 0 if no fault that applies survived without a declared reason, 1 if one did."""
    say = Sayer(console)
    contender = contender_of(request)
    cases = cases_of(request)
    unwritten.refuse(request.workload, request.stack)
    planted = caught = unseen = 0
    for case in cases:
        say(f"{case.path}  {contender.slug}")
        arguments = [case.workload, contender.stack, contender.mode, f"--variant={contender.variant}"]
        arguments += [f"--preset={case.preset}", f"--batch={case.batch}", f"--task={case.task}"]
        arguments += [f"--precision={case.precision}"]
        for line in lines(root, contender.stack, "harness.gate.mutants", arguments, say):
            answer = json.loads(line)
            if not answer["applies"]:
                continue
            planted += 1
            caught += answer["caught"]
            unseen += bool(answer["excuse"])
            if answer["caught"]:
                verdict = f"caught by {answer['by']}"
            elif answer["excuse"]:
                verdict = f"cannot be seen: {answer['excuse']}"
            else:
                verdict = answer["by"] or "SURVIVED"
            say(f"  {answer['name']:<48} {verdict}")
    say(f"{caught} of {planted} planted faults caught" + (f", {unseen} cannot be seen" if unseen else ""))
    return 0 if caught + unseen == planted else 1
