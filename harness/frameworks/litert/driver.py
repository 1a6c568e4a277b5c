"""How an exported model is run by LiteRT; ``export_driver.py`` has what all exported models share."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

import numpy as np

from harness.frameworks.export_driver import FileDriver
from harness.workloads import Job


class LiteRTDriver(FileDriver):
    """Inputs and outputs are NumPy arrays; LiteRT copies them in and out in every step."""

    runtime = "LiteRT"

    def load(self, written: bytes) -> None:
        self.interpreter = self.stack.interpreter(written)  # the signature does not keep it
        self.signature = self.interpreter.get_signature_runner()

    def ready(self, batches: Mapping[str, np.ndarray]) -> list[dict[str, np.ndarray]]:
        """By the file's names of inputs: the task's, or the only one."""
        given, names = self.signature.get_input_details(), self.job.work.inputs
        own = dict(zip(names, given, strict=True)) if len(given) == 1 else {name: name for name in names}
        columns = {
            own[name]: [np.asarray(batch, given[own[name]]["dtype"], order="C") for batch in batches[name]]
            for name in names
        }
        return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]

    def run(self, n: int) -> Any:
        try:
            for inputs in itertools.islice(self.stream, n):
                output = self.signature(**inputs)
        except (RuntimeError, ValueError) as error:
            raise self.refused("run", error) from error
        return output

    def outputs(self, output: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """A SavedModel numbers what a function gives back."""
        return {name: output[f"output_{index}"] for index, name in enumerate(self.job.work.outputs)}


def build(job: Job, stack: Any) -> LiteRTDriver:
    return LiteRTDriver(job, stack)
