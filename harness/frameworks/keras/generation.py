"""Prefill and decode: the file's functions, compiled by the backend's own means; Keras has no loop for them."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import keras

from harness.frameworks import Stream
from harness.frameworks.keras.direct import Pending


class Generation:
    """``step(cache, *inputs) -> (logits, cache)`` over ready batches, from an empty cache or behind a prompt."""

    def __init__(self, model: keras.Model, file: Any, task: str, stack: Any, batch: int) -> None:
        self.model, self.file, self.batch = model, file, batch
        self.cache: Any = None
        self.prefill = self._compiled(file.prefill, stack)
        self.step = self.prefill if task == "prefill" else self._compiled(file.decode, stack)

    def _compiled(self, function: Callable[..., Any], stack: Any) -> Callable[..., Any]:
        return stack.compile(lambda cache, *inputs: function(self.model, cache, *inputs))  # type: ignore[no-any-return]

    def without_gradients(self) -> AbstractContextManager[None]:
        """Where a backend records for gradients unless told otherwise."""
        return nullcontext()

    @property
    def taken(self) -> int:
        return self.stream.taken

    def feed(self, batches: list[tuple[Any, ...]], start: tuple[Any, ...]) -> None:
        self.stream, self.start = Stream(batches), start

    def run(self, n: int) -> Pending:
        with self.without_gradients():
            for inputs in itertools.islice(self.stream, n):
                logits, self.cache = self.step(self.cache, *inputs)
        return Pending(logits, self.cache)

    def rewind(self) -> None:
        self.stream.taken = 0
        with self.without_gradients():
            self.cache = self.file.empty_cache(self.model, self.batch)
            if self.start:
                _, self.cache = self.prefill(self.cache, *self.start)

    def synchronize(self) -> None:
        """No step changes the model."""


class GenerationTorch(Generation):
    """PyTorch compiles the whole step as one graph, or says what it refuses."""

    def without_gradients(self) -> AbstractContextManager[None]:
        import torch

        return torch.inference_mode()  # type: ignore[no-any-return]


class GenerationJax(Generation):
    """``jax.jit`` of a pure function of the model's values and the cache, which is given away."""

    def _compiled(self, function: Callable[..., Any], stack: Any) -> Callable[..., Any]:
        variables = self.model.variables

        def pure(values: list[Any], cache: Any, *inputs: Any) -> Any:
            with keras.StatelessScope(state_mapping=zip(variables, values, strict=True)):
                return function(self.model, cache, *inputs)

        compiled = stack.compile(pure, donate_argnums=1)
        return lambda cache, *inputs: compiled(self.values, cache, *inputs)

    def rewind(self) -> None:
        self.values = [variable.value for variable in self.model.variables]
        super().rewind()
