"""The pages of stacks: how each builds its graph, what compiling costs and buys, and all its results."""

from __future__ import annotations

from typing import Any

from framebench.pages import figures
from framebench.pages.compiling import compiling_table
from framebench.pages.evidence import Evidence
from framebench.pages.listings import results_table
from framebench.pages.views import Cell, Table
from framebench.pages.words import _, stack_name
from harness import frameworks

ABOUT = {
    "torch": _(
        "Eager by default: each operation runs as Python reaches it, and the graph for the gradient is "
        "recorded on the way (a dynamic graph). `torch.compile` traces the forward pass and the loss into "
        "one graph, derives the backward pass from it ahead of time, and generates code for both; the "
        "optimizer's step is compiled apart, because this version does not accept it inside the same graph."
    ),
    "tensorflow": _(
        "Eager by default since version 2; the gradient comes from a tape that records operations as they "
        "run. `tf.function` traces Python into a static graph; with `jit_compile=True` XLA compiles that "
        "graph into fused kernels."
    ),
    "keras-tensorflow": _(
        "Keras writes the model and the training loop; TensorFlow runs them. `fit` always runs a "
        "`tf.function` unless told otherwise; `jit_compile` decides whether XLA compiles it. Keras' own "
        '"auto" is resolved and recorded, never published as such.'
    ),
    "keras-torch": _(
        "Keras writes the model and the training loop; PyTorch runs them, eagerly unless `jit_compile=True`, "
        "which hands the step to `torch.compile`."
    ),
    "keras-jax": _(
        "Keras writes the model and the training loop; JAX runs them. Its step is a pure function that XLA "
        "compiles as a whole, gradient and optimizer included; state goes in and comes out. Eager JAX "
        "dispatches each operation by itself and is there for comparison."
    ),
}


def names() -> list[str]:
    """Every stack that is compared, the plain frameworks first."""
    stacks = set(frameworks.stacks()) - {frameworks.SELF_TEST} | set(ABOUT)
    order = list(ABOUT)
    return sorted(stacks, key=lambda name: (order.index(name) if name in order else len(order), name))


def index(evidence: Evidence) -> dict[str, Any]:
    """The list of stacks."""
    rows = []
    for name in names():
        results = [r for r in evidence.dataset.results if r.contender.stack == name and not r.superseded]
        modes = sorted({result.contender.slug.removeprefix(name + "-") for result in results})
        rows.append(
            [
                Cell(stack_name(name), href=f"{name}/", stack=name),
                Cell(", ".join(modes) or figures.NONE, "fb-reason"),
                Cell(str(len(results)), "fb-num"),
            ]
        )
    return {
        "title": _("Stacks"),
        "lead": _("A framework, or Keras with the backend that runs it."),
        "table": Table([_("Stack"), _("Modes and variants measured"), _("Results")], rows),
        "empty": _("There is no stack."),
    }


def view(name: str, evidence: Evidence) -> dict[str, Any]:
    """Everything the template ``stack.md.j2`` needs."""
    results = [result for result in evidence.dataset.results if result.contender.stack == name]
    compiling = []
    for group in evidence.groups:
        table = compiling_table(group, "../../", stack=name)
        if table.rows:
            compiling.append(table._replace(caption=f"{group.short_title}, {group.place}"))
    return {
        "name": name,
        "title": stack_name(name),
        "about": ABOUT.get(name, ""),
        "compiling": compiling,
        "results": results_table(results, "../../"),
    }
