"""JAX: device, matmul precision, ``jit``, compile cache, compilations, versions."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import numpy as np

from harness.frameworks import StackInfo, Unsupported
from harness.operands import operands
from harness.record import Case, Contender, Precision, Settings


def load(info: StackInfo) -> JaxStack:
    import jax  # noqa: F401  (the imports are what ``load`` is timed for)

    if "optax" in info.modules:  # Keras on JAX brings optimizers of its own
        import optax  # noqa: F401

    return JaxStack(info)


class JaxStack:
    """Serves ``jax``, and ``keras-jax`` behind Keras' own stack."""

    def __init__(self, info: StackInfo) -> None:
        import jax

        self.jax: Any = jax
        self.info = info
        self.compilations = 0
        self.compiled = False
        self.precision: Precision = "fp32"
        jax.monitoring.register_event_duration_secs_listener(self._count)

    def _count(self, event: str, duration_secs: float, **_: Any) -> None:
        self.compilations += event == "/jax/core/compile/backend_compile_duration"

    def configure(self, case: Case, contender: Contender, seed: int) -> Settings:
        """Platform and matmul precision as declared. XLA sizes its threads by the cores that it may use."""
        config = self.jax.config
        if case.precision == "tf32" and case.device == "cpu":
            raise Unsupported("a CPU has no TF32", "ask for fp32 or bf16")
        device = self._device(case)
        config.update("jax_enable_x64", False)
        config.update(
            "jax_default_matmul_precision", "tensorfloat32" if case.precision == "tf32" else "highest"
        )
        self.compiled, self.precision = contender.mode == "compiled", case.precision
        return Settings(
            layout="NHWC",
            device=device,
            gpus_visible=sum(one.platform == "gpu" for one in self.jax.devices()),
            # XLA's CPU client offers no way to ask; its pool is counted once it is there
            threads={"intra": None, "affinity": len(os.sched_getaffinity(0))},
            precision={
                "default_matmul": config.jax_default_matmul_precision,
                "x64": config.jax_enable_x64,
                "compute": "bfloat16" if case.precision == "bf16" else "float32",
            },
            compile={
                "mode": contender.mode,
                "compiler": "xla" if self.compiled else None,
                "cache": "jax" if config.jax_compilation_cache_dir else None,
            },
        )

    def _device(self, case: Case) -> str:
        """What JAX runs on, chosen before its first use: a CPU's case must not even open a GPU."""
        self.jax.config.update("jax_platforms", "cuda,cpu" if case.device == "gpu" else "cpu")
        try:
            platform = str(self.jax.devices()[0].platform)
        except RuntimeError:  # no platform of those could be opened
            platform = "none"
        if platform == case.device:
            return platform
        if case.device == "gpu":
            raise Unsupported(
                "JAX sees no GPU", "run it where NVIDIA's driver and JAX's CUDA plug-in (jax[cuda12]) are"
            )
        raise Unsupported(
            f"JAX runs on {platform} already, not on the CPU of the case",
            "nothing may use JAX before the stack is configured",
        )

    def barrier(self, output: Any) -> Any:
        """Waits for every array in ``output``; op by op, one of them would not cover the others."""
        return self.jax.block_until_ready(output)

    def to_host(self, tensor: Any) -> np.ndarray:
        array = np.asarray(tensor)
        return array.astype(np.float32) if array.dtype.name == "bfloat16" else array

    def to_device(self, array: np.ndarray) -> Any:
        return self.jax.device_put(array)

    def compile(self, function: Callable[..., Any], **options: Any) -> Callable[..., Any]:
        return self.jax.jit(function, **options) if self.compiled else function

    def compile_events(self) -> int | None:
        return self.compilations

    def compile_facts(self) -> dict[str, str | bool | int | None]:
        return {"compilations": self.compilations}

    def kernels(self) -> dict[str, str]:
        """XLA does not tell which of its kernels it chose."""
        return {}

    def allocator_peak(self) -> tuple[int | None, str | None]:
        stats = self.jax.devices()[0].memory_stats()
        if stats is None:
            return None, "JAX's CPU allocator keeps no statistics"
        return int(stats["peak_bytes_in_use"]), None

    def versions(self) -> dict[str, str]:
        found = {"jax": self.jax.__version__, "jaxlib": version("jaxlib")}
        if "optax" in self.info.modules:
            found["optax"] = version("optax")
        cuda = re.search(r"cuda (\d+)", self.jax.devices()[0].client.platform_version)
        if cuda:  # 12090 is 12.9
            found["cuda"] = f"{int(cuda[1]) // 1000}.{int(cuda[1]) % 1000 // 10}"
        return found

    def matmul(self, size: int) -> Callable[[], Any]:
        dtype = self.jax.numpy.bfloat16 if self.precision == "bf16" else self.jax.numpy.float32
        a, b = (self.to_device(array).astype(dtype) for array in operands(size))
        return lambda: self.jax.numpy.matmul(a, b)
