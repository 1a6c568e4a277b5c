"""A small network in TensorFlow: trained in ten passes over 1024 rows, then tested on 256 new ones."""

import numpy as np
import tensorflow as tf

random = np.random.default_rng(0)
x = random.normal(size=(1280, 8)).astype(np.float32)
y = x[:, :3].argmax(axis=1)  # the class: which of the first three numbers is the largest
train = tf.data.Dataset.from_tensor_slices((x[:1024], y[:1024])).batch(64).repeat(10)
x_test, y_test = tf.constant(x[1024:]), tf.constant(y[1024:])


class Model(tf.Module):
    def __init__(self):
        super().__init__()
        draw = tf.random.Generator.from_seed(0).normal
        self.kernels = [tf.Variable(draw((8, 32)) * 0.3), tf.Variable(draw((32, 3)) * 0.3)]
        self.biases = [tf.Variable(tf.zeros(32)), tf.Variable(tf.zeros(3))]

    def __call__(self, x):
        hidden = tf.nn.relu(x @ self.kernels[0] + self.biases[0])
        return hidden @ self.kernels[1] + self.biases[1]


model = Model()


@tf.function
def train_step(x, y):
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(y, model(x)))
    variables = model.trainable_variables
    for variable, gradient in zip(variables, tape.gradient(loss, variables), strict=True):
        variable.assign_sub(0.5 * gradient)


for x_batch, y_batch in train:
    train_step(x_batch, y_batch)

accuracy = tf.reduce_mean(tf.cast(tf.argmax(model(x_test), axis=1) == y_test, tf.float32))
print(f"accuracy {accuracy:.3f}")
