"""Training followed to an end: curves of the score, epochs and time to the target, for either measure."""

from __future__ import annotations

from collections.abc import Sequence

from framebench.language import _
from framebench.pages import figures
from framebench.pages.evidence import Group
from framebench.pages.trials import MAX_SHOWN, NUM, names
from framebench.pages.views import Cell, Plot, Table, plot
from framebench.pages.words import measure_name, result_name
from framebench.statistics.interval import Estimate
from harness import record
from harness.record import SHARES, Record

Series = tuple[str, list[tuple[float, float]], str | None]


def score(value: float | None, measure: str, digits: int = 3) -> str:
    """``97.2 %`` of an accuracy or another share, ``1.92`` of a loss."""
    if measure in SHARES:
        return figures.percent(value, digits)
    return figures.significant(value, digits)


def of_trials(records: Sequence[Record]) -> Plot | None:
    """The score after each epoch, one line per trial (each trial has its own seed)."""
    learned = [record for record in records if record.learning][-MAX_SHOWN:]
    series = [
        (_("seed {n}").format(n=one.seed), _points(one.learning), None) for one in learned if one.learning
    ]
    title = _("{measure} after each epoch, one line per trial")
    return _curves(title, series, [one.learning for one in learned if one.learning])


def of_group(group: Group) -> Plot | None:
    """The curve of each contender's last trial: the same seed for all who finished that round."""
    series: list[Series] = []
    found: list[record.Learning] = []
    for result in group.timed:
        last = next((one.learning for one in reversed(result.timed) if one.learning), None)
        if last is not None:
            found.append(last)
            series.append((result_name(result), _points(last), result.contender.stack))
    return _curves(_("{measure} after each epoch, last trial of each contender"), series, found)


def _points(learning: record.Learning | None) -> list[tuple[float, float]]:
    return [(float(point.epoch), point.score) for point in learning.curve] if learning else []


def _curves(title: str, series: Sequence[Series], found: Sequence[record.Learning]) -> Plot | None:
    """Curves and the target; an accuracy's axis ends at 100 %, a loss's at what was seen."""
    if not found:
        return None
    first = found[0]
    scores = [y for _label, points, _stack in series for _x, y in points] + [first.target]
    low, high = min(scores), 1.0 if first.measure in SHARES else max(scores)
    last = int(max(points[-1][0] for _label, points, _stack in series))
    better = (
        _("at or above it is reached") if first.higher else _("at or below it is reached; lower is better")
    )
    rule = _("dashed: target, {score}; {better}").format(
        score=score(first.target, first.measure), better=better
    )
    return plot(
        title.format(measure=measure_name(first.measure, first=True)),
        series,
        y_low=low,
        y_high=high,
        x_labels=(_("epoch 1"), _("epoch {n}").format(n=last)),
        y_labels=(score(low, first.measure), score(high, first.measure)),
        rule=(first.target, rule),
        y_name=measure_name(first.measure, first=True),
    )


def trial_table(records: Sequence[Record]) -> Table | None:
    """Epochs and training time to the target, one row per trial."""
    rows = []
    measure = ""
    for one in records:
        learning = one.learning
        if learning is None:
            continue
        measure = learning.measure
        epochs = learning.epochs_to_target
        rows.append(
            [
                Cell(names([one])[one.trial_id]),
                Cell(str(one.seed), NUM),
                Cell(_("not reached") if epochs is None else str(epochs), NUM),
                Cell(figures.duration(learning.wall_ns_to_target), NUM),
                Cell(score(learning.final_score, measure, 4), NUM),
            ]
        )
    if not rows:
        return None
    final = _("Final {measure}").format(measure=measure_name(measure))
    head = [_("Trial"), _("Seed"), _("Epochs to target"), _("Training time to target"), final]
    return Table(head, rows[-MAX_SHOWN:], _("Evaluation is outside the clock."))


def group_table(group: Group, up: str) -> Table:
    """Epochs and seconds to the target, and whether the final scores agree with the baseline's."""
    rows = []
    measure = ""
    for row in group.rows:
        result, learning = row.result, row.result.learning
        if learning is None:
            continue
        measure = learning.measure
        seconds, seconds_interval = _scaled(learning.ns_to_target, 1e-9)
        final, interval = _scaled(learning.final_score, 100.0 if measure in SHARES else 1.0)
        rows.append(
            [
                Cell(result_name(result), href=f"{up}results/{result.id}/", stack=result.contender.stack),
                Cell(f"{learning.reached} / {learning.trials}", NUM),
                Cell(figures.significant(learning.epochs_to_target, 2), NUM),
                Cell(seconds, NUM),
                Cell(seconds_interval or figures.NONE, NUM),
                Cell(f"{final} %" if measure in SHARES else final, NUM),
                Cell(interval or figures.NONE, NUM),
                Cell(_(row.accuracy.answer) if row.accuracy else figures.NONE),
            ]
        )
    bound = _("Within ± 1 point") if measure in SHARES else _("Within ± 0.01")
    head = [
        _("Contender"),
        _("Reached the target"),
        _("Epochs (median)"),
        _("Seconds to target"),
        _("95 % interval"),
        _("Final {measure}").format(measure=measure_name(measure)),
        _("95 % interval"),
        bound,
    ]
    return Table(
        head,
        rows,
        _(
            "Training time only; evaluation is outside the clock. Same seeds in every stack. The last column is about "
            "the baseline's final scores."
        ),
    )


def _scaled(estimate: Estimate | None, factor: float) -> tuple[str, str]:
    """A value and its interval in another unit."""
    if estimate is None:
        return figures.NONE, ""
    low, high = (None if end is None else end * factor for end in (estimate.low, estimate.high))
    return figures.with_interval(estimate.value * factor, low, high)
