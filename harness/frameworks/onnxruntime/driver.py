"""How an exported model is run by ONNX Runtime; ``export_driver.py`` has what all exported models share.

The exporter of a framework says ``CHANNELS_FIRST``, whether its file wants images as NCHW, besides what all of them say
(``FileStack`` in ``export_stack.py``); one that exports generation says what is in its driver's cache, ``carried``.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

import numpy as np
import onnxruntime
from onnxruntime import OrtValue

from harness.frameworks.export_driver import FileDriver
from harness.workloads import Job

DTYPES = {"tensor(float)": np.float32, "tensor(int64)": np.int64, "tensor(int32)": np.int32}
# of ONNX Runtime, when it runs a file
REFUSED = tuple(
    getattr(onnxruntime.capi.onnxruntime_pybind11_state, name)
    for name in ("Fail", "InvalidArgument", "NotImplemented", "RuntimeException")
)


class OnnxRuntimeDriver(FileDriver):
    """Inputs and outputs are NumPy arrays; in generation ONNX Runtime's own values, so that no cache is copied out."""

    runtime = "ONNX Runtime"

    def load(self, written: bytes) -> None:
        self.session = self.stack.session(written)
        self.given = self.session.get_inputs()
        self.names = [one.name for one in self.given]
        self.made = [one.name for one in self.session.get_outputs()]

    def ready(self, batches: Mapping[str, np.ndarray]) -> list[tuple[np.ndarray, ...]]:
        """As the file takes them: its inputs are the task's, in their order or by their names."""
        tasks = self.job.work.inputs
        names = self.names if set(self.names) == set(tasks) else tasks  # Keras sorts what it has a name for
        columns = [
            [np.asarray(batch, DTYPES[one.type], order="C") for batch in self._in_layout(name, batches[name])]
            for one, name in zip(self.given, names, strict=not self.generating)
        ]
        if self.generating:
            columns = [[OrtValue.ortvalue_from_numpy(array) for array in column] for column in columns]
        return list(zip(*columns, strict=True))

    def _in_layout(self, name: str, batches: np.ndarray) -> np.ndarray:
        first = self.writer.CHANNELS_FIRST and self.job.workload.inputs[name].axes == "NHWC"
        return np.moveaxis(batches, -1, 2) if first else batches  # (N, B, C, H, W)

    def begin(self) -> None:
        self.cache = [OrtValue.ortvalue_from_numpy(array) for array in self.writer.carried(self.source)]

    def run(self, n: int) -> Any:
        step = self._generate if self.generating else self._infer
        try:
            for inputs in itertools.islice(self.stream, n):
                output = step(inputs)
        except REFUSED as error:
            raise self.refused("run", error) from error
        return output

    def _infer(self, inputs: tuple[Any, ...]) -> list[Any]:
        made: list[Any] = self.session.run(None, dict(zip(self.names, inputs, strict=True)))
        return made

    def _generate(self, inputs: tuple[Any, ...]) -> list[Any]:
        given = dict(zip(self.names, (*inputs, *self.cache), strict=True))
        made = self.session.run_with_ort_values(self.made, given)
        count = len(self.job.work.outputs)
        self.cache = made[count:]
        return [one.numpy() for one in made[:count]]

    def outputs(self, output: Any) -> dict[str, np.ndarray]:
        return dict(zip(self.job.work.outputs, output, strict=True))


def build(job: Job, stack: Any) -> OnnxRuntimeDriver:
    return OnnxRuntimeDriver(job, stack)
