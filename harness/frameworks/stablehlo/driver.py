"""How an exported function is run; ``export_driver.py`` has what all exported models share."""

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

from harness.frameworks.export_driver import AT_MOST, OPEN, ExportDriver, Facts
from harness.frameworks.stablehlo import program
from harness.workloads import Job


class StableHLODriver(ExportDriver):
    """Inputs and outputs are JAX's arrays."""

    runtime = "XLA"

    def __init__(self, job: Job, stack: Any) -> None:
        self.writer, self.exporter = stack.writer, stack.writer.NAME
        super().__init__(job, stack)
        self._prove()

    def write(self) -> tuple[bytes, Facts]:
        """The weights become constants of the file."""
        shapes = [self.job.workload.inputs[name].shape for name in self.job.work.inputs]
        names = [name for name in OPEN if any(name in shape for shape in shapes)]
        limits = [f"{name} <= {getattr(self.job.preset, AT_MOST[name])}" for name in names if name in AT_MOST]
        symbols = export.symbolic_shape(", ".join(names), constraints=limits)
        inputs = self.writer.arguments(self.source, dict(zip(names, symbols, strict=True)))
        written = bytes(export.export(jax.jit(self.writer.function(self.source)))(*inputs).serialize())
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

    def begin(self) -> None:
        self.cache = [jax.numpy.asarray(array) for array in self.writer.carried(self.source)]

    def run(self, n: int) -> Any:
        try:
            for inputs in itertools.islice(self.stream, n):
                output = self.function(*inputs, *self.cache)
                if self.generating:
                    self.cache = output[len(self.job.work.outputs) :]
        except (ValueError, TypeError, jax.errors.JaxRuntimeError) as error:
            raise self.refused("run", error) from error
        return output

    def outputs(self, output: Any) -> dict[str, np.ndarray]:
        parts = output if isinstance(output, tuple | list) else (output,)
        names = self.job.work.outputs
        return {name: self.stack.to_host(part) for name, part in zip(names, parts[: len(names)], strict=True)}

    # --- a process of its own --------------------------------------------------------------------

    def _prove(self) -> None:
        """The program that knows nothing of the model gives what the function gives here for the first batch."""
        given = (*self.stream.batches[0], *self.cache)
        expected = self.outputs(self.function(*given))
        found = self.program(given)
        apart = [
            name
            for (name, array), other in zip(expected.items(), found[: len(expected)], strict=True)
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
