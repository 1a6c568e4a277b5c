"""Is our step as fast as the framework's own well-known way? (DESIGN section 6.7)

``python -m benchmarks.native_loops <stack> [--workload convstack] [--preset smoke] [--batch 8] [--pairs 30]``
runs, in one process and interleaved, the ``run(n)`` of our eager / graph ``loop`` contender and a loop written
the way the framework's tutorials write it, on the same batches. It prints the ratio ours / native of CPU time
and of wall time: the geometric mean over the pairs with its 95 % t interval.
"""

from __future__ import annotations

import argparse
import math
import os
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from harness import frameworks, workloads
from harness.record import Case, Contender
from harness.workloads import Job

CONTENDERS = {
    "torch": Contender(stack="torch", mode="eager"),
    "tensorflow": Contender(stack="tensorflow", mode="compiled", variant="graph"),
    "keras-tensorflow": Contender(stack="keras-tensorflow", mode="compiled", variant="graph-loop"),
    "keras-torch": Contender(stack="keras-torch", mode="eager", variant="loop"),
    "keras-jax": Contender(stack="keras-jax", mode="compiled", variant="loop"),
}
T_95 = {10: 2.26, 20: 2.09, 30: 2.045, 50: 2.01}  # Student's t, 0.975, n - 1 degrees of freedom


def native_torch(job: Job) -> Callable[[int], Any]:
    """The loop of PyTorch's quickstart."""
    import torch
    from torch import nn

    preset = job.workload.presets[job.case.preset]
    if job.workload.name == "convstack":
        layers: list[nn.Module] = []
        for c_in, c_out in zip((3, *preset.channels), preset.channels, strict=False):
            layers += [nn.Conv2d(c_in, c_out, 3, padding=1), nn.MaxPool2d(2, 2)]
        model = nn.Sequential(*layers, nn.Flatten(), nn.Linear(preset.channels[-1], preset.classes))
        x = torch.tensor(job.batches.x).permute(0, 1, 4, 2, 3).contiguous()
    else:
        a, b, c, d = preset.widths
        model = nn.Sequential(
            nn.Flatten(), nn.Linear(a, b), nn.ReLU(), nn.Linear(b, c), nn.ReLU(), nn.Linear(c, d)
        )
        x = torch.tensor(job.batches.x)
    y = torch.tensor(job.batches.y)
    loss_fn = nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=job.workload.learning_rate, momentum=0.9)

    def run(n: int) -> Any:
        model.train()
        for step in range(n):
            pred = model(x[step % len(x)])
            loss = loss_fn(pred, y[step % len(y)])
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
        return loss

    return run


def keras_model(job: Job) -> Any:
    """The model as a Keras user writes it, compiled with strings and defaults wherever they mean the same."""
    import keras
    from keras import layers

    preset = job.workload.presets[job.case.preset]
    if job.workload.name == "convstack":
        model = keras.Sequential([keras.Input((preset.size, preset.size, 3))])
        for channels in preset.channels:
            model.add(layers.Conv2D(channels, 3, padding="same"))
            model.add(layers.MaxPooling2D())
        model.add(layers.Flatten())
        model.add(layers.Dense(preset.classes))
    else:
        model = keras.Sequential([keras.Input((8, 8)), layers.Flatten()])
        for width in preset.widths[1:-1]:
            model.add(layers.Dense(width, activation="relu"))
        model.add(layers.Dense(preset.widths[-1]))
    model.compile(
        optimizer=keras.optimizers.SGD(job.workload.learning_rate, momentum=0.9),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=CONTENDERS[job.contender.stack].variant == "loop" and job.contender.mode == "compiled",
    )
    return model


def native_keras(job: Job) -> Callable[[int], Any]:
    """``model.fit`` on arrays, as in Keras' getting-started pages."""
    model = keras_model(job)
    batch = job.case.batch
    x = job.batches.x.reshape(-1, *job.batches.x.shape[2:])
    y = job.batches.y.reshape(-1)

    def run(n: int) -> Any:
        times = math.ceil(n * batch / len(x))
        images, labels = (np.concatenate([part] * times)[: n * batch] for part in (x, y))
        start = time.perf_counter_ns(), time.process_time_ns()
        model.fit(images, labels, batch_size=batch, epochs=1, verbose=0, shuffle=False)
        return start  # the copies above are not fit's

    return run


def native_tensorflow(job: Job) -> Callable[[int], Any]:
    """The loop of TensorFlow's advanced quickstart: a Keras model and optimizer in a ``tf.function``."""
    import tensorflow as tf

    model = keras_model(job)
    loss_object = tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    optimizer = tf.keras.optimizers.SGD(job.workload.learning_rate, momentum=0.9)

    @tf.function
    def train_step(images: Any, labels: Any) -> Any:
        with tf.GradientTape() as tape:
            loss = loss_object(labels, model(images, training=True))
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
        return loss

    batches = [(tf.constant(x), tf.constant(y)) for x, y in zip(*job.batches, strict=True)]

    def run(n: int) -> Any:
        for step in range(n):
            loss = train_step(*batches[step % len(batches)])
        return loss

    return run


def timed(run: Callable[[int], Any], barrier: Callable[[Any], Any], n: int) -> tuple[float, float]:
    """Wall and CPU time of one block, ns; a native run that prepares data says when it really began."""
    wall, cpu = time.perf_counter_ns(), time.process_time_ns()
    output = run(n)
    if isinstance(output, tuple):
        wall, cpu = output
    else:
        barrier(output)
    return time.perf_counter_ns() - wall, time.process_time_ns() - cpu


def report(name: str, ratios: list[float]) -> None:
    logs = [math.log(ratio) for ratio in ratios]
    half = T_95[len(logs)] * statistics.stdev(logs) / math.sqrt(len(logs))
    mean = statistics.mean(logs)
    interval = f"[{math.exp(mean - half):.3f}, {math.exp(mean + half):.3f}]"
    print(f"  {name:5} ours / native = {math.exp(mean):.3f}  95 % {interval}  ({len(logs)} pairs)")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("stack", choices=sorted(CONTENDERS))
    parser.add_argument("--workload", default="convstack", choices=workloads.names())
    parser.add_argument("--preset", default="smoke")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--pairs", type=int, default=30, choices=sorted(T_95))
    parser.add_argument("--steps", type=int, default=50, help="steps per block")
    parser.add_argument("--cores", type=int, default=len(os.sched_getaffinity(0)))
    arguments = parser.parse_args()

    contender = CONTENDERS[arguments.stack]
    os.environ.update(frameworks.environment(contender.stack, arguments.cores, None))
    stack = frameworks.load(contender.stack)
    stack.configure(contender, arguments.cores, 0)
    spec = workloads.get(arguments.workload)
    case = Case(
        workload=spec.name,
        preset=arguments.preset,
        task="train",
        batch=arguments.batch,
        cores=arguments.cores,
    )
    weights, batches = spec.weights(case.preset, 0), spec.batches(case.preset, case.batch, 0)
    job = Job(spec, case, contender, weights, batches)
    ours = workloads.build(job, stack).run
    family = contender.stack.split("-")[0]
    native = {"torch": native_torch, "tensorflow": native_tensorflow, "keras": native_keras}[family](job)

    for run in (ours, native, ours, native):  # compile and warm up
        timed(run, stack.barrier, arguments.steps)
    walls, cpus = [], []
    for pair in range(arguments.pairs):
        order = [(0, ours), (1, native)]
        times = dict.fromkeys((0, 1), (0.0, 0.0))
        for who, run in order if pair % 2 else reversed(order):
            times[who] = timed(run, stack.barrier, arguments.steps)
        walls.append(times[0][0] / times[1][0])
        cpus.append(times[0][1] / times[1][1])
    print(f"{contender.slug} {case.path}, blocks of {arguments.steps} steps")
    report("CPU", cpus)
    report("wall", walls)


if __name__ == "__main__":
    main()
