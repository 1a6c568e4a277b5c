"""What people ask, most asked first: the answer in a sentence or two, and which results it rests on.

The order is that of a sample of 65 pages and threads in English and Chinese, looked at in November 2026.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from framebench.dataset import Result
from framebench.dataset.declared import is_framework
from framebench.language import N_
from framebench.pages.words import info
from harness.frameworks.exported import is_exported


class Question(NamedTuple):
    """``answer`` is Markdown; ``rests_on`` chooses the results behind it, null where none can be: it is not ours to
    measure, or nothing is timed for it."""

    name: str
    question: str
    answer: str
    rests_on: Callable[[Result], bool] | None = None


def _is_export(result: Result) -> bool:
    return is_exported(info(result.contender.stack))


def _is_on_a_backend(result: Result) -> bool:
    known = info(result.contender.stack)
    return known is not None and bool(known.backend) and is_framework(known)


QUESTIONS = [
    Question(
        "training",
        N_("Which is faster to train?"),
        N_(
            "Each kind of work is a question of its own; these are the answers so far. [Compare](../compare.md) has "
            "every contender with its interval, against any baseline."
        ),
        lambda result: result.case.task == "train",
    ),
    Question(
        "deployment",
        N_("Which one for production?"),
        N_(
            "What can be measured of it: [which models can be exported, whether the file runs, and how "
            "fast](../serving.md), latencies and memory on each result's page, and the [size of an "
            "installation](first-steps.md#what-to-install). What a company already knows and runs cannot be measured "
            "here."
        ),
        _is_export,
    ),
    Question(
        "beginners",
        N_("Which is easiest for a beginner?"),
        N_(
            "Ease is not a number. Read [the same small network in "
            "each](first-steps.md#the-same-network-side-by-side), then what each says of [the first "
            "mistake](first-steps.md#the-first-error), and judge yourself."
        ),
    ),
    Question(
        "others",
        N_("What do research and industry use?"),
        N_(
            "Not ours to measure, and counts of papers or vacancies say little about your work. One fact with a date: "
            "the library Transformers removed its TensorFlow and JAX models in version 5 and goes on with PyTorch "
            "alone ([migration guide](https://github.com/huggingface/transformers/blob/main/MIGRATION_GUIDE_V5.md), "
            "read on 2026-11-29)."
        ),
    ),
    Question(
        "graphs",
        N_("Dynamic or static graph: does it matter?"),
        N_(
            "What each means for your code, and what it costs where the data decide the path: [dynamic and static "
            "graphs](graphs.md). For speed, [the claim](claims.md#static-graphs) has every case in which both were "
            "measured."
        ),
        lambda result: result.contender.mode == "compiled",
    ),
    Question(
        "keras-slower",
        N_("Why is Keras slower than its backend?"),
        N_(
            "By how much, from small models to large ones, what its own loop adds to the same step called directly, "
            "and where the time goes: [what Keras costs](keras-overhead.md)."
        ),
        _is_on_a_backend,
    ),
    Question(
        "debugging",
        N_("Which is easier to debug?"),
        N_(
            "Not a number either. [The first error](first-steps.md#the-first-error) shows what each says of a wrong "
            "shape, and which line of yours it names."
        ),
    ),
    Question(
        "compiling",
        N_("Do torch.compile, XLA and jit pay off, and when?"),
        N_(
            "[What compiling buys and costs](compilers.md): the speed of the steps after it, and after how many of "
            "them its time is won back."
        ),
        lambda result: result.contender.mode == "compiled" and result.first_steps is not None,
    ),
    Question(
        "several-devices",
        N_("How do they scale to several GPUs or TPUs?"),
        N_(
            "What a step of training gains that several devices share stands on the pages of the "
            "[workloads](../workloads/index.md), where that has been measured. There is no TPU among the devices."
        ),
        lambda result: result.case.device_count > 1,
    ),
    Question(
        "keras-backend",
        N_("Which of Keras' backends is the fastest?"),
        N_("[Keras and its backends](keras-backends.md), case by case, and what does not run on which."),
        _is_on_a_backend,
    ),
    Question(
        "phones",
        N_("What about phones and small devices?"),
        N_(
            "No phone has been measured. [Serving & export](../serving.md) runs what is made for them, LiteRT and ONNX "
            "Runtime, on a processor: what an exporter refuses there cannot be brought to a phone that way."
        ),
        _is_export,
    ),
    Question(
        "gpu-memory",
        N_("How much GPU memory does it take?"),
        N_(
            "The peak stands on each result's page, from a run of its own ([method](../method.md#the-clock))."
        ),
        lambda result: result.case.device == "gpu" and result.memory is not None,
    ),
    Question(
        "latency",
        N_("How long does one answer take, and the slowest of a hundred?"),
        N_(
            "Half, nine in ten and 99 in 100 answers: the latencies of inference stand on each result's page."
        ),
        lambda result: result.latency is not None,
    ),
    Question(
        "pretrained",
        N_("Which has more trained models to start from?"),
        N_(
            "Not ours to measure. Version 5 of the library Transformers has PyTorch models alone ([migration "
            "guide](https://github.com/huggingface/transformers/blob/main/MIGRATION_GUIDE_V5.md), read on 2026-11-29); "
            "for your model, look whether its authors published weights for your framework."
        ),
    ),
    Question(
        "accuracy",
        N_("Why does “the same” model give another accuracy?"),
        N_(
            "Defaults differ, from the epsilon of a normalization to the side on which an odd padding falls: [why "
            "accuracies differ](why-accuracies-differ.md) lists them, as the installed packages answer. Here they are "
            "set and read back, and every contender has to agree with one double-precision reference [before it is "
            "timed](../method.md#the-gate-before-the-clock); what it differs by is on each result's page."
        ),
        lambda result: result.parity is not None,
    ),
    Question(
        "jax-gpu",
        N_("PyTorch or JAX on my GPU?"),
        N_(
            "[Compare](../compare.md), where a GPU was measured; [this claim](claims.md#jax-pytorch) is about both."
        ),
        lambda result: result.case.device == "gpu" and result.contender.stack in ("torch", "jax"),
    ),
    Question(
        "lstm",
        N_("Why is my LSTM so slow?"),
        N_(
            "Look at the workload [lstm](../workloads/lstm.md), with the code of each stack. Which path really ran is "
            "read back where the framework tells, and stands on each result's page."
        ),
        lambda result: result.case.workload == "lstm",
    ),
    Question(
        "small-models",
        N_("My model is small: is the framework itself in the way?"),
        N_(
            "What one call costs in each stack where there is next to nothing to compute, and from which batch that no "
            "longer matters: [the price of a call](operations.md). The workload [mlp](../workloads/mlp.md) is a whole "
            "model that is small enough for it to show."
        ),
        lambda result: result.case.workload == "mlp" or result.case.task == "call",
    ),
    Question(
        "installing",
        N_("Which versions fit together, and what has to be installed?"),
        N_(
            "Each [image](../images/index.md) is a set that is installed and measured together: framework, Python, "
            "CUDA and cuDNN, pinned by hash. [What to install](first-steps.md#what-to-install) has the sizes."
        ),
    ),
    Question(
        "dead",
        N_("Is TensorFlow dead? Which one gets me a job?"),
        N_(
            "Jobs are not ours to measure. Releases have dates: [TensorFlow](https://pypi.org/project/tensorflow/) "
            "2.21.0 on 2026-03-06 and a candidate of 2.22 on 2026-09-23, [PyTorch](https://pypi.org/project/torch/) "
            "2.15.0 on 2026-10-28, [JAX](https://pypi.org/project/jax/) 0.12.0.1 on 2026-10-21, "
            "[Keras](https://pypi.org/project/keras/) 3.15.1 on 2026-07-29 (read on 2026-11-29)."
        ),
    ),
]
