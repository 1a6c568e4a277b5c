"""The form of a suite: its rows of cases, the cases and contenders that they stand for."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Annotated, Literal, TypeVar

import msgspec
from msgspec import Meta

from framebench.errors import UserError
from harness import frameworks
from harness.record import Case, Contender, MeasuredKind, Precision, Protocol, Task

Device = Literal["cpu", "gpu"]
Batch = Annotated[int, Meta(ge=1, le=65536)]
Count = Annotated[int, Meta(ge=1, le=64)]
One = TypeVar("One")
Some = Annotated[list[One], Meta(min_length=1)]


class CaseRow(msgspec.Struct, forbid_unknown_fields=True):
    """Cases of one workload: each task with each of the batches, precisions, devices and counts of devices.

    ``contenders``: globs that say who takes part, all if there is none; one that begins with ``!`` says who does not.
    ``learning_epochs`` takes the place of the protocol's: what one workload learns in seconds takes another minutes.
    """

    workload: str
    preset: str
    tasks: Some[Task]
    batch: Batch | Some[Batch]
    precision: Precision | Some[Precision] = "fp32"
    device: Device | Some[Device] = "cpu"
    count: Count | Some[Count] = 1
    contenders: list[str] = []
    learning_epochs: Annotated[int, Meta(ge=0, le=1000)] | None = None

    @property
    def batches(self) -> list[int]:
        return self.batch if isinstance(self.batch, list) else [self.batch]

    @property
    def precisions(self) -> list[Precision]:
        return self.precision if isinstance(self.precision, list) else [self.precision]

    @property
    def devices(self) -> list[Device]:
        return self.device if isinstance(self.device, list) else [self.device]

    @property
    def counts(self) -> list[int]:
        return self.count if isinstance(self.count, list) else [self.count]

    def expand(self, cores: int) -> list[Case]:
        """Every case of the row on this many cores."""
        return [
            Case(
                workload=self.workload,
                preset=self.preset,
                task=task,
                batch=batch,
                precision=precision,
                device=device,
                device_count=count,
                cores=cores,
            )
            for task in self.tasks
            for batch in self.batches
            for precision in self.precisions
            for device in self.devices
            for count in self.counts
        ]

    def admits(self, contender: Contender) -> bool:
        """Whether the row lets the contender take part; a twin goes where its original goes."""
        slug = contender.slug.removesuffix("-twin")
        wanted = [glob for glob in self.contenders if not glob.startswith("!")]
        if any(fnmatchcase(slug, glob[1:]) for glob in self.contenders if glob.startswith("!")):
            return False
        return not wanted or any(fnmatchcase(slug, glob) for glob in wanted)


class Headline(msgspec.Struct, forbid_unknown_fields=True):
    """What runs first when there is a budget; ``cases`` are globs over case paths, ``kinds`` all of the suite's
    unless said otherwise. The contenders under ``if_time_allows`` are left out before a case is."""

    cases: list[str]
    contenders: list[str]
    if_time_allows: list[str] = []
    kinds: list[MeasuredKind] = []


class Suite(msgspec.Struct, forbid_unknown_fields=True, rename={"cases": "case"}):
    name: str
    title: str
    rounds: Annotated[int, Meta(ge=1, le=100)]
    verdicts: bool
    timeout_s: Annotated[float, Meta(gt=0, le=86400)]
    baseline: str
    kinds: Some[MeasuredKind]
    contenders: Some[str]
    protocol: Protocol
    cases: Some[CaseRow]
    twin: str | None = None
    headline: Headline | None = None

    def expand(self, cores: int) -> list[Case]:
        """Every case of the suite on this many cores."""
        return [case for row in self.cases for case in row.expand(cores)]

    def admits(self, case: Case, contender: Contender) -> bool:
        """Whether the contender takes part in the case."""
        return any(row.admits(contender) for row in self.cases if case in row.expand(case.cores))

    def protocol_of(self, case: Case) -> Protocol:
        """The protocol, with what the case's row has of its own."""
        for row in self.cases:
            if row.learning_epochs is not None and case in row.expand(case.cores):
                return msgspec.structs.replace(self.protocol, learning_epochs=row.learning_epochs)
        return self.protocol

    def devices(self) -> list[Device]:
        """The kinds of devices that its cases want."""
        return sorted({device for row in self.cases for device in row.devices})

    def entrants(self) -> list[Contender]:
        """Every contender, and the twin of the A/A comparison; without those of a framework that is broken."""
        entrants = [contender for slug in self.contenders if (contender := known(slug))]
        twin = known(self.twin) if self.twin else None
        return [*entrants, msgspec.structs.replace(twin, twin=True)] if twin else entrants


def parse_contender(slug: str) -> Contender:
    """``keras-jax-compiled-loop`` -> stack ``keras-jax``, mode ``compiled``, variant ``loop``.

    ``ValueError`` names what is known: the stack, its modes, the variants of the mode.
    """
    stacks = frameworks.stacks()
    for stack in sorted(stacks, key=len, reverse=True):
        if slug.startswith(stack + "-"):
            mode, _, variant = slug[len(stack) + 1 :].partition("-")
            if mode not in ("eager", "compiled"):
                continue
            contender = Contender(stack=stack, mode=mode, variant=variant)  # type: ignore[arg-type]
            try:
                frameworks.refuse_unknown(contender)
            except frameworks.Unsupported as refusal:
                raise ValueError(f"{slug!r}: {refusal.reason}; {refusal.mend}") from None
            return contender
    raise ValueError(
        f"{slug!r} is not <stack>-<eager|compiled>[-<variant>] with a stack of {', '.join(sorted(stacks))}"
    )


def known(slug: str) -> Contender | None:
    """The contender; null where no stack is called so, because the folder of its framework is broken."""
    try:
        return parse_contender(slug)
    except ValueError:
        return None


def select(names: list[str], globs: Sequence[str], what: str) -> list[str]:
    """The names that match any of the globs (all, without one); a glob without a match -> one sentence."""
    for glob in globs:
        if not any(fnmatchcase(name, glob) for name in names):
            near = difflib.get_close_matches(glob, names, n=3, cutoff=0.0)
            raise UserError(f"no {what} matches {glob!r}; the nearest: {', '.join(near)}")
    return [name for name in names if not globs or any(fnmatchcase(name, glob) for glob in globs)]
