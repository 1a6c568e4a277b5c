"""A stack knows one framework, a driver steps any model of it; neither knows a workload.

Discovery is by folder. ``frameworks/<name>/__init__.py`` declares the stacks it serves in ``STACKS`` and offers
``environment(stack, cores, cache_dir)``, the variables that the framework reads when it is imported; importing it
must not import the framework. ``stack.py`` beside it offers ``load(info) -> Stack``, ``driver.py`` offers
``build(job, stack) -> Driver``. Nobody else keeps a list of stacks.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol

import msgspec
import numpy as np

from harness.record import Case, Contender, Mode, Settings
from harness.workloads import Job

WORDS = 300  # characters of what a compiler says
SELF_TEST = "numpy"  # the stack of the self-test; nobody compares it


class StackInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What a stack says of itself.

    ``framework`` is the name of the file in a workload's folder, ``backend`` what runs it where that is another
    (``keras-jax``: ``keras``, ``jax``). ``modes`` holds each mode's variants; the first is its plain form.
    ``plainest`` names the contender that an image runs by itself. ``modules`` must be importable. ``words`` names
    modes and variants as its community does. ``about`` is a paragraph for readers, Markdown. ``refusals`` names the
    exceptions by which its compiler says that it does not take a model, each with words that its message then
    holds (empty where the type says it). ``float64_floor`` is the relative error that its layers leave in float64,
    ``float64_optimizer`` whether its optimizers compute in float64 when the model does.
    """

    name: str
    title: str
    framework: str
    backend: str = ""
    modes: Mapping[Mode, tuple[str, ...]]
    plainest: tuple[Mode, str] = ("eager", "")
    modules: tuple[str, ...]
    words: Mapping[str, str] = {}
    about: str = ""
    adam_epsilon: Literal["corrected", "uncorrected"] = "corrected"
    float64_floor: float = 1e-9
    float64_optimizer: bool = True
    refusals: Mapping[str, str] = {}


class Unsupported(Exception):
    """This contender cannot run here. ``reason`` is one sentence; ``mend`` says what would help."""

    def __init__(self, reason: str, mend: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.mend = mend


class Stack(Protocol):
    """One framework (or Keras with its backend), as the protocol sees it."""

    info: StackInfo

    def configure(self, case: Case, contender: Contender, seed: int) -> Settings:
        """Set device, precision and layout explicitly, read them back; raise ``Unsupported``."""

    def barrier(self, output: Any) -> Any:
        """Wait until ``output`` and all work it depends on is finished; return ``output``."""

    def to_host(self, tensor: Any) -> np.ndarray:
        """The tensor as a NumPy array, waiting for it; bf16 as fp32."""

    def to_device(self, array: np.ndarray) -> Any:
        """A device-resident tensor with the array's values."""

    def compile(self, function: Callable[..., Any], **options: Any) -> Callable[..., Any]:
        """``function`` in the contender's mode: itself when eager, else compiled.

        Torch compiles full graphs; where its compiler refuses (``optimizer.step``), pass ``fullgraph=False``
        and the graph breaks are counted.
        """

    def compile_events(self) -> int | None:
        """Compilations so far in this process; null when the framework does not say."""

    def compile_facts(self) -> dict[str, str | bool | int | None]:
        """What compiling turned out to be (graph breaks, traces ...), asked after the clock."""

    def kernels(self) -> dict[str, str]:
        """Which path really ran, where the framework tells: ``{"attention": "flash"}``; asked after the clock."""

    def allocator_peak(self) -> tuple[int | None, str | None]:
        """Peak bytes of the framework's allocator, or null and the reason."""

    def versions(self) -> dict[str, str]:
        """Framework, backend and compiler versions read at run time, by distribution name."""

    def matmul(self, size: int) -> Callable[[], Any]:
        """A ready (size, size) x (size, size) product of ``canaries.operands`` in the declared precision."""


class State(NamedTuple):
    """All that steps change, on the host.

    ``tensors``: weights and buffers by canonical name and layout. ``slots``: the optimizer's, by kind and tensor,
    in the declared form (``velocity`` of SGD, ``first`` and ``second`` moment of AdamW), whatever the framework
    keeps. ``steps``: by the framework's own counter; null where it has none.
    """

    tensors: dict[str, np.ndarray]
    slots: dict[str, dict[str, np.ndarray]]
    steps: int | None


class Driver(Protocol):
    """One model in one framework, ready to step: ``job.file`` says what the model is, the driver how it is
    stepped."""

    def run(self, n: int) -> Any:
        """Do n steps; the last step's output, unwaited: the loss (train), else what the task gives back."""

    def outputs(self, output: Any) -> dict[str, np.ndarray]:
        """What ``run`` gave back, on the host, by the names of the task's outputs; bf16 as fp32."""

    def penalty(self) -> float:
        """What the next reported loss holds beyond the declared one: the L2 penalty, where the framework adds it."""

    def state(self) -> State:
        """Weights, buffers, slots and step counter, waited for."""

    def reset(self, tensors: Mapping[str, np.ndarray]) -> None:
        """Load weights and buffers bit-exactly, zero slots and counters, start again at the first batch."""

    def feed(self, batches: Mapping[str, np.ndarray]) -> None:
        """Put other batches of the same shape in place of the job's, and start at the first."""

    def steps_done(self) -> int:
        """Steps since the last reset, by the framework's own count where it has one, else by batches taken."""


class Stream:
    """Ready batches, over and over; ``taken`` counts them, whatever asked for them."""

    def __init__(self, batches: Sequence[Any]) -> None:
        self.batches = batches
        self.taken = 0

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        batch = self.batches[self.taken % len(self.batches)]
        self.taken += 1
        return batch


def stacks() -> dict[str, StackInfo]:
    """Every stack by name; a broken folder is skipped, ``broken()`` names it."""
    return {
        info.name: info
        for folder in _folders()
        if (module := _import(folder)) is not None
        for info in module.STACKS
    }


def broken() -> dict[str, str]:
    """``{folder: error}`` of frameworks that cannot be imported."""
    errors: dict[str, str] = {}
    for folder in _folders():
        try:
            importlib.import_module(f"{__name__}.{folder}")
        except Exception as error:
            errors[folder] = f"{type(error).__name__}: {error}"
    return errors


def _folders() -> list[str]:
    return [info.name for info in pkgutil.iter_modules(__path__) if info.ispkg]


def _import(folder: str) -> Any:
    try:
        return importlib.import_module(f"{__name__}.{folder}")
    except Exception:  # a broken plug-in must not stop the others; broken() names it
        return None


def info(stack: str) -> StackInfo:
    """What a stack declares; ``Unsupported`` names those that are known."""
    known = stacks()
    if stack not in known:
        raise Unsupported(f"unknown stack {stack!r}", f"known stacks: {', '.join(sorted(known))}")
    return known[stack]


def refuse_unknown(contender: Contender) -> None:
    """``Unsupported`` for a mode or variant that the stack does not declare: a wrong name must not run as the
    plain form."""
    declared = info(contender.stack).modes
    if contender.mode not in declared:
        raise Unsupported(
            f"{contender.stack} has no mode {contender.mode!r}", f"it has {', '.join(declared)}"
        )
    variants = declared[contender.mode]
    if contender.variant not in variants:
        names = ", ".join(variant or "(none)" for variant in variants)
        raise Unsupported(
            f"{contender.stack} has no variant {contender.variant!r} when {contender.mode}", f"it has {names}"
        )


def refusal(contender: Contender, error: Exception) -> Unsupported | None:
    """``Unsupported`` with the compiler's own words where an error is its refusal of a model; null for every other."""
    known = stacks().get(contender.stack)
    kinds = [f"{kind.__module__}.{kind.__qualname__}" for kind in type(error).__mro__]
    said = str(error)
    if known is None or not any(kind in known.refusals and known.refusals[kind] in said for kind in kinds):
        return None
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    words = shortened(". ".join(lines[:2]))
    return Unsupported(f"the compiler of {known.title} does not take this model: {words}")


def shortened(words: str) -> str:
    """As much of it as a reader wants, in whole words."""
    return words if len(words) <= WORDS else f"{words[:WORDS].rpartition(' ')[0]} …"


def environment(stack: str, cores: int, cache_dir: str | None) -> dict[str, str]:
    """Environment variables to set before ``load``: threads of every pool, compile caches, quiet logs."""
    threads = {
        name: str(cores)
        for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS")
    }
    # what the CUDA driver compiles from PTX is kept in the home folder otherwise, and cold would be warm
    caches = {} if cache_dir is None else {"CUDA_CACHE_PATH": str(Path(cache_dir) / "cuda")}
    known = stacks()
    if stack not in known:
        return threads | caches
    module = importlib.import_module(f"{__name__}.{known[stack].framework}")
    own: dict[str, str] = module.environment(stack, cores, cache_dir)
    return threads | caches | own


def load(stack: str) -> Stack:
    """The stack, its framework imported. ``Unsupported`` when it is not installed."""
    declared = info(stack)
    try:
        module = importlib.import_module(f"{__name__}.{declared.framework}.stack")
        return module.load(declared)  # type: ignore[no-any-return]
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("harness."):
            raise
        raise Unsupported(
            f"{error.name} is not installed in this interpreter",
            "run it in its image (framebench build) or its virtual environment",
        ) from error


def build(job: Job, stack: Stack) -> Driver:
    """The job's model under the stack's driver."""
    module = importlib.import_module(f"{__name__}.{stack.info.framework}.driver")
    return module.build(job, stack)  # type: ignore[no-any-return]
