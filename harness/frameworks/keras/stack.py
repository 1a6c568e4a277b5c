"""Keras 3 on its three backends: what Keras decides by itself is decided here, set, and read back.

``jit_compile`` means something else on each backend: XLA for TensorFlow (False is still a ``tf.function``),
``torch.compile`` for PyTorch, ``jax.jit`` for JAX. Keras' "auto" is never used. The driver reads ``jit_compile`` and
``loop`` (Keras' own ``fit`` / ``predict``, or its compiled function called directly).
"""

from __future__ import annotations

import importlib
import random
from collections.abc import Callable
from typing import Any

import numpy as np

from harness.frameworks import StackInfo
from harness.record import Case, Contender, Settings


def load(info: StackInfo) -> KerasStack:
    return KerasStack(info)


class KerasStack:
    """Keras in front of a backend; whatever is the backend's own business is asked of the backend's stack."""

    def __init__(self, info: StackInfo) -> None:
        import keras

        self.keras = keras
        self.info = info
        self.backend: Any = importlib.import_module(f"harness.frameworks.{info.backend}.stack").load(info)
        self.jit_compile = False
        self.loop = True
        self.watched: Any = None

    def configure(self, case: Case, contender: Contender, seed: int) -> Settings:
        config = self.keras.config
        own: Settings = self.backend.configure(case, contender, seed)
        self.jit_compile = contender.mode == "compiled" and not contender.variant.startswith("graph")
        self.loop = contender.variant.endswith("loop")
        first = contender.variant.startswith("channels-first")
        config.set_image_data_format("channels_first" if first else "channels_last")
        config.disable_interactive_logging()
        random.seed(seed)  # Keras draws its seeds here; its own function would import TensorFlow if it can
        if self.info.backend == "torch":  # Keras puts tensors on any GPU that it sees; the others hide it
            self.device_scope = self.keras.device("gpu" if case.device == "gpu" else "cpu")
            self.device_scope.__enter__()
        self.set_dtypes(case.precision, training=case.task == "train")
        autocast = (
            {"autocast": None} if "autocast" in own.precision else {}
        )  # PyTorch's, which Keras does not use
        policy = {"keras_dtype_policy": config.dtype_policy().name, "keras_floatx": config.floatx()}
        return Settings(
            layout="NHWC" if config.image_data_format() == "channels_last" else "NCHW",
            device=own.device,
            gpus_visible=own.gpus_visible,
            threads=own.threads,
            precision=own.precision | autocast | policy,
            compile=own.compile | {"keras_jit_compile": self.jit_compile, "keras_loop": self.loop},
        )

    def set_dtypes(self, precision: str, training: bool) -> None:
        """Of everything that Keras makes from here on: ``floatx`` for inputs, losses and metrics, the policy
        for layers."""
        wide = {"fp64": "float64", "bf16": "float32" if training else "bfloat16"}.get(precision, "float32")
        self.keras.config.set_floatx(wide)
        self.keras.config.set_dtype_policy("mixed_bfloat16" if precision == "bf16" and training else wide)
        if self.info.backend == "jax":
            import jax

            # int64 and float64 are narrowed unless this is on, for the whole process
            jax.config.update("jax_enable_x64", precision == "fp64")

    def barrier(self, output: Any) -> Any:
        return self.backend.barrier(output)

    def to_host(self, tensor: Any) -> np.ndarray:
        array = np.asarray(self.keras.ops.convert_to_numpy(tensor))
        return array.astype(np.float32) if array.dtype.name == "bfloat16" else array

    def to_device(self, array: np.ndarray) -> Any:
        return self.keras.ops.reshape(
            self.backend.to_device(array), array.shape
        )  # PyTorch's gives a scalar an axis

    def compile(self, function: Callable[..., Any], **options: Any) -> Callable[..., Any]:
        return self.backend.compile(function, **options)  # type: ignore[no-any-return]

    def watch(self, model: Any) -> None:
        """Count the compilations of this model's functions, which Keras makes itself when they are first used."""
        self.watched = model

    def compile_events(self) -> int | None:
        """On TensorFlow the traces of the functions that the model holds too; null if none can be found in them."""
        made: int | None = self.backend.compile_events()
        if self.info.backend != "tensorflow" or self.watched is None or made is None:
            return made
        traces = importlib.import_module("harness.frameworks.tensorflow.stack").traces
        functions = [self.watched.train_function, self.watched.predict_function]
        counts = [traces(function) for function in functions if function is not None]
        return None if None in counts else made + sum(counts)

    def compile_facts(self) -> dict[str, str | bool | int | None]:
        facts: dict[str, str | bool | int | None] = self.backend.compile_facts()
        return facts | {"traces": self.compile_events()} if self.info.backend == "tensorflow" else facts

    def kernels(self) -> dict[str, str]:
        """What the backend tells: Keras chooses the path of attention and keeps it to itself."""
        return self.backend.kernels()  # type: ignore[no-any-return]

    def allocator_peak(self) -> tuple[int | None, str | None]:
        return self.backend.allocator_peak()  # type: ignore[no-any-return]

    def versions(self) -> dict[str, str]:
        own: dict[str, str] = self.backend.versions()
        return {"keras": self.keras.__version__} | own

    def matmul(self, size: int) -> Callable[[], Any]:
        return self.backend.matmul(size)  # type: ignore[no-any-return]
