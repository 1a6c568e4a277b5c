"""ONNX Runtime on the CPU: threads, versions, and the exporter."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

from harness.cores import cores_allowed
from harness.frameworks.export_stack import ExportStack
from harness.frameworks.exported import ExportInfo, source_of
from harness.operands import operands
from harness.record import Case, Contender, Settings


def load(info: ExportInfo) -> OnnxRuntimeStack:
    import onnxruntime  # noqa: F401  (the import is what ``load`` is timed for)

    return OnnxRuntimeStack(info)


class OnnxRuntimeStack(ExportStack):
    """Takes and gives NumPy arrays. ``writer`` is the module ``from_<framework>.py`` of the source."""

    def __init__(self, info: ExportInfo) -> None:
        super().__init__(info)
        framework = source_of(info).framework
        self.writer: Any = importlib.import_module(f"harness.frameworks.onnxruntime.from_{framework}")

    def configure(self, case: Case, contender: Contender, seed: int) -> Settings:
        """As many threads as the case has cores: by itself it starts one for each core of the machine."""
        self.configure_source(case, seed)
        return Settings(
            layout="as exported",
            device="cpu",
            gpus_visible=0,
            threads={"intra": cores_allowed()},
            precision={"compute": "float32"},
            compile={"mode": contender.mode, "compiler": "onnxruntime", "cache": None},
        )

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
