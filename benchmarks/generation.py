"""KerasHub's whole ``generate`` beside generation by our file for Keras, on one backend.

``python -m benchmarks.generation BACKEND [--preset cpu] [--batch 8] [--pairs 30]`` needs the packages of an image with
KerasHub. Both read the same prompts and choose the likeliest token until the context is full, with the same weights;
that they give the same text is asked first. KerasHub is used as its users do: ``compile(sampler="greedy")`` and
``generate``, which fills the cache over the whole context and then loops, compiled where its backend does. Ours reads
the prompt and calls a step that is compiled where the backend does, once for each token.

They are timed in one process, in turns, each with the framework's own number of threads for the cores of this process.
On a busy machine CPU time tells more than wall time.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from functools import partial
from types import SimpleNamespace
from typing import Any

import numpy as np

from benchmarks.against_native import AT_MOST, timed
from benchmarks.pairs import T_95, interleaved, ratio
from harness import frameworks, workloads
from harness.cores import cores_allowed
from harness.gate.check import timed_job
from harness.record import Case, Contender

MODES = {
    "tensorflow": ("compiled", "xla-direct"),
    "torch": ("eager", "direct"),
    "jax": ("compiled", "direct"),
}
Generate = Callable[[], np.ndarray]
"""Gives the tokens (B, context - prompt) that were chosen."""


def both(backend: str, preset: str, batch: int) -> tuple[Generate, Generate]:
    """Ours and KerasHub's; ``SystemExit`` where they write different texts."""
    case = Case(workload="gpt", preset=preset, task="decode", batch=batch, cores=cores_allowed())
    made = []
    for stack, generate in ((f"keras-{backend}", ours), (f"kerashub-{backend}", theirs)):
        mode, variant = MODES[backend]
        contender = Contender(stack=stack, mode=mode, variant=variant)  # type: ignore[arg-type]
        loaded = frameworks.load(stack)
        loaded.configure(case, contender, 0)
        made.append(generate(frameworks.build(timed_job(case, contender), loaded)))
    texts = [generate() for generate in made]
    if not np.array_equal(*texts):
        raise SystemExit(
            f"{(texts[0] != texts[1]).sum()} of {texts[0].size} tokens differ: not the same work"
        )
    return made[0], made[1]


def ours(driver: Any) -> Generate:
    """The file's ``prefill`` and ``decode``, with the choice of the token in the same compiled function."""
    from keras import ops

    job, stack = driver.job, driver.stack

    def choosing(step: Callable[..., Any]) -> Callable[..., Any]:
        def chosen(model: Any, cache: Any, *inputs: Any) -> tuple[Any, Any]:
            logits, cache = step(model, cache, *inputs)
            return ops.argmax(logits, axis=-1), cache

        return chosen

    file = SimpleNamespace(
        prefill=choosing(job.file.prefill), decode=choosing(job.file.decode), empty_cache=job.file.empty_cache
    )
    stepper = type(driver.stepper)(driver.model, file, "decode", stack, job.batch)
    stepper.feed([], ())
    stepper.rewind()  # JAX' values are read here
    prompt = stack.to_device(job.batches["prompt"][0])
    positions = [stack.to_device(position) for position in job.batches["position"][:-1]]

    def generate() -> np.ndarray:
        with stepper.without_gradients():
            token, cache = stepper.prefill(file.empty_cache(driver.model, job.batch), prompt)
            tokens = [token]
            for position in positions:
                token, cache = stepper.step(cache, token, position)
                tokens.append(token)
            return np.asarray(stack.to_host(ops.stack(tokens, axis=1)))

    return generate


def theirs(driver: Any) -> Generate:
    """``generate`` of ``keras_hub.models.GPT2CausalLM``."""
    job = driver.job
    prompt, context = job.batches["prompt"][0], job.preset.context
    given = prompt.shape[1]
    inputs = {
        "token_ids": np.pad(prompt, ((0, 0), (0, context - given))).astype(np.int32),
        "padding_mask": np.tile(np.arange(context) < given, (job.batch, 1)),
    }
    driver.model.compile(sampler="greedy")

    def generate() -> np.ndarray:
        return np.asarray(driver.model.generate(inputs, stop_token_ids=None)["token_ids"])[:, given:]

    return generate


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("backend", choices=sorted(MODES))
    parser.add_argument("--preset", default="cpu", choices=tuple(workloads.get("gpt").presets))
    parser.add_argument("--batch", type=int, default=8, metavar="N")
    parser.add_argument("--pairs", type=int, default=30, choices=sorted(T_95))
    arguments = parser.parse_args()

    os.environ["KERAS_BACKEND"] = arguments.backend
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    runs = both(arguments.backend, arguments.preset, arguments.batch)
    blocks = [partial(timed, lambda _, run=run: run(), lambda tokens: tokens, 1) for run in runs]
    interleaved(*blocks, 3)  # warm up
    times = interleaved(*blocks, arguments.pairs)
    where = f"gpt/{arguments.preset}, batch {arguments.batch}"
    print(f"Keras on {arguments.backend}, {where}, ours / KerasHub's generate, {arguments.pairs} pairs:")
    for which, clock in enumerate(("CPU", "wall")):
        found = ratio([(one[which], other[which]) for one, other in times])
        print(
            f"  {clock:4} {found}, one pair ±{found.spread:.1%}: {found.judge(at_most=AT_MOST)}", flush=True
        )


if __name__ == "__main__":
    main()
