"""Names in prose, in the language that is spoken, for what records name by code.

Stacks name themselves, their modes and their variants (``harness.frameworks.StackInfo``); one that is no longer
there is called by its code.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from framebench.dataset import Result, declared
from framebench.language import N_, _
from harness import frameworks
from harness.frameworks import StackInfo
from harness.frameworks.exported import is_exported
from harness.record import Case, Contender


def stacks() -> list[StackInfo]:
    """Every stack that is compared: the plain frameworks first, then those that run on another one's backend, then
    libraries, then those that run what others exported."""
    compared = [one for one in declared.stacks().values() if one.name != frameworks.SELF_TEST]
    return sorted(compared, key=_place)


def _place(stack: StackInfo) -> tuple[bool, bool, bool, str]:
    return is_exported(stack), not declared.is_framework(stack), bool(stack.backend), stack.title.lower()


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
    return _families(filter(declared.is_framework, stacks()))


def families_and_libraries() -> dict[str, str]:
    """``families``, and the libraries whose own models are beside them."""
    return _families(stack for stack in stacks() if not is_exported(stack))


def _families(of: Iterable[StackInfo]) -> dict[str, str]:
    found: dict[str, str] = {}
    for one in of:
        found.setdefault(one.framework, family(one))
    return found


def all_of(names: list[str], word: str = "") -> str:
    """``PyTorch, TensorFlow or Keras`` with ``word`` before the last."""
    return names[0] if len(names) == 1 else f"{_(', ').join(names[:-1])} {word or _('and')} {names[-1]}"


def stack_name(stack: str) -> str:
    """``keras-jax`` → ``Keras on JAX``."""
    known = info(stack)
    return known.title if known else stack


def mode_name(contender: Contender) -> str:
    """How the stack is used, in its community's words: ``tf.function, XLA``, ``jit, fit/predict``."""
    known = info(contender.stack)
    own = known.words if known else {}
    words = [_(own.get(contender.mode, contender.mode)), *_variant_words(contender.variant, own)]
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
        words.append(_(own.get(name, name)))
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
    "train": N_("training"),
    "infer": N_("inference"),
    "backbone": N_("its backbone alone"),
    "rpn": N_("its proposals alone"),
    "roi": N_("its second stage alone"),
    "prefill": N_("reading a prompt"),
    "decode": N_("generating, token by token"),
    "load": N_("loading data"),
    "call": N_("calling the framework"),
}


def task_name(task: str) -> str:
    """``train`` → ``training``."""
    return _(TASKS.get(task, task))


PRECISIONS = {
    "fp32": N_("fp32"),
    "tf32": N_("fp32 with TF32 products"),
    "bf16": N_("bf16"),
    "bf16 train": N_("bf16 compute, fp32 weights"),
    "bf16 other": N_("bf16 weights and compute"),
}


def precision_name(case: Case) -> str:
    """``bf16 compute, fp32 weights``: what a case's precision means for its task."""
    detailed = f"{case.precision} {'train' if case.task == 'train' else 'other'}"
    return _(PRECISIONS.get(detailed, PRECISIONS.get(case.precision, case.precision)))


def cores_or_device(case: Case) -> str:
    """What a case may use: ``2 cores``, ``gpu``; with several devices ``2 cores, 2 devices``, ``gpu, 2 devices``."""
    words = _("{n} cores").format(n=case.cores) if case.device == "cpu" else case.device
    return ", ".join([words, *devices_if_several(case)])


def devices_if_several(case: Case) -> list[str]:
    """Said where it is not one."""
    return [] if case.device_count == 1 else [_("{n} devices").format(n=case.device_count)]


def common_unit(results: Iterable[Result]) -> str:
    """What all of them count in a step; ``samples`` where they do not agree (older records know nothing else)."""
    units = {result.unit for result in results if result.time_ns is not None}
    return units.pop() if len(units) == 1 else "samples"


UNITS = {"samples": N_("samples"), "images": N_("images"), "tokens": N_("tokens"), "calls": N_("calls")}
ONE_OF = {"samples": N_("sample"), "images": N_("image"), "tokens": N_("token"), "calls": N_("call")}


def rate_unit(unit: str) -> str:
    """``images/s``."""
    return _("{unit}/s").format(unit=_(UNITS.get(unit, unit)))


def one_of(unit: str) -> str:
    """``images`` → ``image``."""
    return _(ONE_OF.get(unit, unit))


MEASURES = {
    "test accuracy": (N_("test accuracy"), N_("Test accuracy")),
    "validation loss": (N_("validation loss"), N_("Validation loss")),
    "mAP at IoU 0.5": (N_("mAP at IoU 0.5"), N_("mAP at IoU 0.5")),
}


def measure_name(measure: str, first: bool = False) -> str:
    """What a training is judged by; ``first`` begins a sentence."""
    return _(MEASURES.get(measure, (measure, measure.capitalize()))[first])


STATUSES = {
    "ok": N_("measured"),
    "not_comparable": N_("not comparable: failed the gate"),
    "oom": N_("out of memory"),
    "timeout": N_("timed out"),
    "crashed": N_("crashed"),
    "unsupported": N_("unsupported"),
    "invalid": N_("invalid"),
    "interrupted": N_("interrupted"),
    "not timed": N_("not timed yet"),
}


def status_name(status: str) -> str:
    """An outcome's status in words."""
    return _(STATUSES.get(status, status))


VERDICTS = {
    "faster": N_("faster"),
    "slower": N_("slower"),
    "tied": N_("tied"),
    "undecided": N_("undecided"),
    "no verdict": N_("no verdict"),
    "not ranked": N_("not ranked"),
}


def verdict_name(verdict: str) -> str:
    """A comparison's verdict in words."""
    return _(VERDICTS.get(verdict, verdict))


EXECUTORS = {
    "docker": N_("in its container"),
    "venv": N_("outside a container, in a virtual environment from the same lock"),
    "system": N_("outside a container, in the system's own interpreter"),
    "slurm": N_("on a Slurm cluster"),
}


def executor_name(executor: str) -> str:
    """Where a trial ran, in words."""
    return _(EXECUTORS.get(executor, executor))


PHASES = {
    "import": N_("import the framework"),
    "configure": N_("configure"),
    "build": N_("build the model"),
    "load_weights": N_("load the weights"),
    "first_step": N_("first step (trace and compile)"),
    "second_step": N_("second step"),
    "rest_before": N_("rest, for the GPU's power at rest"),
    "warm_up": N_("warm-up"),
    "observer": N_("blocks with and without the sampler"),
    "rest_after": N_("rest after the blocks"),
    "data": N_("prepare the batches"),
    "canaries": N_("canaries"),
    "parity": N_("the gate: compare with the reference"),
    "shape_before": N_("compare the timed shape, before"),
    "shape_after": N_("compare the timed shape, after"),
    "steps": N_("steps for the memory peak"),
    "block_size": N_("find the block size"),
    "blocks": N_("timed blocks"),
    "latencies": N_("latency pass"),
    "learning": N_("train to the target, with evaluation"),
    "matmul": N_("large matrix products"),
    "copy": N_("large copies"),
}


def phase_name(name: str) -> str:
    """A phase of a trial in words."""
    return _(PHASES.get(name.replace("-", "_"), name))
