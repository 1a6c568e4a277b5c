"""NumPy: the stack of the self-test, which proves the machinery. Nobody compares it.

``plus1`` … ``plus5`` do that many percent more work in every step (see ``workloads/planted``). The other variants
break a promise that a canary has to notice: ``nowait`` hands back products that are not finished, ``tf32`` and
``bf16`` round their operands as such units do, ``oversubscribed`` runs a team made for a larger machine.
"""

from __future__ import annotations

from harness.frameworks import StackInfo

STACKS = (
    StackInfo(
        name="numpy",
        title="NumPy",
        framework="numpy",
        modes={
            "eager": ("", "plus1", "plus2", "plus3", "plus5", "nowait", "tf32", "bf16", "oversubscribed"),
        },
        modules=("numpy",),
    ),
)


def environment(stack: str, cores: int, cache_dir: str | None) -> dict[str, str]:
    """Nothing that NumPy would read after it was imported."""
    return {}
