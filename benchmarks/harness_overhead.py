"""Does the harness's block cost more than a hand-written loop of the same step?

Pairs of (harness block, hand-written loop) over the same number of steps of the same work, interleaved in random order,
their number fixed beforehand. Run-queue wait, which is the other tenants' doing, is taken out of each duration. The
95 % interval of the ratio is held against [0.99, 1.01]: pass if wholly inside, fail if wholly outside, else undecided.
"""

from __future__ import annotations

import math
import random
import time
from pathlib import Path

import msgspec
import numpy as np

from framebench.campaign.suites import load, parse_contender
from harness import frameworks, protocol, workloads
from harness.workloads import Job

PAIRS = 60
T_95 = 2.001  # Student's t, 0.975, 59 degrees of freedom
BOUND = 0.01
ROOT = Path(__file__).resolve().parent.parent


def waited_ns() -> int:
    """Run-queue wait of all threads of this process so far."""
    return sum(int(path.read_text().split()[1]) for path in Path("/proc/self/task").glob("*/schedstat"))


def main() -> None:
    """Print the ratio, its interval and the verdict."""
    suite = load(ROOT, "smoke")
    case = next(case for case in suite.expand(1) if case.workload == "convstack")
    contender = parse_contender("torch-eager")
    stack = frameworks.load("torch")
    stack.configure(contender, 1, 0)
    workload = workloads.get(case.workload)
    weights = workload.weights(case.preset, 0)
    batches = workload.batches(case.preset, case.batch, 0)
    work = workloads.build(Job(workload, case, contender, weights, batches), stack)
    work.reset(weights)
    rules = msgspec.structs.replace(suite.protocol, measure_blocks=1, measure_s=0.0)
    warm = protocol.warm_up(work.run, stack.barrier, rules, stack.compile_events)
    steps = protocol.block_size(work.run, stack.barrier, rules, warm.steps_per_block).steps

    def by_harness() -> float:
        waited = waited_ns()
        blocks, _ = protocol.measure(work.run, stack.barrier, rules, steps)
        return blocks[0].wall_ns - (waited_ns() - waited)

    def by_hand() -> float:
        waited = waited_ns()
        start = time.perf_counter_ns()
        loss = work.run(steps)
        stack.barrier(loss)
        return time.perf_counter_ns() - start - (waited_ns() - waited)

    order = random.Random(0)
    ratios = []
    for _ in range(PAIRS):
        if order.random() < 0.5:
            harness, hand = by_harness(), by_hand()
        else:
            hand, harness = by_hand(), by_harness()
        ratios.append(math.log(harness / hand))
    mean = float(np.mean(ratios))
    spread = float(np.std(ratios, ddof=1))
    half = T_95 * spread / math.sqrt(PAIRS)
    low, high = math.exp(mean - half), math.exp(mean + half)
    if low >= 1 - BOUND and high <= 1 + BOUND:
        verdict = "pass"
    elif high < 1 - BOUND or low > 1 + BOUND:
        verdict = "fail"
    else:
        verdict = "undecided"
    print(
        f"harness / hand-written loop, {PAIRS} pairs of {steps} steps, run-queue wait taken out: "
        f"{math.exp(mean):.4f} [{low:.4f}, {high:.4f}], spread of one pair {spread:.1%}: {verdict}"
    )


if __name__ == "__main__":
    main()
