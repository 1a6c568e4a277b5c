"""How an exported model is run: the source stack's driver builds the model and loads the weights, an exporter writes it
into a file, ONNX Runtime loads the file and runs it. Weights that are loaded anew are exported anew.

The exporter of a framework is ``from_<framework>.py`` beside this file. It offers ``NAME``, whose function it calls;
``CHANNELS_FIRST``, whether it wants images as NCHW; and ``export(driver)``, the file's bytes and facts about it, from
the source's driver. The batch is left open: a file that runs at one batch alone does not pass the gate, which runs
two.
"""

from __future__ import annotations

import importlib
import itertools
import re
import time
from collections.abc import Mapping
from typing import Any

import numpy as np
import onnxruntime

from harness import frameworks
from harness.frameworks import WORDS, State, Stream, Unsupported
from harness.frameworks.exported import source_contender, source_of
from harness.workloads import Job, philox

DTYPES = {"tensor(float)": np.float32, "tensor(int64)": np.int64, "tensor(int32)": np.int32}
# of ONNX Runtime, when it loads or runs a file
REFUSED = tuple(
    getattr(onnxruntime.capi.onnxruntime_pybind11_state, name)
    for name in (
        "Fail",
        "InvalidArgument",
        "InvalidGraph",
        "InvalidProtobuf",
        "NotImplemented",
        "RuntimeException",
    )
)


class OnnxRuntimeDriver:
    """Inference alone; inputs and outputs are NumPy arrays."""

    def __init__(self, job: Job, stack: Any) -> None:
        if job.precision != "fp32":
            raise Unsupported(f"models are exported in fp32, not {job.precision}")
        self.job, self.stack = job, stack
        self.source = frameworks.build(job._replace(contender=source_contender(stack.info)), stack.source)
        framework = source_of(stack.info).framework
        self.exporter: Any = importlib.import_module(f"harness.frameworks.onnxruntime.from_{framework}")
        self.exported = ""  # digest of the weights in the file
        self._load(job.weights)
        self.feed(job.batches)

    def _load(self, tensors: Mapping[str, np.ndarray]) -> None:
        self.source.reset(tensors)
        digest = philox.digest(tensors)
        if digest != self.exported:
            self._export()
            self.exported = digest

    def _export(self) -> None:
        began = time.perf_counter_ns()
        try:
            model, facts = self.exporter.export(self.source)
        except Exception as error:  # exporters raise what they like, and what they say is the result
            raise Unsupported(f"{self.exporter.NAME} does not take this model: {words(error)}") from error
        exported = time.perf_counter_ns()
        try:
            self.session = self.stack.session(model)
        except REFUSED as error:
            raise self._refused("load", error) from error
        loaded = time.perf_counter_ns()
        self.stack.facts = {
            "exporter": self.exporter.NAME,
            **facts,
            "file_bytes": len(model),
            "export_ms": (exported - began) // 1_000_000,
            "load_ms": (loaded - exported) // 1_000_000,
        }

    def feed(self, batches: Mapping[str, np.ndarray]) -> None:
        """Batches as the file takes them: its inputs are the task's, in their order."""
        given = self.session.get_inputs()
        self.names = [one.name for one in given]
        columns = [
            [np.ascontiguousarray(batch, DTYPES[one.type]) for batch in self._in_layout(name, batches[name])]
            for one, name in zip(given, self.job.work.inputs, strict=True)
        ]
        self.stream = Stream(list(zip(*columns, strict=True)))

    def _in_layout(self, name: str, batches: np.ndarray) -> np.ndarray:
        first = self.exporter.CHANNELS_FIRST and self.job.workload.inputs[name].axes == "NHWC"
        return np.moveaxis(batches, -1, 2) if first else batches  # (N, B, C, H, W)

    # --- stepping --------------------------------------------------------------------------------

    def run(self, n: int) -> Any:
        try:
            for inputs in itertools.islice(self.stream, n):
                output = self.session.run(None, dict(zip(self.names, inputs, strict=True)))
        except REFUSED as error:
            raise self._refused("run", error) from error
        return output

    def _refused(self, what: str, error: Exception) -> Unsupported:
        return Unsupported(f"ONNX Runtime does not {what} what {self.exporter.NAME} wrote: {words(error)}")

    # --- asked outside the clock -----------------------------------------------------------------

    def outputs(self, output: Any) -> dict[str, np.ndarray]:
        return dict(zip(self.job.work.outputs, output, strict=True))

    def penalty(self) -> float:
        return 0.0

    def state(self) -> State:
        """The source's: its weights are what was exported."""
        return State(self.source.state().tensors, {}, None)

    def steps_done(self) -> int:
        return self.stream.taken

    def reset(self, tensors: Mapping[str, np.ndarray]) -> None:
        self._load(tensors)
        self.stream.taken = 0


def words(error: BaseException) -> str:
    """What an error's first cause says: its first two lines, without colours and places in the code."""
    while error.__cause__ is not None:
        error = error.__cause__
    plain = re.sub(r"\x1b\[\d*m", "", str(error)) or type(error).__name__
    lines = [line.strip() for line in plain.splitlines()]
    said = [line for line in lines if line and not line.startswith(("in user code", 'File "', "%", "graph("))]
    return " ".join(said[:2])[:WORDS]


def build(job: Job, stack: Any) -> OnnxRuntimeDriver:
    return OnnxRuntimeDriver(job, stack)
