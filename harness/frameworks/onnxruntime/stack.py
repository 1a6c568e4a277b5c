"""ONNX Runtime on the CPU: threads, versions, and the exporter."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import version
from typing import Any

from harness.cores import cores_allowed
from harness.frameworks.export_stack import FileStack
from harness.frameworks.exported import ExportInfo
from harness.operands import operands


def load(info: ExportInfo) -> OnnxRuntimeStack:
    import onnxruntime  # noqa: F401  (the import is what ``load`` is timed for)

    return OnnxRuntimeStack(info)


class OnnxRuntimeStack(FileStack):
    """Takes and gives NumPy arrays. ``writer`` is the module ``from_<framework>.py`` of the source."""

    def session(self, model: bytes) -> Any:
        """An inference session on the CPU, its graph rewritten as far as ONNX Runtime does by default."""
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = cores_allowed()
        return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])

    def versions(self) -> dict[str, str]:
        own = {name: version(name) for name in ("onnxruntime", "onnx")}
        return own | self.source.versions()

    def matmul(self, size: int) -> Callable[[], Any]:
        from onnx import TensorProto, helper

        a, b, product = (
            helper.make_tensor_value_info(name, TensorProto.FLOAT, (size, size))
            for name in ("a", "b", "product")
        )
        node = helper.make_node("MatMul", ["a", "b"], ["product"])
        graph = helper.make_graph([node], "matmul", [a, b], [product])
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
        session = self.session(model.SerializeToString())
        left, right = operands(size)
        return lambda: session.run(None, {"a": left, "b": right})[0]
