"""JAX, so far as a backend of Keras: threads, matmul precision, compile cache, compilations, versions."""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from harness.canaries import operands
from harness.record import Contender, Settings

STACKS = ()


def environment(stack: str, cores: int, cache_dir: str | None) -> dict[str, str]:
    """XLA's CPU client sizes its thread pool by ``NPROC``; the cache keeps even quick compilations."""
    variables = {"NPROC": str(cores), "JAX_DEFAULT_MATMUL_PRECISION": "highest"}
    if cache_dir is not None:
        variables |= {
            "JAX_COMPILATION_CACHE_DIR": str(Path(cache_dir) / "jax"),
            "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
            "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
        }
    return variables


class JaxBackend:
    """Serves ``keras-jax`` through ``keras.py``."""

    def __init__(self, name: str) -> None:
        import jax

        self.jax: Any = jax
        self.name = name
        self.compilations = 0
        self.compiled = False
        jax.monitoring.register_event_duration_secs_listener(self._count)

    def _count(self, event: str, duration_secs: float, **_: Any) -> None:
        self.compilations += event == "/jax/core/compile/backend_compile_duration"

    def configure(self, contender: Contender, cores: int, seed: int) -> Settings:
        config = self.jax.config
        config.update("jax_default_matmul_precision", "highest")
        self.compiled = contender.mode == "compiled"
        return Settings(
            layout="NHWC",
            # XLA's CPU client offers no way to ask; its pool is counted once it is there
            threads={"intra": None, "affinity": len(os.sched_getaffinity(0))},
            precision={"default_matmul": config.jax_default_matmul_precision, "x64": config.jax_enable_x64},
            compile={
                "mode": contender.mode,
                "compiler": "xla" if self.compiled else None,
                "cache": "jax" if config.jax_compilation_cache_dir else None,
            },
        )

    def barrier(self, output: Any) -> Any:
        return self.jax.block_until_ready(output)

    def to_device(self, array: np.ndarray) -> Any:
        return self.jax.device_put(array)

    def compile(self, function: Callable[..., Any], **options: Any) -> Callable[..., Any]:
        return self.jax.jit(function, **options) if self.compiled else function

    def compile_events(self) -> int | None:
        return self.compilations

    def compile_facts(self) -> dict[str, str | bool | int | None]:
        return {"compilations": self.compilations}

    def allocator_peak(self) -> tuple[int | None, str | None]:
        stats = self.jax.devices()[0].memory_stats()
        if stats is None:
            return None, "JAX's CPU allocator keeps no statistics"
        return int(stats["peak_bytes_in_use"]), None

    def versions(self) -> dict[str, str]:
        return {"jax": self.jax.__version__, "jaxlib": version("jaxlib")}

    def matmul(self, size: int) -> Callable[[], Any]:
        a, b = (self.to_device(array) for array in operands(size))
        return lambda: self.jax.numpy.matmul(a, b)
