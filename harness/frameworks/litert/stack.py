"""LiteRT on the CPU: threads, versions, and the exporter."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import version
from typing import Any

from harness.cores import cores_allowed
from harness.frameworks.export_stack import FileStack
from harness.frameworks.exported import ExportInfo
from harness.operands import operands


def load(info: ExportInfo) -> LiteRTStack:
    from ai_edge_litert import interpreter  # noqa: F401  (the import is what ``load`` is timed for)

    return LiteRTStack(info)


class LiteRTStack(FileStack):
    """Takes and gives NumPy arrays. ``writer`` is the module ``from_<framework>.py`` of the source."""

    def interpreter(self, model: bytes) -> Any:
        """An interpreter with its default delegate for CPUs, XNNPACK."""
        from ai_edge_litert.interpreter import Interpreter

        return Interpreter(model_content=model, num_threads=cores_allowed())

    def versions(self) -> dict[str, str]:
        return {"litert": version("ai-edge-litert")} | self.source.versions()

    def matmul(self, size: int) -> Callable[[], Any]:
        import tensorflow as tf

        left, right = operands(size)
        spec = tf.TensorSpec((size, size), tf.float32)
        product = tf.function(lambda a, b: tf.matmul(a, b), input_signature=[spec, spec])
        converter = tf.lite.TFLiteConverter.from_concrete_functions([product.get_concrete_function()])
        interpreter = self.interpreter(converter.convert())
        interpreter.allocate_tensors()
        given = [
            one["index"] for one in sorted(interpreter.get_input_details(), key=lambda one: str(one["name"]))
        ]
        (made,) = interpreter.get_output_details()

        def run() -> Any:
            for index, array in zip(given, (left, right), strict=True):
                interpreter.set_tensor(index, array)
            interpreter.invoke()
            return interpreter.get_tensor(made["index"])

        return run
