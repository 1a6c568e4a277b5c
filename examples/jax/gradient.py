"""JAX: the function is traced.

From the trace grad makes another function, a program of its own.
"""

import jax


def y(x):
    return jax.numpy.sin(x) * x


slope = jax.grad(y)
print(jax.make_jaxpr(slope)(2.0))

print(f"{slope(2.0):.4f}")
