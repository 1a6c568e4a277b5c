"""TensorFlow shares a step by ``tf.distribute.MirroredStrategy``: one process, a copy of each variable on every device.

On a CPU the devices are logical ones; its thread pool stays one. TensorFlow has synchronized statistics in Keras'
layers alone, so a model with BatchNorm of its own cannot be shared.
"""

from __future__ import annotations

from harness import data_parallel
from harness.data_parallel import Means, SharedDriver
from harness.frameworks import Stack, Unsupported
from harness.record import Case, Contender
from harness.workloads import Job


def means(case: Case, contender: Contender) -> Means:
    if case.device == "gpu":
        raise Unsupported("TensorFlow's stack shows a process one GPU", "ask for one device")
    if contender.variant == "xla":
        raise Unsupported("XLA compiles a tf.function for one device", "ask for the variant graph")
    if data_parallel.averages_over_batch(case):
        raise Unsupported(
            "tf.distribute has synchronized BatchNorm in Keras' layers alone, and one of its own would average over a "
            "device's part of the batch",
            "run another workload",
        )
    return Means(words="tf.distribute.MirroredStrategy")


def join(case: Case, rank: int, meeting: str) -> None:
    """Devices are made before TensorFlow looks at them for the first time."""
    import tensorflow as tf

    (cpu,) = tf.config.list_physical_devices("CPU")
    tf.config.set_logical_device_configuration(
        cpu, [tf.config.LogicalDeviceConfiguration() for _ in range(case.device_count)]
    )


def build(job: Job, stack: Stack) -> SharedDriver:
    from harness.frameworks.tensorflow.mirrored import MirroredDriver

    return MirroredDriver(job, stack)
