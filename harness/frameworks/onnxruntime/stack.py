"""ONNX Runtime on the CPU: threads, versions, and the framework that exports."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import numpy as np

from harness import frameworks
from harness.cores import cores_allowed
from harness.frameworks import Stack, Unsupported
from harness.frameworks.exported import ExportInfo, source_contender
from harness.operands import operands
from harness.record import Case, Contender, Settings


def load(info: ExportInfo) -> OnnxRuntimeStack:
    import onnxruntime  # noqa: F401  (the import is what ``load`` is timed for)

    return OnnxRuntimeStack(info, frameworks.load(info.source))


class OnnxRuntimeStack:
    """Every call is finished when it returns, and takes and gives NumPy arrays."""

    def __init__(self, info: ExportInfo, source: Stack) -> None:
        self.info, self.source = info, source
        self.facts: dict[str, str | bool | int | None] = {}

    def configure(self, case: Case, contender: Contender, seed: int) -> Settings:
        """As many threads as the case has cores: by itself it starts one for each core of the machine."""
        if case.device == "gpu":
            raise Unsupported("the ONNX Runtime of this stack is its build for the CPU", "ask for device cpu")
        if case.precision != "fp32":
            raise Unsupported(f"models are exported in fp32, not {case.precision}", "ask for fp32")
        self.source.configure(case, source_contender(self.info), seed)
        return Settings(
            layout="as exported",
            device="cpu",
            gpus_visible=0,
            threads={"intra": cores_allowed(), "inter": 1},
            precision={"compute": "float32"},
            compile={"mode": contender.mode, "compiler": "onnxruntime", "cache": None},
        )

    def session(self, model: bytes) -> Any:
        """An inference session on the CPU, its graph rewritten as far as ONNX Runtime does by default."""
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = cores_allowed()
        return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])

    def barrier(self, output: Any) -> Any:
        return output

    def to_host(self, tensor: Any) -> np.ndarray:
        return np.asarray(tensor)

    def to_device(self, array: np.ndarray) -> Any:
        return array

    def compile(self, function: Callable[..., Any], **options: Any) -> Callable[..., Any]:
        return function

    def compile_events(self) -> int | None:
        return 0

    def compile_facts(self) -> dict[str, str | bool | int | None]:
        """Of the last export: the file's bytes, nodes and opset, the batch that was traced, how long it took."""
        return self.facts

    def kernels(self) -> dict[str, str]:
        return {}

    def allocator_peak(self) -> tuple[int | None, str | None]:
        return None, "ONNX Runtime keeps no peak"

    def versions(self) -> dict[str, str]:
        own = {name: version(name) for name in ("onnxruntime", "onnx")}
        return own | self.source.versions()

    def matmul(self, size: int) -> Callable[[], Any]:
        from onnx import TensorProto, helper

        shape = (size, size)
        a, b, product = (
            helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in ("a", "b", "product")
        )
        graph = helper.make_graph(
            [helper.make_node("MatMul", ["a", "b"], ["product"])], "matmul", [a, b], [product]
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
        session = self.session(model.SerializeToString())
        left, right = operands(size)
        return lambda: session.run(None, {"a": left, "b": right})[0]
