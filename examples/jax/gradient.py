"""JAX: the function is traced, and grad makes from the trace another function, which is a program of its own."""

import jax


def y(x):
    return jax.numpy.sin(x) * x


slope = jax.grad(y)
print(jax.make_jaxpr(slope)(2.0))

print(f"{slope(2.0):.4f}")
