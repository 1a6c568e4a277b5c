"""ONNX Runtime: runs what a framework exported to ONNX, one stack for each exporter."""

from __future__ import annotations

from harness import frameworks
from harness.frameworks.exported import GENERATION, NO_FLOAT64, ExportInfo
from harness.record import Task

_ABOUT = (
    "ONNX Runtime loads the file, rewrites its graph and runs it on the CPU, without the framework. The batch is left "
    "open: what runs at the traced one alone does not pass. ONNX Runtime has no float64 convolutions, so that its gate "
    "compares in fp32 alone."
)


def _stack(
    source: str,
    title: str,
    exporter: str,
    modules: tuple[str, ...],
    about: str,
    tasks: tuple[Task, ...] = ("infer",),
) -> ExportInfo:
    return ExportInfo(
        name=f"onnxruntime-{source}",
        title=f"ONNX Runtime, from {title}",
        framework="onnxruntime",
        source=source,
        tasks=tasks,
        modes={"compiled": ("",)},
        plainest=("compiled", ""),
        modules=("onnxruntime", "onnx", *modules),
        words={"compiled": exporter},
        float64_floor=NO_FLOAT64,
        about=f"{about} {_ABOUT}",
    )


_KERAS = '`Model.export(format="onnx")` writes Keras\' model into a file, by {}.'
STACKS = (
    _stack(
        "torch",
        "PyTorch",
        "torch.onnx.export",
        ("onnxscript", "torch"),
        "`torch.onnx.export` (with Dynamo, its default) writes PyTorch's model into a file; it is traced at another "
        "batch than it is run at. The exporter does not know `sort(stable=True)`, which a detector needs: it is given "
        "ONNX' TopK for it, whose ties are in the same order.",
        tasks=("infer", *GENERATION),
    ),
    _stack(
        "tensorflow",
        "TensorFlow",
        "tf2onnx",
        ("tensorflow", "tf2onnx"),
        "`tf2onnx` turns the `tf.function` into a file.",
    ),
    _stack(
        "jax",
        "JAX",
        "jax2onnx",
        ("jax", "jax2onnx"),
        "`jax2onnx` traces the function and writes it into a file.",
        tasks=("infer", *GENERATION),
    ),
    _stack(
        "keras-torch",
        "Keras on PyTorch",
        "Model.export",
        ("keras", "torch", "onnxscript"),
        _KERAS.format("PyTorch's older exporter, TorchScript, because the batch is open"),
    ),
    _stack(
        "keras-tensorflow",
        "Keras on TensorFlow",
        "Model.export",
        ("keras", "tensorflow", "tf2onnx"),
        _KERAS.format("`tf2onnx`"),
    ),
    _stack(
        "keras-jax", "Keras on JAX", "Model.export", ("keras", "jax", "jax2onnx"), _KERAS.format("`jax2onnx`")
    ),
)


def environment(stack: str, cores: int, cache_dir: str | None) -> dict[str, str]:
    """What the exporting framework reads; ONNX Runtime reads nothing at import."""
    return frameworks.environment(stack.removeprefix("onnxruntime-"), cores, cache_dir)
