"""TensorFlow: device, TF32, ``tf.function`` with and without XLA, retraces, versions."""

from __future__ import annotations

from collections.abc import Callable
from types import FunctionType
from typing import Any

import numpy as np

from harness.frameworks import StackInfo, Unsupported
from harness.operands import operands
from harness.record import Case, Contender, Precision, Settings


def load(info: StackInfo) -> TensorFlowStack:
    return TensorFlowStack(info)


class TensorFlowStack:
    """Serves ``tensorflow``, and ``keras-tensorflow`` as its backend."""

    def __init__(self, info: StackInfo) -> None:
        import tensorflow as tf

        self.tf = tf
        self.info = info
        self.on_gpu = False
        self.compiled = False
        self.xla = False
        self.precision: Precision = "fp32"
        self.functions: list[Any] = []

    def configure(self, case: Case, contender: Contender, seed: int) -> Settings:
        """Device and precision as declared. Threads are TensorFlow's own defaults for the cores of the case."""
        tf = self.tf
        self.on_gpu, self.precision = case.device == "gpu", case.precision
        self.compiled = contender.mode == "compiled"
        self.xla = self.compiled and contender.variant.startswith("xla")
        if self.precision == "tf32" and not self.on_gpu:
            raise Unsupported("a CPU has no TF32", "ask for fp32 or bf16")
        self._show_devices()
        tf.config.experimental.enable_tensor_float_32_execution(self.precision == "tf32")
        tf.config.run_functions_eagerly(False)
        tf.random.set_seed(seed)
        return Settings(
            layout="NHWC",
            device=tf.config.list_logical_devices("GPU" if self.on_gpu else "CPU")[0].name,
            gpus_visible=len(tf.config.get_visible_devices("GPU")),
            threads={  # TensorFlow says 0 for "as many as there are cores"
                "intra": tf.config.threading.get_intra_op_parallelism_threads() or None,
                "inter": tf.config.threading.get_inter_op_parallelism_threads() or None,
            },
            precision={
                "tensor_float_32": tf.config.experimental.tensor_float_32_execution_enabled(),
                "compute": "bfloat16" if self.precision == "bf16" else "float32",
            },
            compile={
                "mode": contender.mode,
                "compiler": ("xla" if self.xla else "graph") if self.compiled else None,
                "jit_compile": self.xla if self.compiled else None,
                "cache": None,
            },
        )

    def _show_devices(self) -> None:
        """One GPU where the case says so, else none; a GPU that is seen is used, whatever the case says."""
        config = self.tf.config
        present = config.list_physical_devices("GPU")
        if self.on_gpu and not present:
            raise Unsupported(
                "TensorFlow sees no GPU", "run it where NVIDIA's driver and a CUDA build of TensorFlow are"
            )
        wanted = present[:1] if self.on_gpu else []
        try:
            config.set_visible_devices(wanted, "GPU")
        except RuntimeError as error:
            raise Unsupported(
                "TensorFlow has chosen its devices already", "run each case in its own process"
            ) from error
        seen = config.get_visible_devices("GPU")
        if seen != wanted:
            raise Unsupported(f"TensorFlow shows {len(seen)} GPUs where the case has {len(wanted)}")

    def barrier(self, output: Any) -> Any:
        """A CPU op returns when it is done; on a GPU all devices are waited for."""
        if self.on_gpu:
            self.tf.test.experimental.sync_devices()
        return output

    def to_host(self, tensor: Any) -> np.ndarray:
        array = np.asarray(tensor.numpy())
        return array.astype(np.float32) if tensor.dtype == self.tf.bfloat16 else array

    def to_device(self, array: np.ndarray) -> Any:
        return self.tf.constant(array)

    def compile(self, function: Callable[..., Any], **options: Any) -> Callable[..., Any]:
        if not self.compiled:
            return function
        compiled = self.tf.function(function, jit_compile=True if self.xla else None, **options)
        self.functions.append(compiled)
        return compiled  # type: ignore[no-any-return]

    def compile_events(self) -> int | None:
        """Traces of the functions this stack compiled."""
        return sum(traces(function) or 0 for function in self.functions)

    def compile_facts(self) -> dict[str, str | bool | int | None]:
        return {"traces": self.compile_events()}

    def kernels(self) -> dict[str, str]:
        """Nothing: TensorFlow does not tell. It has no fused attention, so none can have run."""
        return {}

    def allocator_peak(self) -> tuple[int | None, str | None]:
        if self.on_gpu:
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
        if self.precision == "bf16":
            a, b = (self.tf.cast(operand, self.tf.bfloat16) for operand in (a, b))
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
