"""Keras 3 on its three backends: ``keras-tensorflow``, ``keras-torch``, ``keras-jax``."""

from __future__ import annotations

from pathlib import Path

from harness.frameworks import StackInfo
from harness.frameworks import jax as jax_framework
from harness.frameworks import tensorflow as tensorflow_framework
from harness.frameworks import torch as torch_framework

_WORDS = {"loop": "fit/predict", "direct": "direct step"}
# BatchNormalization and GlobalAveragePooling2D compute in fp32 inside, whatever the policy
_FLOOR = 2e-6

STACKS = (
    StackInfo(
        name="keras-tensorflow",
        title="Keras on TensorFlow",
        framework="keras",
        backend="tensorflow",
        modes={"compiled": ("graph-loop", "graph-direct", "xla-loop", "xla-direct")},
        plainest=("compiled", "graph-loop"),
        modules=("keras", "tensorflow"),
        refusals=tensorflow_framework.REFUSALS,
        words=_WORDS | {"compiled": "tf.function", "graph": "", "xla": "XLA"},
        about=(
            "Keras writes the model and the training loop; TensorFlow runs them. `fit` always runs a "
            "`tf.function` unless told otherwise; `jit_compile` decides whether XLA compiles it. Keras' own "
            '"auto" is resolved and recorded, never published as such. Gradients of embeddings are added up row by '
            "row before AdamW sees them, as in every other stack: Keras' own squares each use of a row by itself."
        ),
        adam_epsilon="uncorrected",
        float64_floor=_FLOOR,
        float64_optimizer=False,  # tf.cast makes fp32 of Python's betas before anything else
    ),
    StackInfo(
        name="keras-torch",
        title="Keras on PyTorch",
        framework="keras",
        backend="torch",
        modes={
            "eager": ("loop", "direct", "channels-first-loop", "channels-first-direct"),
            "compiled": ("loop", "direct", "channels-first-loop", "channels-first-direct"),
        },
        plainest=("eager", "loop"),
        modules=("keras", "torch"),
        refusals=torch_framework.REFUSALS,
        words=_WORDS | {"compiled": "torch.compile", "channels-first": "channels first"},
        about=(
            "Keras writes the model and the training loop; PyTorch runs them, eagerly unless `jit_compile=True`, "
            "which hands the step to `torch.compile`. Keras' own default for images is channels last."
        ),
        adam_epsilon="uncorrected",
        float64_floor=_FLOOR,
    ),
    StackInfo(
        name="keras-jax",
        title="Keras on JAX",
        framework="keras",
        backend="jax",
        modes={"eager": ("loop", "direct"), "compiled": ("loop", "direct")},
        plainest=("eager", "loop"),
        modules=("keras", "jax"),
        refusals=jax_framework.REFUSALS,
        words=_WORDS | {"compiled": "jit"},
        about=(
            "Keras writes the model and the training loop; JAX runs them. Its step is a pure function that XLA "
            "compiles as a whole, gradient and optimizer included; state goes in and comes out. Eager JAX "
            "dispatches each operation by itself and is there for comparison."
        ),
        adam_epsilon="uncorrected",
        float64_floor=_FLOOR,
    ),
)

_BACKENDS = {"tensorflow": tensorflow_framework, "torch": torch_framework, "jax": jax_framework}


def environment(stack: str, cores: int, cache_dir: str | None) -> dict[str, str]:
    """Keras reads its backend at import; a user's ``keras.json`` must not decide anything here."""
    backend = stack.removeprefix("keras-")
    variables = {"KERAS_BACKEND": backend}
    if cache_dir is not None:
        variables["KERAS_HOME"] = str(Path(cache_dir) / "keras")
    own: dict[str, str] = _BACKENDS[backend].environment(stack, cores, cache_dir)
    return variables | own
