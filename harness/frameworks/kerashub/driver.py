"""How a KerasHub model generates. A workload's ``kerashub.py`` offers

``model(preset) -> keras_hub.models.CausalLM``, without a preprocessor, and ``empty_cache(model, batch)``,
``prefill(model, cache, *inputs) -> (logits, cache)`` and ``decode(model, cache, *inputs) -> (logits, cache)``, as
Keras' file does. ``places(name)`` gives the paths of the variables that hold a tensor of the specification, of several
the one beside the other along its last axis.

Everything else is Keras' driver. What KerasHub's own loop is: see ``generation.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from harness.frameworks import Driver, Stack, Unsupported
from harness.frameworks.keras.driver import KerasDriver
from harness.frameworks.kerashub.generation import LOOPS
from harness.frameworks.library import refusal
from harness.workloads import Job
from harness.workloads.naming import canonical_names


class Joined:
    """One tensor of the specification in several variables, side by side along its last axis, or in one."""

    def __init__(self, variables: Sequence[Any], shape: tuple[int, ...]) -> None:
        self.variables, self.shape = variables, shape

    def assign(self, array: np.ndarray) -> None:
        parts = np.split(array.reshape(self.shape), len(self.variables), axis=-1)
        for variable, part in zip(self.variables, parts, strict=True):
            variable.assign(part.reshape(variable.shape))

    def read(self, to_host: Callable[[Any], np.ndarray]) -> np.ndarray:
        """A copy of its values."""
        return np.concatenate(
            [to_host(variable).reshape(*self.shape[:-1], -1) for variable in self.variables], axis=-1
        )


class KerasHubDriver(KerasDriver):
    """Keras' driver, where a tensor may be several variables and a loop KerasHub's own."""

    def __init__(self, job: Job, stack: Any) -> None:
        if reason := refusal(stack.info, job.case.task):
            raise Unsupported(reason)
        if stack.own_loop and job.case.task != "decode":
            raise Unsupported(
                f"KerasHub has no loop of its own for {job.case.task}", "ask for a direct variant"
            )
        super().__init__(job, stack)

    def _named_tensors(self) -> dict[str, Joined]:
        """Of what KerasHub names, every weight is a part of one tensor of the specification."""
        own = {
            variable.path.removeprefix(f"{self.model.name}/"): variable
            for variable in self.model.weights
            if "float" in variable.dtype
        }
        places = {name: self.job.file.places(name) for name in self.specified}
        found = canonical_names(own, {path: None for paths in places.values() for path in paths}, {})
        return {
            name: Joined([found[path] for path in paths], self.specified[name].shape)
            for name, paths in places.items()
        }

    def _canonical(self, name: str) -> np.ndarray:
        joined: Joined = self.tensors[name]
        return joined.read(self.stack.to_host)

    def _stepper(self) -> Any:
        if not self.stack.own_loop:
            return super()._stepper()
        loop = LOOPS[self.stack.info.backend]
        return loop(self.model, self.job.file, self.task, self.stack, self.job.batch)


def build(job: Job, stack: Stack) -> Driver:
    return KerasHubDriver(job, stack)
