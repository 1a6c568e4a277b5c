"""TensorFlow: threads, TF32, ``tf.function`` with and without XLA, retraces, versions."""

from __future__ import annotations

from collections.abc import Callable
from types import FunctionType
from typing import Any

import numpy as np

from harness.canaries import operands
from harness.record import Contender, Settings

STACKS = ("tensorflow",)


def environment(stack: str, cores: int, cache_dir: str | None) -> dict[str, str]:
    """Read when the library is loaded: thread pools, log level. XLA's CPU compiler keeps no cache on disk."""
    return {
        "TF_NUM_INTRAOP_THREADS": str(cores),
        "TF_NUM_INTEROP_THREADS": "1",
        "TF_CPP_MIN_LOG_LEVEL": "2",
        "NPROC": str(cores),  # XLA's own thread pool on a CPU
    }


def load(stack: str) -> TensorFlowStack:
    return TensorFlowStack(stack)


class TensorFlowStack:
    """Serves ``tensorflow``, and ``keras-tensorflow`` through ``keras.py``."""

    def __init__(self, name: str) -> None:
        import tensorflow as tf

        self.tf = tf
        self.name = name
        self.mode = "eager"
        self.xla = False
        self.functions: list[Any] = []
        self.gpus: list[Any] = []

    def configure(self, contender: Contender, cores: int, seed: int) -> Settings:
        tf = self.tf
        tf.config.threading.set_intra_op_parallelism_threads(cores)
        tf.config.threading.set_inter_op_parallelism_threads(1)
        tf.config.experimental.enable_tensor_float_32_execution(False)
        tf.config.run_functions_eagerly(False)
        tf.random.set_seed(seed)
        self.gpus = tf.config.list_physical_devices("GPU")
        self.mode = contender.mode
        self.xla = contender.mode == "compiled" and contender.variant.startswith("xla")
        return Settings(
            layout="NHWC",
            threads={
                "intra": tf.config.threading.get_intra_op_parallelism_threads(),
                "inter": tf.config.threading.get_inter_op_parallelism_threads(),
            },
            precision={"tensor_float_32": tf.config.experimental.tensor_float_32_execution_enabled()},
            compile={
                "mode": contender.mode,
                "compiler": ("xla" if self.xla else "graph") if contender.mode == "compiled" else None,
                "jit_compile": self.xla if contender.mode == "compiled" else None,
                "cache": None,
            },
        )

    def barrier(self, output: Any) -> Any:
        """A CPU op returns when it is done; on a GPU all devices are waited for."""
        if self.gpus:
            self.tf.test.experimental.sync_devices()
        return output

    def to_host(self, tensor: Any) -> np.ndarray:
        array: np.ndarray = tensor.numpy()
        return array

    def to_device(self, array: np.ndarray) -> Any:
        return self.tf.constant(array)

    def compile(self, function: Callable[..., Any], **options: Any) -> Callable[..., Any]:
        if self.mode == "eager":
            return function
        compiled = self.tf.function(function, jit_compile=True if self.xla else None, **options)
        self.functions.append(compiled)
        return compiled  # type: ignore[no-any-return]

    def compile_events(self) -> int | None:
        """Traces of the functions this stack compiled."""
        return sum(traces(function) or 0 for function in self.functions)

    def compile_facts(self) -> dict[str, str | bool | int | None]:
        return {"traces": self.compile_events()}

    def allocator_peak(self) -> tuple[int | None, str | None]:
        if self.gpus:
            return int(self.tf.config.experimental.get_memory_info("GPU:0")["peak"]), None
        return None, "TensorFlow's CPU allocator keeps no peak"

    def versions(self) -> dict[str, str]:
        build = self.tf.sysconfig.get_build_info()
        found = {
            "tensorflow": self.tf.__version__,
            "cuda": build.get("cuda_version"),
            "cudnn": build.get("cudnn_version"),
        }
        return {name: str(version) for name, version in found.items() if version}

    def matmul(self, size: int) -> Callable[[], Any]:
        a, b = (self.to_device(array) for array in operands(size))
        return lambda: self.tf.matmul(a, b)


def traces(function: Any) -> int | None:
    """How often a ``tf.function`` was traced, or all those inside a plain function; null without any.

    Keras' train function is a plain Python function around two of them: they are found in its closure.
    """
    counts: list[int] = []
    waiting, seen = [function], set()
    while waiting:
        current = waiting.pop()
        if id(current) in seen:
            continue
        seen.add(id(current))
        if hasattr(current, "experimental_get_tracing_count"):
            counts.append(int(current.experimental_get_tracing_count()))
        elif isinstance(current, FunctionType):
            waiting += [cell.cell_contents for cell in current.__closure__ or ()]
    return sum(counts) if counts else None
