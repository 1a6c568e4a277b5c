"""The words that pages use: gettext's identity for now, and names in prose for what records name by code."""

from __future__ import annotations

from framebench.dataset import Result
from harness.record import Contender


def _(text: str) -> str:
    """The text in the page's language: English only for now, but every string passes here."""
    return text


def framework(stack: str) -> str:
    """The framework a reader would name: ``keras-jax`` is Keras."""
    return {"torch": "PyTorch", "tensorflow": "TensorFlow", "keras": "Keras"}.get(stack.split("-")[0], stack)


def stack_name(stack: str) -> str:
    """``keras-jax`` → ``Keras on JAX``."""
    family, _sep, backend = stack.partition("-")
    if family == "keras" and backend:
        backends = {"tensorflow": "TensorFlow", "torch": "PyTorch", "jax": "JAX"}
        return _("Keras on {backend}").format(backend=backends.get(backend, backend))
    return framework(stack)


def mode_name(contender: Contender) -> str:
    """How the stack is used, in its community's words: ``tf.function, XLA``, ``jit, fit/predict``."""
    variant = contender.variant.split("-") if contender.variant else []
    backend = contender.stack.split("-")[-1]
    if contender.mode == "compiled" and backend == "tensorflow":
        words = ["tf.function, XLA" if "xla" in variant else "tf.function"]
    elif contender.mode == "compiled":
        words = [{"torch": "torch.compile", "jax": "jit"}.get(backend, _("compiled"))]
    else:
        words = [_(contender.mode)]
    known = {"loop": "fit/predict", "direct": _("direct step"), "graph": "", "xla": ""}
    words += [known.get(part, part) for part in variant]
    if contender.twin:
        words.append(_("twin (A/A)"))
    return ", ".join(word for word in words if word)


def result_name(result: Result) -> str:
    """The contender of a result in words, with its version where the dataset has several."""
    return with_version(contender_name(result.contender), result)


def with_version(name: str, result: Result) -> str:
    """``PyTorch (2.12.1-cpu-py311)``; the name alone where the dataset has one version only."""
    return f"{name} ({result.version})" if result.version else name


def contender_name(contender: Contender) -> str:
    """``PyTorch, torch.compile``; ``Keras on JAX, jit, fit/predict``."""
    return f"{stack_name(contender.stack)}, {mode_name(contender)}"


def task_name(task: str) -> str:
    """``train`` → ``training``."""
    return {"train": _("training"), "infer": _("inference")}.get(task, task)


STATUSES = {
    "ok": _("measured"),
    "not_comparable": _("not comparable: failed the parity gate"),
    "oom": _("out of memory"),
    "timeout": _("timed out"),
    "crashed": _("crashed"),
    "unsupported": _("unsupported"),
    "invalid": _("invalid"),
    "interrupted": _("interrupted"),
    "not timed": _("not timed yet"),
}


def status_name(status: str) -> str:
    """An outcome's status in words."""
    return STATUSES.get(status, status)


VERDICTS = {
    "faster": _("faster"),
    "slower": _("slower"),
    "tied": _("tied"),
    "undecided": _("undecided"),
    "no verdict": _("no verdict"),
    "not ranked": _("not ranked"),
}


def verdict_name(verdict: str) -> str:
    """A comparison's verdict in words."""
    return VERDICTS.get(verdict, verdict)


EXECUTORS = {
    "docker": _("in its container"),
    "venv": _("outside a container, in a virtual environment from the same lock"),
    "system": _("outside a container, in the system's own interpreter"),
    "slurm": _("on a Slurm cluster"),
}


def executor_name(executor: str) -> str:
    """Where a trial ran, in words."""
    return EXECUTORS.get(executor, executor)


PHASES = {
    "import": _("import the framework"),
    "configure": _("configure"),
    "build": _("build the model"),
    "load_weights": _("load the weights"),
    "first_step": _("first step (trace and compile)"),
    "second_step": _("second step"),
    "rest_before": _("rest, for the GPU's power at rest"),
    "warm_up": _("warm-up"),
    "observer": _("blocks with and without the sampler"),
    "rest_after": _("rest after the blocks"),
    "data": _("prepare the batches"),
    "canaries": _("canaries"),
    "parity": _("compare with the reference"),
    "steps": _("steps for the memory peak"),
    "block_size": _("find the block size"),
    "blocks": _("timed blocks"),
    "latencies": _("latency pass"),
    "learning": _("train to the target, with evaluation"),
    "matmul": _("large matrix products"),
    "copy": _("large copies"),
}


def phase_name(name: str) -> str:
    """A phase of a trial in words."""
    return PHASES.get(name.replace("-", "_"), name)
