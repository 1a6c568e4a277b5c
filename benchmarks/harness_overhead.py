"""Does the harness's block cost more than a hand-written loop of the same step?

``python -m benchmarks.harness_overhead [--stack torch] [--pairs 60]``. For every workload below in its smoke
preset, pairs of (the protocol's block around the driver's ``run``, a hand-written loop), over the same
number of steps, interleaved in random order, their number fixed beforehand. The loop uses the driver's own model,
optimizer and batches, so that both do the same work in the same memory. On one core; run-queue wait, which is the
other tenants' doing, is taken out of each duration. The 95 % interval of the ratio is held against [0.99, 1.01]: pass
if wholly inside, fail if wholly outside, else undecided.
"""

from __future__ import annotations

import argparse
import itertools
import os
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.pairs import T_95, Ratio, interleaved, ratio
from framebench.campaign.suites import load, parse_contender
from harness import frameworks, protocol
from harness.frameworks import Stack
from harness.gate.check import timed_job
from harness.record import Case, Contender, Protocol
from harness.trials.prepare import pin

ROOT = Path(__file__).resolve().parent.parent
BOUND = 0.01
WORKLOADS = ("convstack", "resnet50", "gpt")

Step = Callable[..., Any]


def torch_step(driver: Any) -> Step:
    loss_of, model, optimizer = driver.file.loss, driver.model, driver.optimizer
    declared, steps = driver.job.workload.optimizer, itertools.count()

    def step(*inputs: Any) -> Any:
        optimizer.zero_grad()
        loss = loss_of(model, *inputs)
        loss.backward()
        if declared.schedule is not None:
            for group in optimizer.param_groups:
                group["lr"] = declared.lr * declared.schedule.factor(next(steps))
        optimizer.step()
        return loss

    return step


def tensorflow_step(driver: Any) -> Step:
    import tensorflow as tf

    @tf.function
    def step(*inputs: Any) -> Any:
        with tf.GradientTape() as tape:
            loss = driver.file.loss(driver.model, *inputs)
        driver.optimizer.apply(tape.gradient(loss, driver.optimizer.weights))
        return loss

    return step  # type: ignore[no-any-return]


def jax_step(driver: Any) -> Step:
    import jax
    import optax

    def loss_of(params: Any, buffers: Any, *inputs: Any) -> Any:
        if driver.buffered:
            return driver.file.loss(driver.model, params, buffers, *inputs)
        return driver.file.loss(driver.model, params, *inputs), buffers

    def update(state: Any, *inputs: Any) -> Any:
        params, buffers, slots = state
        (loss, buffers), gradients = jax.value_and_grad(loss_of, has_aux=True)(params, buffers, *inputs)
        updates, slots = driver.optimizer.update(gradients, slots, params)
        return loss, (optax.apply_updates(params, updates), buffers, slots)

    compiled = jax.jit(update)  # on a CPU the driver gives no memory away either
    state = jax.tree.map(jax.numpy.copy, driver.carry)

    def step(*inputs: Any) -> Any:
        nonlocal state
        loss, state = compiled(state, *inputs)
        return loss, state

    return step


STEPS = {  # the contender, and its step by hand
    "torch": ("torch-eager", torch_step),
    "tensorflow": ("tensorflow-compiled-graph", tensorflow_step),
    "jax": ("jax-compiled", jax_step),
}


def waited_ns() -> int:
    """Run-queue wait of all threads of this process so far."""
    return sum(int(path.read_text().split()[1]) for path in Path("/proc/self/task").glob("*/schedstat"))


def compare(
    case: Case, contender: Contender, stack: Stack, by_hand: Any, rules: Protocol, pairs: int
) -> tuple[Ratio, int]:
    """The harness's block over the loop, and the steps in both."""
    stack.configure(case, contender, 0)
    driver = frameworks.build(timed_job(case, contender), stack)
    one_block = msgspec.structs.replace(rules, measure_blocks=1, measure_s=0.0)
    warm = protocol.warm_up(driver.run, stack.barrier, rules, stack.compile_events)
    steps = protocol.block_size(driver.run, stack.barrier, rules, warm.steps_per_block).steps
    step, batches = by_hand(driver), driver.stream.batches  # type: ignore[attr-defined]

    def by_harness() -> float:
        waited = waited_ns()
        blocks, _ = protocol.measure(driver.run, stack.barrier, one_block, steps)
        return blocks[0].wall_ns - (waited_ns() - waited)

    def loop() -> float:
        waited = waited_ns()
        start = time.perf_counter_ns()
        for number in range(steps):
            output = step(*batches[number % len(batches)])
        stack.barrier(output)
        return time.perf_counter_ns() - start - (waited_ns() - waited)

    loop()  # compile
    return ratio(interleaved(by_harness, loop, pairs)), steps


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--stack", default="torch", choices=sorted(STEPS))
    parser.add_argument("--pairs", type=int, default=60, choices=sorted(T_95))
    arguments = parser.parse_args()
    pin(1)
    os.environ.update(frameworks.environment(arguments.stack, 1, None))
    stack = frameworks.load(arguments.stack)
    slug, by_hand = STEPS[arguments.stack]
    suite = load(ROOT, "smoke")
    verdicts: Counter[str] = Counter()
    for case in suite.expand(1):
        if case.task != "train" or case.workload not in WORKLOADS:
            continue
        found, steps = compare(case, parse_contender(slug), stack, by_hand, suite.protocol, arguments.pairs)
        verdict = found.judge(at_least=1 - BOUND, at_most=1 + BOUND)
        verdicts[verdict] += 1
        print(
            f"{slug} {case.path}, harness / by hand, {arguments.pairs} pairs of {steps} steps, run-queue wait "
            f"taken out: {found}, spread of one pair {found.spread:.1%}: {verdict}",
            flush=True,
        )
    counted = ", ".join(f"{verdicts[word]} {word}" for word in ("pass", "fail", "undecided"))
    print(f"harness / hand-written loop within {1 - BOUND:.2f} to {1 + BOUND:.2f}: {counted}")


if __name__ == "__main__":
    main()
