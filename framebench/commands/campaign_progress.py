"""Progress of a campaign: bars on a terminal, plain lines elsewhere."""

from __future__ import annotations

from types import TracebackType

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)

from framebench.campaign.plan import Plan, Planned
from framebench.commands.phrases import describe, minutes, outcome_line
from framebench.errors import visible
from harness.record import Case, Record


class CampaignProgress:
    """A context manager that satisfies ``campaign.Progress``."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self._live = console.is_terminal
        self._bars = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[eta]}", markup=False),  # a line of a trial's log
            console=console,
            disable=not self._live,
        )
        self._total = 0
        self._count = 0

    def __enter__(self) -> CampaignProgress:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()

    def start(self, plan: Plan) -> None:
        """The whole campaign's bar."""
        self._total = len(plan.trials())
        self._all = self._bars.add_task("campaign", total=self._total, eta="")
        self._one = self._bars.add_task("", total=None, eta="")

    def round(self, number: int, of: int) -> None:
        """A round begins."""
        self.console.print(f"[bold]round {number} of {of}[/bold]")

    def trial(self, trial: Planned) -> None:
        """A trial begins."""
        self._bars.reset(self._one, description=describe(trial), total=None, eta="")

    def log(self, line: str) -> None:
        """A line of a trial's stderr: shown beside the running trial only."""
        self._bars.update(self._one, eta=visible(line.strip())[:60])

    def finished(self, trial: Planned, record: Record, left_s: float) -> None:
        """A trial ended and is on disk."""
        self._step(left_s)
        self.console.print(
            f"{self._count:>4}/{self._total} {describe(trial)}: {outcome_line(record)} "
            f"({record.duration_ns / 1e9:.1f} s, {minutes(left_s)} left)",
            markup=False,
            highlight=False,
            soft_wrap=True,
        )

    def skipped(self, trial: Planned, reason: str) -> None:
        """A trial was not run, because its gate had not passed."""
        self._step(None)
        self.console.print(
            f"{self._count:>4}/{self._total} {describe(trial)}: not run, {reason}",
            markup=False,
            highlight=False,
            soft_wrap=True,
        )

    def settled(self, case: Case, rounds: int, left_out: int) -> None:
        """A look found a case precise enough; it takes no part in later rounds."""
        self.console.print(
            f"{case.path}: settled after {rounds} rounds, every comparison is within ± 1 %; "
            f"{left_out} trials left out",
            markup=False,
            highlight=False,
            soft_wrap=True,
        )
        self._count += left_out
        self._bars.update(self._all, advance=left_out)

    def _step(self, left_s: float | None) -> None:
        self._count += 1
        eta = {} if left_s is None else {"eta": f"{minutes(left_s)} left"}
        self._bars.update(self._all, advance=1, **eta)  # type: ignore[arg-type]
