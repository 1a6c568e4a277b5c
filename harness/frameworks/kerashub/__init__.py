"""KerasHub on Keras' backends, its models and its loop of generation: ``kerashub-tensorflow``, ``-torch``, ``-jax``."""

from __future__ import annotations

from collections.abc import Mapping

from harness.frameworks import StackInfo
from harness.frameworks import keras as keras_framework
from harness.frameworks.exported import NO_FLOAT64
from harness.frameworks.library import LibraryInfo
from harness.record import Mode

_ABOUT = (
    "KerasHub brings the model, its cache and the loop that generates; Keras runs them. *generate's loop* is what "
    "KerasHub's `generate` does once the cache is filled: its greedy sampler calls the model for one token after "
    "the other, on TensorFlow and JAX in one compiled function, on PyTorch op by op. *Step by step* calls the "
    "model once for each token. Before that `generate` fills the cache, over every position up to the longest "
    "length, the empty ones too: that is not timed, as in no other stack's decoding. The sampler chooses each "
    "token and keeps the given one instead, as it does with those of a prompt, so that every stack decodes the "
    "same text. The image leaves out TensorFlow Text, which KerasHub asks for and only its tokenizers use: it "
    "would bring a second TensorFlow. On JAX the gate compares in fp32 alone: in 64 bits JAX refuses KerasHub's "
    "indices, which are of two widths."
)
_MODES: Mapping[str, Mapping[Mode, tuple[str, ...]]] = {  # as its own generate compiles, where it does
    "tensorflow": {"compiled": ("xla-loop", "xla-direct", "graph-loop", "graph-direct")},
    "torch": {"eager": ("loop", "direct")},
    "jax": {"compiled": ("loop", "direct")},
}


def _on(keras: StackInfo) -> LibraryInfo:
    """KerasHub where Keras' stack is."""
    modes = _MODES[keras.backend]
    mode = next(iter(modes))
    return LibraryInfo(
        name=f"kerashub-{keras.backend}",
        title=keras.title.replace("Keras", "KerasHub"),
        framework="kerashub",
        backend=keras.backend,
        base=keras.name,
        tasks=("prefill", "decode"),
        modes=modes,
        plainest=(mode, modes[mode][0]),
        modules=("keras_hub", *keras.modules),
        refusals=keras.refusals,
        words={**keras.words, "loop": "generate's loop", "direct": "step by step"},
        about=_ABOUT,
        float64_floor=NO_FLOAT64 if keras.backend == "jax" else keras.float64_floor,
    )


STACKS = tuple(map(_on, keras_framework.STACKS))


def environment(stack: str, cores: int, cache_dir: str | None) -> dict[str, str]:
    """What Keras and its backend read."""
    return keras_framework.environment(f"keras-{stack.removeprefix('kerashub-')}", cores, cache_dir)
