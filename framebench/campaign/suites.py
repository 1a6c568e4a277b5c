"""A suite says what to compare: cases, contenders, rounds and the protocol's parameters, in one TOML file."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from fnmatch import fnmatch
from pathlib import Path

import msgspec

from framebench.errors import UserError
from framebench.strict_toml import read_toml
from harness import frameworks, workloads
from harness.record import Case, Contender, Protocol, Task, TrialKind


class CaseRow(msgspec.Struct, forbid_unknown_fields=True):
    workload: str
    preset: str
    tasks: list[Task]
    batch: int


class Headline(msgspec.Struct, forbid_unknown_fields=True):
    """What runs first when there is a budget; ``cases`` are globs over case paths."""

    cases: list[str]
    contenders: list[str]


class Suite(msgspec.Struct, forbid_unknown_fields=True, rename={"cases": "case"}):
    name: str
    title: str
    rounds: int
    verdicts: bool
    timeout_s: float
    baseline: str
    kinds: list[TrialKind]
    contenders: list[str]
    protocol: Protocol
    cases: list[CaseRow]
    twin: str | None = None
    headline: Headline | None = None

    def expand(self, cores: int) -> list[Case]:
        """Every case of the suite on this many cores."""
        return [
            Case(workload=row.workload, preset=row.preset, task=task, batch=row.batch, cores=cores)
            for row in self.cases
            for task in row.tasks
        ]

    def entrants(self) -> list[Contender]:
        """Every contender, and the twin of the A/A comparison."""
        listed = [parse_contender(slug) for slug in self.contenders]
        if self.twin:
            listed.append(msgspec.structs.replace(parse_contender(self.twin), twin=True))
        return listed


def parse_contender(slug: str) -> Contender:
    """``keras-jax-compiled-loop`` -> stack ``keras-jax``, mode ``compiled``, variant ``loop``."""
    for stack in sorted(frameworks.stacks(), key=len, reverse=True):
        if slug.startswith(stack + "-"):
            mode, _, variant = slug[len(stack) + 1 :].partition("-")
            if mode in ("eager", "compiled"):
                return Contender(stack=stack, mode=mode, variant=variant)  # type: ignore[arg-type]
    raise ValueError(
        f"{slug!r} is not <stack>-<eager|compiled>[-<variant>] with a stack of "
        f"{', '.join(sorted(frameworks.stacks()))}"
    )


def available(root: Path) -> list[str]:
    """Names of the suites in ``suites/``."""
    return sorted(path.stem for path in (root / "suites").glob("*.toml"))


def load(root: Path, name: str) -> Suite:
    """The suite, checked; unknown or malformed gives one sentence with file, key and what was expected."""
    if name not in available(root):
        near = difflib.get_close_matches(name, available(root), n=3, cutoff=0.0)
        raise UserError(f"unknown suite {name!r}; the nearest: {', '.join(near)}")
    return _read(root, f"{name}.toml")


def load_self_test(root: Path, name: str) -> Suite:
    """A suite of the self-test (``suites/selftest/``), which measures the machinery and no framework."""
    return _read(root, f"selftest/{name}.toml")


def _read(root: Path, file: str) -> Suite:
    suite = read_toml(root / "suites" / file, Suite)
    _check(suite, f"suites/{file}")
    return suite


def _check(suite: Suite, where: str) -> None:
    for key, slugs in (
        ("contenders", suite.contenders),
        ("baseline", [suite.baseline]),
        ("twin", [suite.twin] if suite.twin else []),
        ("headline.contenders", suite.headline.contenders if suite.headline else []),
    ):
        for slug in slugs:
            try:
                parse_contender(slug)
            except ValueError as error:
                raise UserError(f"{where}: {key}: {error}") from error
            if slug not in suite.contenders:
                raise UserError(f"{where}: {key}: {slug!r} is not among the suite's contenders; add it there")
    if suite.rounds < 1:
        raise UserError(f"{where}: rounds: expected 1 or more, found {suite.rounds}")
    for row in suite.cases:
        if row.workload not in (*workloads.names(), workloads.SELF_TEST):
            near = difflib.get_close_matches(row.workload, workloads.names(), n=3, cutoff=0.0)
            raise UserError(
                f"{where}: case.workload: unknown {row.workload!r}; the nearest: {', '.join(near)}"
            )
        presets = list(workloads.get(row.workload).presets)
        if row.preset not in presets:
            raise UserError(
                f"{where}: case.preset: {row.workload} has no preset {row.preset!r}; it has {', '.join(presets)}"
            )


def select(names: list[str], globs: Sequence[str], what: str) -> list[str]:
    """The names that match any of the globs (all, without one); a glob without a match -> one sentence."""
    for glob in globs:
        if not any(fnmatch(name, glob) for name in names):
            near = difflib.get_close_matches(glob, names, n=3, cutoff=0.0)
            raise UserError(f"no {what} matches {glob!r}; the nearest: {', '.join(near)}")
    return [name for name in names if not globs or any(fnmatch(name, glob) for glob in globs)]
