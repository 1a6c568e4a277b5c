"""What the drivers of exported models share: the source stack's driver builds the model and loads the weights, and what
is loaded anew is exported anew. Inference alone.

The batch and the length of a sequence are left open in what is exported. Where an exporter traces tensors it sees one
sample and one position more than are run: a file that runs as it was traced alone does not pass.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from typing import Any

import numpy as np

from harness import frameworks
from harness.frameworks import State, Stream, Unsupported, shortened
from harness.frameworks.exported import GENERATION, source_contender
from harness.workloads import Job, philox

Facts = dict[str, str | bool | int | None]
OPEN = ("B", "length", "prompt")  # axes that are left open, by their names in a workload's inputs
AT_MOST = {"prompt": "context"}  # an open axis, and the field of the preset that it cannot exceed


def open_axes(job: Job) -> list[tuple[int, ...]]:
    """Of each input of the task the axes that an exporter leaves open."""
    shapes = [job.workload.inputs[name].shape for name in job.work.inputs]
    return [tuple(axis for axis, named in enumerate(shape) if named in OPEN) for shape in shapes]


def open_shapes(job: Job, names: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    """Of each input the shape in which an open axis is what ``names`` has for it."""
    shapes = [job.workload.inputs[name] for name in job.work.inputs]
    return [
        tuple(
            names[named] if named in OPEN else length
            for named, length in zip(one.shape, one.resolved(job.preset, job.batch), strict=True)
        )
        for one in shapes
    ]


class ExportDriver:
    """A driver says how its exporter writes (``write``), how its runtime loads that (``load``), what ready batches are
    (``ready``) and how they are run (``run``, ``outputs``). ``exporter`` is the exporter's name.

    In generation the file takes the cache after a step's inputs and gives the new one after its outputs. A driver that
    does this takes the source's (``begin``) and hands it from step to step.
    """

    exporter: str
    runtime: str
    stream: Stream

    def __init__(self, job: Job, stack: Any) -> None:
        if job.precision != "fp32":
            raise Unsupported(f"models are exported in fp32, not {job.precision}")
        self.job, self.stack = job, stack
        self.source = frameworks.build(job._replace(contender=source_contender(stack.info)), stack.source)
        self.exported = ""  # digest of the weights in the file
        self.cache: list[Any] = []  # generation: what the next step takes, as the runtime has it
        self.generating = job.case.task in GENERATION
        self._export(job.weights)
        self.feed(job.batches)
        self.reset(job.weights)

    def write(self) -> tuple[Any, Facts]:
        """What the exporter makes of the source's model as it is, and facts about it: ``file_bytes`` among them."""
        raise NotImplementedError

    def load(self, written: Any) -> None:
        """Load it into the runtime; raises what the runtime raises."""
        raise NotImplementedError

    def ready(self, batches: Mapping[str, np.ndarray]) -> list[Any]:
        """N batches as the runtime takes them."""
        raise NotImplementedError

    def _export(self, tensors: Mapping[str, np.ndarray]) -> None:
        self.source.reset(tensors)
        digest = philox.digest(tensors)
        if digest == self.exported:
            return
        began = time.perf_counter_ns()
        try:
            written, facts = self.write()
        except Exception as error:  # exporters raise what they like, and what they say is the result
            raise Unsupported(f"{self.exporter} does not take this model: {words(error)}") from error
        exported = time.perf_counter_ns()
        try:
            self.load(written)
        except Exception as error:
            raise self.refused("load", error) from error
        loaded = time.perf_counter_ns()
        times = {
            "export_ms": (exported - began) // 1_000_000,
            "load_ms": (loaded - exported) // 1_000_000,
        }
        self.stack.facts = {"exporter": self.exporter} | facts | times
        self.exported = digest

    def refused(self, what: str, error: Exception) -> Unsupported:
        """The runtime's refusal to load or run what the exporter wrote."""
        return Unsupported(f"{self.runtime} does not {what} what {self.exporter} wrote: {words(error)}")

    def begin(self) -> None:
        """Generation: the cache as the source's has it after its ``reset``."""

    def feed(self, batches: Mapping[str, np.ndarray]) -> None:
        if self.generating:
            self.source.feed(batches)  # the prompt that is in the cache at the start
        self.stream = Stream(self.ready(batches))

    def reset(self, tensors: Mapping[str, np.ndarray]) -> None:
        self._export(tensors)
        self.stream.taken = 0
        if self.generating:
            self.begin()

    def penalty(self) -> float:
        return 0.0

    def state(self) -> State:
        """The source's: its weights are what was exported."""
        return State(self.source.state().tensors, {}, None)

    def steps_done(self) -> int:
        return self.stream.taken


class FileDriver(ExportDriver):
    """What is exported is a file, as bytes; the exporter of each source is a module of its own, ``stack.writer``."""

    def __init__(self, job: Job, stack: Any) -> None:
        self.writer, self.exporter = stack.writer, stack.writer.NAME
        super().__init__(job, stack)

    def write(self) -> tuple[bytes, Facts]:
        model, facts = self.writer.export(self.source)
        return model, facts | {"file_bytes": len(model)}


def words(error: BaseException) -> str:
    """What an error's first cause says, in one line: the error that a traceback in it ends with, else its first two
    lines."""
    while error.__cause__ is not None:
        error = error.__cause__
    plain = re.sub(r"\x1b\[\d*m", "", str(error)) or type(error).__name__
    lines = [line.strip() for line in plain.splitlines() if line.strip()]
    ends = [line for line in lines if re.match(r"[\w.]*(Error|Exception): ", line)]
    return shortened(ends[-1] if ends else " ".join(lines[:2]))
