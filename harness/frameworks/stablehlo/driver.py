"""How an exported function of JAX is run; ``export_driver.py`` has what all exported models share."""

from __future__ import annotations

import itertools
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jax import export

from harness.frameworks.export_driver import ExportDriver, Facts
from harness.frameworks.stablehlo import program
from harness.workloads import Job


class StableHLODriver(ExportDriver):
    """Inputs and outputs are JAX's arrays."""

    runtime, exporter = "XLA", "jax.export"

    def __init__(self, job: Job, stack: Any) -> None:
        super().__init__(job, stack)
        self._prove()

    def write(self) -> tuple[bytes, Facts]:
        """The weights become constants of the file."""
        source: Any = self.source
        (batch,) = export.symbolic_shape("batch")
        inputs = [
            jax.ShapeDtypeStruct((batch, *one.shape[1:]), one.dtype) for one in source.stream.batches[0]
        ]
        function = jax.jit(lambda *given: source.predict(source.params, source.buffers, *given))
        written = bytes(export.export(function)(*inputs).serialize())
        return written, {"file_bytes": len(written)}

    def load(self, written: bytes) -> None:
        self.written = written
        self.function = program.loaded(written)

    def ready(self, batches: Mapping[str, np.ndarray]) -> list[tuple[Any, ...]]:
        """As JAX has them: int64 becomes int32."""
        columns = [[jax.numpy.asarray(batch) for batch in batches[name]] for name in self.job.work.inputs]
        return list(zip(*columns, strict=True))

    def reset(self, tensors: Mapping[str, np.ndarray]) -> None:
        before = self.exported
        super().reset(tensors)
        if self.exported != before:
            self._prove()

    def run(self, n: int) -> Any:
        try:
            for inputs in itertools.islice(self.stream, n):
                output = self.function(*inputs)
        except (ValueError, TypeError, jax.errors.JaxRuntimeError) as error:
            raise self.refused("run", error) from error
        return output

    def outputs(self, output: Any) -> dict[str, np.ndarray]:
        parts = output if isinstance(output, tuple | list) else (output,)
        return {
            name: self.stack.to_host(part) for name, part in zip(self.job.work.outputs, parts, strict=True)
        }

    # --- a process of its own --------------------------------------------------------------------

    def _prove(self) -> None:
        """The program that knows nothing of the model gives what the function gives here for the first batch."""
        expected = self.outputs(self.run(1))
        self.stream.taken = 0
        found = self.program(self.stream.batches[0])
        apart = [
            name
            for (name, array), other in zip(expected.items(), found, strict=True)
            if not np.array_equal(array, other)
        ]
        if apart:
            raise RuntimeError(f"a process of its own gives other {', '.join(apart)} of the same file")

    def program(self, inputs: tuple[Any, ...]) -> list[np.ndarray]:
        """What ``program.py`` writes for these inputs."""
        with tempfile.TemporaryDirectory(prefix="stablehlo-") as folder:
            model, given, made = (Path(folder) / name for name in ("model", "given.npz", "made.npz"))
            model.write_bytes(self.written)
            np.savez(given, *map(np.asarray, inputs))
            command = [sys.executable, program.__file__, str(model), str(given), str(made)]
            ended = subprocess.run(command, capture_output=True, text=True, check=False)
            if ended.returncode:
                raise self.refused("run", RuntimeError(ended.stderr))
            with np.load(made) as kept:
                return [kept[name] for name in kept.files]


def build(job: Job, stack: Any) -> StableHLODriver:
    return StableHLODriver(job, stack)
