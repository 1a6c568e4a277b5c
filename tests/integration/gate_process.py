"""One contender, configured once, asked about one case after the other: importing a framework takes longer than a gate.

``python -m tests.integration.gate_process CONTENDER PRECISION CACHE_DIR``, the contender as JSON. A line of JSON on
stdin is a question, a line on stdout its answer:

- ``{"gate": [workload, task, preset]}``: every part of the gate, ``{"parts": {part: checks},
  "failed": [comparison, ...], "untouched": bool}``; or ``{"unsupported": reason}``, ``{"missing": sentence}`` where
  there is no reference
- ``{"mutants": [workload, task, preset], "only": [name, ...]}``: ``{name: what caught it}``, null for what
  survived without a declared reason, without the faults that do not apply; all of them without ``only``
- ``{"train": workload, "steps": n}``: the losses of n steps
- ``{"call": [workload, function], "arguments": [...]}``: what the framework's file gives, in fp32, for these arrays
  (lists), ``{"arrays": [...]}`` and numbers; a function of the model is ``model.name``
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

import msgspec
import numpy as np

from framebench.commands.gate import stored_batch
from harness import frameworks, workloads
from harness.cores import cores_allowed
from harness.frameworks import Driver, Stack, Unsupported
from harness.gate import mutants, parts
from harness.gate.check import check, timed_job
from harness.gate.reference import MissingReference
from harness.record import Case, Contender
from harness.scratch import cleared
from harness.workloads import Job, philox

PRESET = "smoke"


class Gate:
    """The contender's stack, and what can be asked of it."""

    def __init__(self, contender: Contender, precision: str, cache_dir: str) -> None:
        self.contender, self.precision = contender, precision
        self.cores = cores_allowed()
        os.environ.update(frameworks.environment(contender.stack, self.cores, cache_dir))
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
        self.stack = frameworks.load(contender.stack)
        name = workloads.names()[0]
        self.stack.configure(self.case(name, next(iter(workloads.get(name).tasks))), contender, 0)

    def case(self, workload: str, task: Any, preset: str = PRESET) -> Case:
        """One preset, at a timed shape that has a reference if there is one."""
        batch = stored_batch(workload, preset, task) or workloads.get(workload).gate.sizes[preset].batch
        return Case(
            workload=workload,
            preset=preset,
            task=task,
            batch=batch,
            precision=self.precision,  # type: ignore[arg-type]
            cores=self.cores,
        )

    def answer(self, question: dict[str, Any]) -> dict[str, Any]:
        try:
            if "gate" in question:
                return self.gate(self.case(*question["gate"]))
            if "call" in question:
                return self.call(*question["call"], question["arguments"])
            if "mutants" in question:
                return self.mutants(self.case(*question["mutants"]), question.get("only"))
            return self.train(self.case(question["train"], "train"), question["steps"])
        except Unsupported as refusal:
            return {"unsupported": refusal.reason}
        except MissingReference as missing:
            return {"missing": str(missing)}
        except Exception as error:
            if refused := frameworks.refusal(self.contender, error):
                return {"unsupported": refused.reason}
            raise

    def gate(self, case: Case) -> dict[str, Any]:
        built: list[tuple[Job, list[str]]] = []

        def build(job: Job, stack: Stack) -> Driver:
            built.append((job, digests(job)))
            return frameworks.build(job, stack)

        made = check(case, self.contender, self.stack, build)
        return {
            "parts": {part.name: len(part.diffs) for part in made},
            "failed": [
                f"{part.name}: {diff.what} {diff.value} > {diff.tolerance}"
                for part in made
                for diff in part.diffs
                if not diff.passed
            ],
            "untouched": all(digests(job) == before for job, before in built),
        }

    def mutants(self, case: Case, only: list[str] | None) -> dict[str, Any]:
        planted = [one for one in mutants.catalogue(case) if only is None or one.name in only]
        fates = [mutants.survive(one, case, self.contender, self.stack) for one in planted]
        return {fate.name: fate.by or fate.excuse for fate in fates if fate.applies}

    def call(self, workload: str, function: str, arguments: list[Any]) -> dict[str, Any]:
        """Images and other arrays of four axes are given as NHWC, and to PyTorch as it has them."""
        framework = self.stack.info.framework
        owner = workloads.file(workload, framework)
        if function.startswith("model."):
            owner, function = owner.model(workloads.get(workload).presets[PRESET]), function[len("model.") :]

        def given(argument: Any) -> Any:
            if isinstance(argument, dict):
                return [given(one) for one in argument["arrays"]]
            if not isinstance(argument, list):
                return argument
            array = np.asarray(argument)
            array = array.astype(np.float32) if array.dtype.kind == "f" else array
            if array.ndim == 4 and framework == "torch":
                array = np.ascontiguousarray(np.moveaxis(array, -1, 1))
            return self.stack.to_device(array)

        made = getattr(owner, function)(*map(given, arguments))
        parts = made if isinstance(made, tuple) else (made,)
        return {"parts": [np.asarray(self.stack.to_host(part)).tolist() for part in parts]}

    def train(self, case: Case, steps: int) -> dict[str, Any]:
        driver = frameworks.build(timed_job(case, self.contender), self.stack)
        return {"losses": [parts.step_loss(driver, self.stack) for _ in range(steps)]}


def digests(job: Job) -> list[str]:
    """Of the arrays that a driver was given."""
    return [philox.digest(job.weights), philox.digest(job.batches)]


def main() -> None:
    output = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print goes to stderr
    gate = Gate(msgspec.json.decode(sys.argv[1], type=Contender), *sys.argv[2:])
    with cleared():
        for line in sys.stdin:
            output.write(json.dumps(gate.answer(json.loads(line))) + "\n")
            output.flush()
    output.close()
    os._exit(0)  # some frameworks crash while they are torn down


if __name__ == "__main__":
    main()
