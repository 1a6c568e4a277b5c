"""TensorFlow: the stack ``tensorflow``; ``keras-tensorflow`` stands on it too."""

from __future__ import annotations

from harness.frameworks import StackInfo

_ERRORS = "tensorflow.python.framework.errors_impl"
REFUSALS = {
    f"{_ERRORS}.UnimplementedError": "",
    f"{_ERRORS}.OperatorNotAllowedInGraphError": "",
    f"{_ERRORS}.InvalidArgumentError": "Detected unsupported operations when trying to compile",  # XLA's
}

STACKS = (
    StackInfo(
        name="tensorflow",
        title="TensorFlow",
        framework="tensorflow",
        modes={"eager": ("",), "compiled": ("graph", "xla")},
        modules=("tensorflow",),
        refusals=REFUSALS,
        words={"compiled": "tf.function", "graph": "", "xla": "XLA"},
        about=(
            "Eager by default since version 2; the gradient comes from a tape that records operations as they "
            "run. `tf.function` traces Python into a static graph; with `jit_compile=True` XLA compiles that "
            "graph into fused kernels."
        ),
    ),
)


def environment(stack: str, cores: int, cache_dir: str | None) -> dict[str, str]:
    """Read when the library is loaded: log level, XLA's own pool. XLA's CPU compiler keeps no cache on disk."""
    return {"TF_CPP_MIN_LOG_LEVEL": "2", "NPROC": str(cores)}
