"""The words that pages use: gettext's identity for now, and names in prose for what records name by code.

Stacks name themselves, their modes and their variants (``harness.frameworks.StackInfo``); one that is no longer
there is called by its code.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from framebench.dataset import Result, declared
from harness import frameworks
from harness.frameworks import StackInfo
from harness.frameworks.exported import is_exported
from harness.record import Case, Contender


def _(text: str) -> str:
    """The text in the page's language: English only for now, but every string passes here."""
    return text


def stacks() -> list[StackInfo]:
    """Every stack that is compared: the plain frameworks first, then those that run on another one's backend, then
    those that run what others exported."""
    compared = [one for one in declared.stacks().values() if one.name != frameworks.SELF_TEST]
    return sorted(compared, key=lambda one: (is_exported(one), bool(one.backend), one.title.lower()))


def info(stack: str) -> StackInfo | None:
    """What a stack says of itself; null for one that is no longer there."""
    return declared.stacks().get(stack)


def framework(stack: str) -> str:
    """The framework a reader would name: ``keras-jax`` is Keras."""
    known = info(stack)
    return stack if known is None else family(known)


def family(stack: StackInfo) -> str:
    """The framework's own name: what stands before "on" where a backend has its part in the title."""
    if is_exported(stack):
        return stack.title.partition(", ")[0]
    return stack.title.partition(" on ")[0] if stack.backend else stack.title


def families() -> dict[str, str]:
    """Name of each framework that models are written in, by the code that its files have, in the order of
    ``stacks``."""
    found: dict[str, str] = {}
    for one in filter(lambda stack: not is_exported(stack), stacks()):
        found.setdefault(one.framework, family(one))
    return found


def all_of(names: list[str], word: str = "") -> str:
    """``PyTorch, TensorFlow or Keras`` with ``word`` before the last."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} {word or _('and')} {names[-1]}"


def stack_name(stack: str) -> str:
    """``keras-jax`` → ``Keras on JAX``."""
    known = info(stack)
    return known.title if known else stack


def mode_name(contender: Contender) -> str:
    """How the stack is used, in its community's words: ``tf.function, XLA``, ``jit, fit/predict``."""
    known = info(contender.stack)
    own = known.words if known else {}
    words = [own.get(contender.mode, _(contender.mode)), *_variant_words(contender.variant, own)]
    if contender.twin:
        words.append(_("twin (A/A)"))
    return ", ".join(word for word in words if word)


def _variant_words(variant: str, own: Mapping[str, str]) -> list[str]:
    """A variant's parts in words; of the parts that a stack names, the longest that fit (``channels-first-loop``)."""
    parts = variant.split("-") if variant else []
    words = []
    while parts:
        length = next((n for n in range(len(parts), 0, -1) if "-".join(parts[:n]) in own), 1)
        name = "-".join(parts[:length])
        words.append(own.get(name, name))
        parts = parts[length:]
    return words


def result_name(result: Result) -> str:
    """The contender of a result in words, with its version where the dataset has several."""
    return with_version(contender_name(result.contender), result)


def with_version(name: str, result: Result) -> str:
    """``PyTorch (2.12.1-cpu-py311)``; the name alone where the dataset has one version only."""
    return f"{name} ({result.version})" if result.version else name


def contender_name(contender: Contender) -> str:
    """``PyTorch, torch.compile``; ``Keras on JAX, jit, fit/predict``."""
    return f"{stack_name(contender.stack)}, {mode_name(contender)}"


TASKS = {
    "train": _("training"),
    "infer": _("inference"),
    "backbone": _("its backbone alone"),
    "rpn": _("its proposals alone"),
    "roi": _("its second stage alone"),
    "prefill": _("reading a prompt"),
    "decode": _("generating, token by token"),
    "load": _("loading data"),
    "call": _("calling the framework"),
}


def task_name(task: str) -> str:
    """``train`` → ``training``."""
    return TASKS.get(task, task)


PRECISIONS = {
    "fp32": _("fp32"),
    "tf32": _("fp32 with TF32 products"),
    "bf16": _("bf16"),
    "bf16 train": _("bf16 compute, fp32 weights"),
    "bf16 other": _("bf16 weights and compute"),
}


def precision_name(case: Case) -> str:
    """``bf16 compute, fp32 weights``: what a case's precision means for its task."""
    detailed = f"{case.precision} {'train' if case.task == 'train' else 'other'}"
    return PRECISIONS.get(detailed, PRECISIONS.get(case.precision, case.precision))


def cores_or_device(case: Case) -> str:
    """What a case may use: ``2 cores``, ``gpu``."""
    return _("{n} cores").format(n=case.cores) if case.device == "cpu" else case.device


def common_unit(results: Iterable[Result]) -> str:
    """What all of them count in a step; ``samples`` where they do not agree (older records know nothing else)."""
    units = {result.unit for result in results if result.time_ns is not None}
    return units.pop() if len(units) == 1 else "samples"


UNITS = {"samples": _("samples"), "images": _("images"), "tokens": _("tokens"), "calls": _("calls")}
ONE_OF = {"samples": _("sample"), "images": _("image"), "tokens": _("token"), "calls": _("call")}


def rate_unit(unit: str) -> str:
    """``images/s``."""
    return _("{unit}/s").format(unit=UNITS.get(unit, unit))


def one_of(unit: str) -> str:
    """``images`` → ``image``."""
    return ONE_OF.get(unit, unit)


MEASURES = {
    "test accuracy": (_("test accuracy"), _("Test accuracy")),
    "validation loss": (_("validation loss"), _("Validation loss")),
    "mAP at IoU 0.5": (_("mAP at IoU 0.5"), _("mAP at IoU 0.5")),
}


def measure_name(measure: str, first: bool = False) -> str:
    """What a training is judged by; ``first`` begins a sentence."""
    return MEASURES.get(measure, (measure, measure.capitalize()))[first]


STATUSES = {
    "ok": _("measured"),
    "not_comparable": _("not comparable: failed the gate"),
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
    "parity": _("the gate: compare with the reference"),
    "shape_before": _("compare the timed shape, before"),
    "shape_after": _("compare the timed shape, after"),
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
