"""The sentences about speed that circulate: who says them where and when, and how each is put to the data.

A claim names frameworks by its nature; a new one is an entry of ``circulating``.
"""

from __future__ import annotations

from typing import NamedTuple

from framebench.dataset.claims import Claim, Extremes, Pair, Side
from framebench.dataset.declared import is_framework
from framebench.language import _
from framebench.pages.words import stacks
from harness.frameworks import StackInfo
from harness.record import Contender


class Source(NamedTuple):
    """Where a sentence was read: ``date`` as ISO, with what it is the date of."""

    title: str
    href: str
    date: str


class Circulating(NamedTuple):
    """A sentence as it circulates, in its source's words, with the condition that its author gave, if any.

    ``reading`` says what is set against what; ``name`` is the claim's anchor.
    """

    name: str
    sentence: str
    quote: str
    source: Source
    condition: str
    reading: str
    claim: Claim


def by(*names: str, mode: str = "", variant: str | None = None) -> Side:
    """The contenders of these stacks; of one mode and of one variant, where they are given."""

    def speaks(contender: Contender) -> bool:
        return (
            contender.stack in names and mode in ("", contender.mode) and variant in (None, contender.variant)
        )

    return speaks


def _plain(stack: StackInfo, plain: list[StackInfo]) -> list[str]:
    """The stack that runs this one, by itself."""
    return [one.name for one in plain if one.framework == stack.backend]


KERAS_QUOTE = "leverage speedups ranging from 20% to 350% compared to other frameworks"


def circulating() -> list[Circulating]:
    """Every sentence, in the order of the page."""
    compared = [one for one in stacks() if is_framework(one)]
    both_modes = [one for one in compared if one.modes.keys() >= {"eager", "compiled"}]
    plain = [one for one in compared if not one.backend]
    keras = [one for one in compared if one.framework == "keras"]
    keras_names = [one.name for one in keras]
    keras_source = Source(
        _("Keras 3.15.1, description on PyPI"),
        "https://pypi.org/project/keras/3.15.1/",
        _("released 2026-07-29"),
    )
    return [
        Circulating(
            name="keras-backend",
            sentence=_("Choosing Keras' backend is worth 20 % to 350 %"),
            quote=KERAS_QUOTE,
            source=keras_source,
            condition=_("By picking the fastest backend for the model."),
            reading=_("The fastest of Keras' backends over the slowest of them: 1.2 to 4.5 times as fast."),
            claim=Claim((Extremes(tuple(by(name) for name in keras_names)),), low=1.2, high=4.5),
        ),
        Circulating(
            name="keras-others",
            sentence=_("Keras is 20 % to 350 % faster than other frameworks"),
            quote=KERAS_QUOTE,
            source=keras_source,
            condition=_("By picking the fastest backend for the model."),
            reading=_(
                "Keras on its fastest backend over each other framework at its best: 1.2 to 4.5 times as fast."
            ),
            claim=Claim(tuple(Pair(by(*keras_names), by(one.name)) for one in plain), low=1.2, high=4.5),
        ),
        Circulating(
            name="jax-pytorch",
            sentence=_("JAX is 2 to 3 times as fast as PyTorch"),
            quote="JAX achieves 2-3x speedups via XLA compilation",
            source=Source("TildAlice", "https://tildalice.io/?p=869", _("undated, read 2026-11-29")),
            condition=_(
                "Only when the code fits the style that its compiler likes; from a chain of matrix products."
            ),
            reading=_("JAX at its best over PyTorch at its best: 2 to 3 times as fast."),
            claim=Claim((Pair(by("jax"), by("torch")),), low=2.0, high=3.0),
        ),
        Circulating(
            name="torch-compile",
            sentence=_("torch.compile always pays"),
            quote="torch.compile makes PyTorch code run faster",
            source=Source(
                _("PyTorch tutorials, Introduction to torch.compile"),
                "https://docs.pytorch.org/tutorials/intermediate/torch_compile_tutorial.html",
                _("updated 2026-01-26"),
            ),
            condition=_("Code that is difficult to trace is optimized less."),
            reading=_("PyTorch compiled over PyTorch eager, in the default layout, once compiling is over."),
            claim=Claim(
                (Pair(by("torch", mode="compiled", variant=""), by("torch", mode="eager", variant="")),)
            ),
        ),
        Circulating(
            name="static-graphs",
            sentence=_("Static graphs are faster"),
            quote="静态图的优势在于性能优化 (the advantage of static graphs is performance)",
            source=Source(
                "yunthe.com", "https://www.yunthe.com/news/622403.html", _("undated, read 2026-11-29")
            ),
            condition="",
            reading=_("Each stack compiled, the fastest way it has, over the same stack eager at its best."),
            claim=Claim(
                tuple(Pair(by(one.name, mode="compiled"), by(one.name, mode="eager")) for one in both_modes)
            ),
        ),
        Circulating(
            name="keras-slower",
            sentence=_("Keras is slower than its backend"),
            quote="the torch backend of keras is usually slower than the native torch backend",
            source=Source(
                "keras-team/keras#21481", "https://github.com/keras-team/keras/issues/21481", "2025-07-15"
            ),
            condition=_("Usually; said of PyTorch."),
            reading=_("Each framework by itself at its best over Keras on it at its best."),
            claim=Claim(tuple(Pair(by(*_plain(one, plain)), by(one.name)) for one in keras)),
        ),
        Circulating(
            name="pytorch-tensorflow",
            sentence=_("PyTorch is faster than TensorFlow"),
            quote="PyTorch consistently clocked 40-50% faster training",
            source=Source(
                "TildAlice, DEV Community",
                "https://dev.to/tildalice/pytorch-vs-tensorflow-2026-cnn-training-speed-gap-mij",
                _("undated, read 2026-11-29"),
            ),
            condition=_("On one convolutional network, on an RTX 3090."),
            reading=_("PyTorch at its best over TensorFlow at its best."),
            claim=Claim((Pair(by("torch"), by("tensorflow")),)),
        ),
        Circulating(
            name="channels-last",
            sentence=_("Channels last is faster on a CPU"),
            quote="much better performance than NCHW",
            source=Source(
                _("Intel Extension for PyTorch, Channels Last"),
                "https://intel.github.io/intel-extension-for-pytorch/cpu/2.5.0+cpu/_sources/tutorials/features/nhwc.md.txt",
                _("version 2.5.0, read 2026-11-29"),
            ),
            condition="",
            reading=_("PyTorch eager with channels last over PyTorch eager in its default layout, on a CPU."),
            claim=Claim(
                (
                    Pair(
                        by("torch", mode="eager", variant="channels-last"),
                        by("torch", mode="eager", variant=""),
                    ),
                ),
                fits=lambda case: case.device == "cpu",
            ),
        ),
        Circulating(
            name="lstm",
            sentence=_("An LSTM is 20 % to 40 % faster in PyTorch than in Keras"),
            quote="PyTorch LSTM consistently outperforms Keras by a margin of 20-40%",
            source=Source("taourl.com", "https://taourl.com/read-2015172.html", "2025-05-10"),
            condition=_("Depending on hardware and batch size."),
            reading=_("PyTorch at its best over Keras on its fastest backend, in the workload lstm."),
            claim=Claim(
                (Pair(by("torch"), by(*keras_names)),),
                low=1.2,
                high=1.4,
                fits=lambda case: case.workload == "lstm",
            ),
        ),
    ]
