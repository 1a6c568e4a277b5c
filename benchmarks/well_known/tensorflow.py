"""TensorFlow: Keras' and KerasHub's layers in a ``tf.function``."""

from benchmarks.well_known.keras import MODELS, work

__all__ = ["MODELS", "work"]
