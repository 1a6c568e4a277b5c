"""How a model is run by libtorch in C++; ``export_driver.py`` has what all exported models share.

``package.cpp`` is the code that is timed: the harness hands it the batches once and then says how many steps. The same
code in ``program.cpp`` is a program without Python; after each export, outside the clock, it runs the first batch in a
process of its own, and what it writes must be what the library gives, bit for bit.
"""

from __future__ import annotations

import ctypes
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from harness.cores import cores_allowed
from harness.frameworks.export_driver import ExportDriver, Facts
from harness.frameworks.libtorch.binaries import library
from harness.frameworks.torch.forward import (
    cached,
    dynamic_shapes,
    module,
    recurrent_layers_as_loops,
    traced_inputs,
)
from harness.workloads import Job

AXES = 8  # of an output at most, as in package.cpp
NAMES = {"aotinductor": "AOTInductor", "torchscript": "torch.jit.trace"}


class LibtorchDriver(ExportDriver):
    """Inputs are NumPy arrays, which stay where they are while the library runs; outputs are copied out when asked."""

    runtime = "libtorch"
    path: Path  # of what was exported last

    def __init__(self, job: Job, stack: Any) -> None:
        self.exporter = NAMES[stack.variant]
        self.library, self.package = library(stack.binaries), None
        self.folder = tempfile.TemporaryDirectory(prefix="libtorch-", ignore_cleanup_errors=True)
        super().__init__(job, stack)
        self._prove()

    def write(self) -> tuple[Path, Facts]:
        inputs, written = traced_inputs(self.source), module(self.source)
        with torch.no_grad(), recurrent_layers_as_loops():
            if self.stack.variant == "torchscript":
                path = Path(self.folder.name) / "model.pt"
                torch.jit.trace(written, inputs, check_trace=False).save(str(path))  # type: ignore[no-untyped-call]
            else:
                path = Path(self.folder.name) / "model.pt2"
                torch._inductor.aoti_compile_and_package(
                    _program(written, inputs, dynamic_shapes(self.source)), package_path=str(path)
                )
        return path, {"file_bytes": path.stat().st_size, "traced_batch": len(inputs[0])}

    def load(self, written: Path) -> None:
        if self.package is not None:
            self.library.package_free(self.package)
        self.package = self.library.package_load(str(written).encode(), cores_allowed())
        if not self.package:
            raise RuntimeError(self._said())
        self.path = written

    def ready(self, batches: Mapping[str, np.ndarray]) -> list[tuple[np.ndarray, ...]]:
        columns = [
            [np.asarray(batch, order="C") for batch in self._in_layout(name, batches[name])]
            for name in self.job.work.inputs
        ]
        rows = list(zip(*columns, strict=True))
        self.library.package_clear(self.package)
        for number, row in enumerate(rows):
            for array in row:
                shape = (ctypes.c_int64 * array.ndim)(*array.shape)
                whole = int(array.dtype.kind == "i")
                if self.library.package_feed(
                    self.package, number, array.ctypes.data, whole, shape, array.ndim
                ):
                    raise RuntimeError(self._said())
        return rows

    def _in_layout(self, name: str, batches: np.ndarray) -> np.ndarray:
        nhwc = self.job.workload.inputs[name].axes == "NHWC"
        return np.moveaxis(batches, -1, 2) if nhwc else batches  # (N, B, C, H, W)

    def begin(self) -> None:
        """Another cache: the batches are handed over anew with it."""
        self.cache = [np.array(tensor.numpy()) for tensor in cached(self.source)]
        self.stream.batches = self.ready(self.given)
        for array in self.cache:
            shape = (ctypes.c_int64 * array.ndim)(*array.shape)
            if self.library.package_carry(self.package, array.ctypes.data, shape, array.ndim):
                raise RuntimeError(self._said())

    def reset(self, tensors: Mapping[str, np.ndarray]) -> None:
        before = self.exported
        super().reset(tensors)
        if self.exported != before:  # another package has no batches yet
            if not self.generating:
                self.stream.batches = self.ready(self.given)
            self._prove()

    def feed(self, batches: Mapping[str, np.ndarray]) -> None:
        self.given = batches
        super().feed(batches)

    # --- stepping --------------------------------------------------------------------------------

    def run(self, n: int) -> int:
        """The number of outputs, which stay in the library until they are asked for."""
        if self.library.package_run(self.package, self.stream.taken, n):
            raise self.refused("run", RuntimeError(self._said()))
        self.stream.taken += n
        return int(self.library.package_outputs(self.package))

    def outputs(self, output: int) -> dict[str, np.ndarray]:
        return {name: self._output(index) for index, name in enumerate(self.job.work.outputs)}

    def _output(self, index: int) -> np.ndarray:
        shape, dimensions = (ctypes.c_int64 * AXES)(), ctypes.c_int()
        data = self.library.package_output(self.package, index, shape, ctypes.byref(dimensions))
        if not data:
            raise RuntimeError(self._said())
        made = tuple(shape[: dimensions.value])
        values = ctypes.cast(data, ctypes.POINTER(ctypes.c_float))
        return np.ctypeslib.as_array(values, made).copy()

    def _said(self) -> str:
        return str(self.library.package_error().decode(errors="replace"))

    # --- the program -----------------------------------------------------------------------------

    def _prove(self) -> None:
        """The program without Python, in a process of its own, gives what the library gives for the first batch."""
        if self.library.package_run(self.package, 0, 1):
            raise self.refused("run", RuntimeError(self._said()))
        expected = self.outputs(0)
        found = self.program((*self.stream.batches[0], *self.cache))
        if self.generating:
            self.begin()
        apart = [name for name, array in expected.items() if not np.array_equal(array, found[name])]
        if apart:
            raise RuntimeError(
                f"the C++ program gives other {', '.join(apart)} than the library in this process"
            )

    def program(self, inputs: tuple[np.ndarray, ...]) -> dict[str, np.ndarray]:
        """The outputs of ``program.cpp`` for these inputs, as fp32; ``Unsupported`` with what it says if it fails."""
        with tempfile.TemporaryDirectory(dir=self.folder.name) as folder:
            given = []
            for number, array in enumerate(inputs):
                path = Path(folder) / f"in-{number}"
                path.write_bytes(array.tobytes())
                kind = "i64" if array.dtype.kind == "i" else "f32"
                given.append(f"{kind}:{'x'.join(map(str, array.shape))}:{path}")
            out = Path(folder) / "out"
            command = [str(self.stack.binaries / "program"), str(self.path), str(out), str(cores_allowed())]
            done = subprocess.run([*command, *given], capture_output=True, text=True, check=False)
            if done.returncode:
                raise self.refused("run", RuntimeError(done.stderr or f"exit code {done.returncode}"))
            shapes = [tuple(map(int, line.split("x"))) if line else () for line in done.stdout.splitlines()]
            names = self.job.work.outputs
            return {
                name: np.fromfile(f"{out}-{number}.f32", np.float32).reshape(shape)
                for number, (name, shape) in enumerate(zip(names, shapes[: len(names)], strict=True))
            }


def _program(module: torch.nn.Module, inputs: tuple[torch.Tensor, ...], shapes: dict[str, Any]) -> Any:
    """The traced program: without Dynamo, which does not take recurrent layers, else with it, which keeps the batch of
    a detector open. ``torch.onnx.export`` tries them in this order too."""
    try:
        return torch.export.export(module, inputs, dynamic_shapes=shapes, strict=False)
    except Exception:
        return torch.export.export(module, inputs, dynamic_shapes=shapes, strict=True)


def build(job: Job, stack: Any) -> LibtorchDriver:
    return LibtorchDriver(job, stack)
