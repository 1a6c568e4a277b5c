"""One contender, configured once, asked about one case after the other: importing a framework takes longer than a gate.

``python -m harness.proving CONTENDER PRECISION CACHE_DIR``, the contender as JSON. A line of JSON on stdin is a
question, a line on stdout its answer:

- ``{"gate": case}``: every part of the gate, ``{"parts": {part: comparisons}, "failed": [comparison, ...]}``
- ``{"faults": case}``, with ``"only": [name, ...]`` those: each fault that applies planted in a right implementation,
  ``{"caught": {name: part}, "unseen": {name: reason}, "survived": [name, ...]}``

or ``{"unsupported": reason}``, ``{"missing": sentence}`` where there is no reference.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

import msgspec

from harness import frameworks, workloads
from harness.cores import cores_allowed
from harness.frameworks import Driver, Stack, Unsupported
from harness.gate import mutants
from harness.gate.check import check
from harness.gate.reference import MissingReference
from harness.record import Case, Contender
from harness.scratch import cleared
from harness.workloads import Job


class Proving:
    """The contender's stack, and what can be asked of it."""

    def __init__(self, contender: Contender, precision: str, cache_dir: str) -> None:
        self.contender, self.precision = contender, precision
        self.cores = cores_allowed()
        os.environ.update(frameworks.environment(contender.stack, self.cores, cache_dir))
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
        self.stack = frameworks.load(contender.stack)
        sound = [name for name in workloads.names() if name not in workloads.broken()]
        name = next(name for name in sound if precision in workloads.get(name).precisions)
        spec = workloads.get(name)
        first = Case(
            workload=name,
            preset=spec.small[0],
            task=next(iter(spec.tasks)),
            batch=1,
            precision=precision,  # type: ignore[arg-type]
            cores=self.cores,
        )
        self.stack.configure(first, contender, 0)

    def answer(self, question: dict[str, Any]) -> dict[str, Any]:
        """One answer; an error that is nobody's refusal passes."""
        try:
            return self.ask(question)
        except Unsupported as refusal:
            return {"unsupported": refusal.reason}
        except MissingReference as missing:
            return {"missing": str(missing)}
        except Exception as error:
            if refused := frameworks.refusal(self.contender, error):
                return {"unsupported": refused.reason}
            raise

    def ask(self, question: dict[str, Any]) -> dict[str, Any]:
        """``gate`` or ``faults``."""
        if "gate" in question:
            return self.gate(self.case(question["gate"]))
        return self.faults(self.case(question["faults"]), question.get("only"))

    def case(self, given: Any) -> Case:
        """The case of a question, on the cores that this process has."""
        return msgspec.structs.replace(msgspec.convert(given, Case), cores=self.cores)

    def gate(self, case: Case) -> dict[str, Any]:
        """All parts of the gate."""
        made = check(case, self.contender, self.stack, self.build)
        return {
            "parts": {part.name: len(part.diffs) for part in made},
            "failed": [
                f"{part.name}: {diff.what} {diff.value} > {diff.tolerance}"
                for part in made
                for diff in part.diffs
                if not diff.passed
            ],
        }

    def build(self, job: Job, stack: Stack) -> Driver:
        """How the gate builds a driver."""
        return frameworks.build(job, stack)

    def faults(self, case: Case, only: list[str] | None) -> dict[str, Any]:
        """The catalogue, or what of it is asked for."""
        planted = [one for one in mutants.catalogue(case) if only is None or one.name in only]
        every = [mutants.survive(one, case, self.contender, self.stack) for one in planted]
        fates = [fate for fate in every if fate.applies]
        return {
            "caught": {fate.name: (fate.by or "").partition(":")[0] for fate in fates if fate.caught},
            "unseen": {fate.name: fate.excuse for fate in fates if not fate.caught and fate.excuse},
            "survived": [fate.name for fate in fates if not (fate.caught or fate.excuse)],
        }


def serve(proving: type[Proving]) -> None:
    """Answer stdin's questions until it ends."""
    contender, precision, cache_dir = sys.argv[1:]
    output = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print goes to stderr
    asked = proving(msgspec.json.decode(contender, type=Contender), precision, cache_dir)
    with cleared():
        for line in sys.stdin:
            output.write(json.dumps(asked.answer(json.loads(line))) + "\n")
            output.flush()
    output.close()
    os._exit(0)  # some frameworks crash while they are torn down


if __name__ == "__main__":
    serve(Proving)
