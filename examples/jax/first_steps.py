"""A small network in JAX: trained in ten passes over 1024 rows, then tested on 256 new ones."""

import jax
import numpy as np
import optax

random = np.random.default_rng(0)
x = random.normal(size=(1280, 8)).astype(np.float32)
y = x[:, :3].argmax(axis=1)  # the class: which of the first three numbers is the largest


def model(params, x):
    hidden = jax.nn.relu(x @ params["kernel_0"] + params["bias_0"])
    return hidden @ params["kernel_1"] + params["bias_1"]


def loss(params, x, y):
    return optax.softmax_cross_entropy_with_integer_labels(model(params, x), y).mean()


@jax.jit
def train_step(params, state, x, y):
    updates, state = optimizer.update(jax.grad(loss)(params, x, y), state)
    return optax.apply_updates(params, updates), state


key_0, key_1 = jax.random.split(jax.random.key(0))
params = {
    "kernel_0": jax.random.normal(key_0, (8, 32)) * 0.3,
    "bias_0": jax.numpy.zeros(32),
    "kernel_1": jax.random.normal(key_1, (32, 3)) * 0.3,
    "bias_1": jax.numpy.zeros(3),
}
optimizer = optax.sgd(0.5)
state = optimizer.init(params)

for start in 10 * [*range(0, 1024, 64)]:
    rows = slice(start, start + 64)
    params, state = train_step(params, state, x[rows], y[rows])

accuracy = (model(params, x[1024:]).argmax(axis=1) == y[1024:]).mean()
print(f"accuracy {accuracy:.3f}")
