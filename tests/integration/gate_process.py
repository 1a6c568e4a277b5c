"""``harness.proving`` with what only tests ask.

``python -m tests.integration.gate_process CONTENDER PRECISION CACHE_DIR``. A case may be ``[workload, task, preset]``:

- the answer to ``gate`` says too whether the arrays that a driver was given are ``untouched``
- ``{"train": workload, "steps": n}``: the losses of n steps
- ``{"call": [workload, function], "arguments": [...]}``: what the framework's file gives, in fp32, for these arrays
  (lists), ``{"arrays": [...]}`` and numbers; a function of the model is ``model.name``
"""

from __future__ import annotations

from typing import Any

import numpy as np

from framebench.commands.prove import case_of
from harness import frameworks, workloads
from harness.frameworks import Driver, Stack
from harness.gate import parts
from harness.gate.check import timed_job
from harness.proving import Proving, serve
from harness.record import Case
from harness.workloads import Job, philox

PRESET = "smoke"


class Asked(Proving):
    """The contender's stack, and what a test can ask of it."""

    def case(self, given: Any) -> Case:
        """One preset, at a timed shape that has a reference if there is one."""
        workload, task, preset = given
        return super().case(case_of(workload, preset, task, self.precision))  # type: ignore[arg-type]

    def ask(self, question: dict[str, Any]) -> dict[str, Any]:
        if "call" in question:
            return self.call(*question["call"], question["arguments"])
        if "train" in question:
            return self.train(self.case((question["train"], "train", PRESET)), question["steps"])
        return super().ask(question)

    def gate(self, case: Case) -> dict[str, Any]:
        self.built: list[tuple[Job, list[str]]] = []
        answer = super().gate(case)
        return answer | {"untouched": all(digests(job) == before for job, before in self.built)}

    def build(self, job: Job, stack: Stack) -> Driver:
        self.built.append((job, digests(job)))
        return super().build(job, stack)

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


if __name__ == "__main__":
    serve(Asked)
