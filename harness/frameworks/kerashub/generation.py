"""KerasHub's own loop of generation: its greedy sampler, which calls the model for one token after the other.

It is what ``CausalLM.generate`` does when the cache is filled. On TensorFlow and JAX the whole loop is one compiled
function, as it is there; on PyTorch Python goes round it. The tokens are the given ones: the sampler works out its
choice, and keeps the token that a mask says was given, as it does with those of a prompt.
"""

from __future__ import annotations

from typing import Any

import keras_hub
from keras import ops

from harness.frameworks.keras.direct import Pending
from harness.frameworks.keras.generation import Generation, GenerationJax, GenerationTorch

Tensor = Any  # the backend's own


class Sampler(keras_hub.samplers.GreedySampler):  # type: ignore[misc]
    """Greedy; ``ended`` is what its loop ended with: KerasHub gives back the tokens alone, not cache and logits."""

    def run_loop(self, *arguments: Any, **options: Any) -> Any:
        self.ended = super().run_loop(*arguments, **options)
        return self.ended


def decode(
    model: keras_hub.models.CausalLM, cache: Tensor, tape: Tensor, end: Tensor, count: Tensor, first: Tensor
) -> tuple[Tensor, Tensor]:
    """``count`` tokens through the loop, the last of them the one before ``end``; the last logits (B, V), the cache.

    ``tape`` (B, 2 N + 1) is N blanks, the N tokens whose first has the position ``first``, and one blank. The window of
    N + 1 that the sampler sees ends behind the last token: so its length is the same for any count.
    """
    batch, length = tape.shape[0], tape.shape[1] // 2
    window = ops.slice(tape, (0, end), (batch, length + 1))
    position = first + end - length  # of what the window begins with

    def step(prompt: Tensor, kept: tuple[Tensor, Tensor], index: Tensor) -> tuple[Tensor, Tensor, Any]:
        token = ops.slice(prompt, (0, index - 1), (batch, 1))
        logits, hidden, cache = model.call_with_cache(token, kept[0], position + index - 1)
        return logits[:, 0], hidden[:, 0], (cache, logits[:, 0])

    sampler = Sampler()
    logits = ops.zeros((batch, model.backbone.vocabulary_size), dtype=model.compute_dtype)
    given = ops.ones_like(window, dtype="bool")
    sampler(step, window, (cache, logits), index=length + 1 - count, mask=given, model=model)
    _, (cache, logits), *_ = sampler.ended
    return logits, cache


class Loop(Generation):
    """The tokens of all batches on one tape, and as many of them at a time as follow one another."""

    def __init__(self, model: Any, file: Any, task: str, stack: Any, batch: int) -> None:
        super().__init__(model, file, task, stack, batch)
        self.step = self._compiled(decode, stack)

    def feed(self, batches: list[tuple[Any, ...]], start: tuple[Any, ...]) -> None:
        super().feed(batches, start)
        tokens = ops.stack([token for token, _ in batches], axis=1)  # (B, N)
        blank = ops.zeros_like(tokens)
        self.tape = ops.concatenate([blank, tokens, blank[:, :1]], axis=1)
        self.first = ops.cast(batches[0][1], "int32")

    def run(self, n: int) -> Pending:
        length = len(self.stream.batches)
        with self.without_gradients():
            while n:
                begin = self.stream.taken % length
                count = min(n, length - begin)
                end, counted = (ops.convert_to_tensor(one, dtype="int32") for one in (begin + count, count))
                logits, self.cache = self.step(self.cache, self.tape, end, counted, self.first)
                self.stream.taken += count
                n -= count
        return Pending(logits, self.cache)


class LoopTorch(Loop, GenerationTorch):
    """Nothing is recorded for gradients."""


class LoopJax(Loop, GenerationJax):
    """The model's values are handed in."""


LOOPS = {"tensorflow": Loop, "torch": LoopTorch, "jax": LoopJax}
