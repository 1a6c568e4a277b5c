"""TensorFlow: a tape records what runs inside its block.

Inside tf.function both ways become one graph.
"""

import tensorflow as tf


@tf.function
def slope(x):
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = tf.sin(x) * x
    return tape.gradient(y, x)


graph = slope.get_concrete_function(tf.TensorSpec(())).graph
print([one.type for one in graph.get_operations()])

print(f"{slope(tf.constant(2.0)):.4f}")
