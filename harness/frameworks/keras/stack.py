"""Keras 3 on its three backends: what Keras decides by itself is decided here, set, and read back.

``jit_compile`` means something else on each backend: XLA for TensorFlow (False is still a ``tf.function``),
``torch.compile`` for PyTorch, ``jax.jit`` for JAX. Keras' "auto" is never used. Workloads read
``jit_compile`` and ``loop`` (Keras' own ``fit`` / ``predict``, or its compiled function called directly).
"""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from harness.frameworks.jax import stack as jax_file
from harness.frameworks.jax.stack import JaxBackend
from harness.frameworks.tensorflow import stack as tensorflow_file
from harness.frameworks.tensorflow.stack import TensorFlowStack
from harness.frameworks.torch import stack as torch_file
from harness.frameworks.torch.stack import TorchStack
from harness.record import Contender, Settings

STACKS = ("keras-tensorflow", "keras-torch", "keras-jax")


def environment(stack: str, cores: int, cache_dir: str | None) -> dict[str, str]:
    """Keras reads its backend at import; a user's ``keras.json`` must not decide anything here."""
    backend = stack.removeprefix("keras-")
    variables = {"KERAS_BACKEND": backend}
    if cache_dir is not None:
        variables["KERAS_HOME"] = str(Path(cache_dir) / "keras")
    if backend == "tensorflow":
        return variables | tensorflow_file.environment(stack, cores, cache_dir)
    if backend == "torch":
        return variables | torch_file.environment(stack, cores, cache_dir)
    return variables | jax_file.environment(stack, cores, cache_dir)


def load(stack: str) -> KerasStack:
    return KerasStack(stack)


class KerasStack:
    """Keras in front of a backend; whatever is the backend's own business is asked of the backend's stack."""

    def __init__(self, name: str) -> None:
        import keras

        self.keras = keras
        self.name = name
        self.backend: Any = {"tensorflow": TensorFlowStack, "torch": TorchStack, "jax": JaxBackend}[
            keras.backend.backend()
        ](name)
        self.jit_compile = False
        self.loop = True
        self.models: list[Any] = []

    def configure(self, contender: Contender, cores: int, seed: int) -> Settings:
        keras = self.keras
        own = self.backend.configure(contender, cores, seed)
        keras.config.set_image_data_format("channels_last")
        keras.config.set_floatx("float32")
        keras.config.set_dtype_policy("float32")
        keras.config.disable_interactive_logging()
        random.seed(seed)  # Keras draws its seeds here; its own function would import TensorFlow if it can
        graph_only = contender.variant.startswith("graph")
        self.jit_compile = contender.mode == "compiled" and not graph_only
        self.loop = not contender.variant.endswith("direct")
        return Settings(
            layout="NHWC" if keras.config.image_data_format() == "channels_last" else "NCHW",
            threads=own.threads,
            precision=own.precision | {"keras_dtype_policy": keras.config.dtype_policy().name},
            compile=own.compile | {"keras_jit_compile": self.jit_compile, "keras_loop": self.loop},
        )

    def barrier(self, output: Any) -> Any:
        return self.backend.barrier(output)

    def to_host(self, tensor: Any) -> np.ndarray:
        return np.asarray(self.keras.ops.convert_to_numpy(tensor))

    def to_device(self, array: np.ndarray) -> Any:
        return self.backend.to_device(array)

    def compile(self, function: Callable[..., Any], **options: Any) -> Callable[..., Any]:
        return self.backend.compile(function, **options)  # type: ignore[no-any-return]

    def watch(self, model: Any) -> None:
        """Count the compilations of this model's functions, which Keras makes itself when they are first used."""
        self.models.append(model)

    def compile_events(self) -> int | None:
        """On TensorFlow the traces of the functions that the models hold; null if none can be found in them."""
        if self.keras.backend.backend() != "tensorflow":
            return self.backend.compile_events()  # type: ignore[no-any-return]
        made = [
            function
            for model in self.models
            for function in (model.train_function, model.predict_function)
            if function is not None
        ]
        counts = [tensorflow_file.traces(function) for function in made]
        return None if None in counts else sum(count for count in counts if count is not None)

    def compile_facts(self) -> dict[str, str | bool | int | None]:
        if self.keras.backend.backend() != "tensorflow":
            return self.backend.compile_facts()  # type: ignore[no-any-return]
        return {"traces": self.compile_events()}

    def allocator_peak(self) -> tuple[int | None, str | None]:
        return self.backend.allocator_peak()  # type: ignore[no-any-return]

    def versions(self) -> dict[str, str]:
        own: dict[str, str] = self.backend.versions()
        return {"keras": self.keras.__version__} | own

    def matmul(self, size: int) -> Callable[[], Any]:
        return self.backend.matmul(size)  # type: ignore[no-any-return]
