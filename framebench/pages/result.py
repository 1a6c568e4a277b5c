"""The page of one result: can I believe it, and how do I check it?"""

from __future__ import annotations

import shlex
from typing import Any, NamedTuple

from framebench.dataset import Result
from framebench.dataset.quiet import too_busy
from framebench.language import _, spoken
from framebench.pages import (
    badge,
    facts,
    figures,
    flags,
    gate,
    history,
    lateness,
    learning,
    over_time,
    proofs,
    render,
    telemetry,
    trials,
    vouched,
)
from framebench.pages.chart import compared_text, failure_text, result_marks
from framebench.pages.evidence import Evidence, Group, record_file
from framebench.pages.shell import ResultPage
from framebench.pages.views import Cell, Fact, Mark, Table
from framebench.pages.words import (
    UNITS,
    executor_name,
    precision_name,
    rate_unit,
    result_name,
    status_name,
    task_name,
)
from framebench.statistics.bootstrap import MIN_TRIALS

UP = "../../"
NOWHERE = "ADDRESS"  # stands for the site's own where that is not known


def page(result: Result, evidence: Evidence) -> ResultPage:
    """What the result's page has in the shell of the site."""
    shown = view(result, evidence)
    content = render.page(evidence.root / "site" / "templates", "result.html.j2", **shown)
    return ResultPage(result.id, shown["title"], shown["description"], content)


def view(result: Result, evidence: Evidence) -> dict[str, Any]:
    """Everything the template ``result.html.j2`` needs."""
    case = result.case
    group = evidence.group_of(result)
    last = result.latest
    records = result.records
    own = badge.of_result(result, group)
    value, interval = "", ""
    if result.throughput is not None:
        value, interval = figures.with_interval(*result.throughput[:3])
    links = {record.trial_id: _once() + record_file(record.trial_id) for record in records}
    version = evidence.written_as(last)
    name = result_name(result)
    notes = [
        *_notes(result, version),
        *lateness.of_result(result, evidence),
        *vouched.exceptions(result, evidence),
    ]
    return {
        "id": result.id,
        "title": f"{name} · {case.workload} {task_name(case.task)} · {result.id}",
        "description": own.title,
        "heading": f"{name}: {case.workload}, {task_name(case.task)}",
        "workload": case.workload,
        "case_title": f"{task_name(case.task)}, {_('preset')} {case.preset}",
        "case_href": f"{UP}compare/#{group.anchor}" if group else f"{UP}compare/",
        "host": result.host_id,
        "value": value,
        "unit": rate_unit(result.unit),
        "interval": interval,
        "failure": failure_text(result),
        "marks": [_once_said(mark, notes) for mark in result_marks(result)],
        "notes": notes,
        "summary": [
            *_summary(result, group),
            *history.fact(result, evidence),
            *vouched.facts(result, evidence),
        ],
        "reproduce": reproduce(result),
        "identity": _identity(result),
        "reproductions": _reproductions(result, evidence),
        "blocks": over_time.blocks(result.timed, _once()),
        "trials": trials.trial_table(records, links),
        "failures": _failures(result),
        "phases": trials.phases_table(records),
        "warmup": trials.warmup_facts(records),
        "latencies": _latencies(result),
        "latency": trials.latency_table(records),
        "learning": learning.of_trials(result.timed),
        "learned": learning.trial_table(records),
        "memory": trials.memory_facts(records),
        "gate_lead": gate.lead(result, version),
        "gate_parts": gate.parts_table(result),
        "gate_list": gate.listed(result, evidence, _once()),
        "planted": proofs.of_stack(evidence.root, case, result.contender),
        "planting": gate.planting(result),
        "mutants": gate.catalogue(evidence.root, case.workload),
        "kernels": [Fact(key.replace("_", " "), text) for key, text in sorted(gate.kernels(records).items())],
        "canaries": trials.canary_facts(records),
        "calibration": trials.calibration_facts(result.timed),
        "course": over_time.telemetry(result, evidence, _once()),
        "telemetry": telemetry.process_facts(result.timed or records),
        "gpu_telemetry": telemetry.gpu_table(result.timed or records),
        "energy": telemetry.energy_table(result.timed or records),
        "telemetry_missing": telemetry.missing(result.timed or records),
        "settings": facts.settings(last),
        "environment": facts.environment(last),
        "provenance": facts.provenance(last, version),
        "protocol": facts.protocol(last),
        "badges": _badges(result, own, group, evidence.site_url or f"https://{NOWHERE}/"),
        "placeholder": None if evidence.site_url else NOWHERE,
    }


def _once() -> str:
    """From a result's page to where the site keeps what is there once for all languages: records and badges."""
    return UP + "../" * spoken().folder.count("/")


def _once_said(mark: Mark, notes: list[str]) -> Mark:
    """The mark without its meaning, where a note below says the same."""
    return mark._replace(meaning="") if any(mark.meaning in note for note in notes) else mark


class ShownBadge(NamedTuple):
    """A badge on the page, what it says, and the line of Markdown that shows it elsewhere."""

    href: str
    said: str
    markdown: str


def _badges(result: Result, own: badge.Badge, group: Group | None, address: str) -> list[ShownBadge]:
    """The result's own, and that of its comparison with the baseline."""
    drawn = [(badge.result_file(result), own)]
    compared = group.against_baseline.get(result.id) if group else None
    if group and group.comparison.baseline and compared:
        name = badge.comparison_file(result, group.comparison.baseline)
        drawn.append((name, badge.of_comparison(result, compared, group)))
    shown = address.removesuffix(spoken().folder)
    return [
        ShownBadge(
            href=_once() + name,
            said=f"{one.label}: {one.message}",
            markdown=f"[![{one.label}: {one.message}]({shown}{name})]({address}results/{result.id}/)",
        )
        for name, one in drawn
    ]


def _notes(result: Result, version: int) -> list[str]:
    notes = []
    if not result.latest.provenance.protocol_hash and version < 3:
        notes.append(
            _(
                "Measured under record version {version}: the rules of that time hold for it. A protocol was known by "
                "its name, an image counted as a whole, harness included, and the gate had fixed tolerances."
            ).format(version=version)
        )
    if result.throughput is not None and result.unranked_because is not None:
        notes.append(_("Shown, not ranked. {why}").format(why=flags.why_unranked(result.unranked_because)))
    if not result.container:
        notes.append(_("Measured {where}.").format(where=executor_name(result.executor)))
    others = {flag: count for flag, count in result.flags.items() if flag != result.unranked_because}
    for flag, count in others.items():
        note = _("{flag}, in {count} of {all} trials. {meaning}")
        words = flags.word(flag)
        notes.append(
            note.format(
                flag=words[:1].upper() + words[1:],
                count=count,
                all=len(result.records),
                meaning=flags.meaning(flag),
            ).strip()
        )
    if result.dirty:
        notes.append(_("Measured from a clone with uncommitted changes: the commit does not say all."))
    if result.edition:
        notes.append(
            _(
                "Measured before the protocol or the workload changed: not compared with what was measured there "
                "since."
            )
        )
    if result.superseded:
        notes.append(
            _("A newer result of the same contender in the same place exists; tables show that one.")
        )
    return notes


def _summary(result: Result, group: Group | None) -> list[Fact]:
    rows = [Fact(_("Precision"), precision_name(result.case))]
    per_step = next((record.timing.units_per_step for record in result.timed if record.timing), None)
    if per_step is not None:
        rows.append(Fact(_("One step"), f"{per_step} {_(UNITS.get(result.unit, result.unit))}"))
    if result.time_ns is not None:
        rows.append(Fact(_("Time per step"), figures.duration(result.time_ns.value)))
    if result.cpu_ns is not None:
        rows.append(Fact(_("CPU time per step, all cores"), figures.duration(result.cpu_ns.value)))
    if result.wait_share is not None:
        rows.append(
            Fact(
                _("Waited for a core"),
                _("{share} of the time it wanted one").format(share=figures.percent(result.wait_share)),
            )
        )
    if result.flops_per_step is not None:
        rows.append(Fact(_("Work per step"), facts.work(result.flops_per_step, result.flops_causal_per_step)))
    if result.utilization is not None:
        rows += facts.utilization(result.utilization)
    compared = group.against_baseline.get(result.id) if group else None
    if group and compared is not None:
        ratio, interval, _code, word = compared_text(compared)
        text = f"{ratio}× {group.baseline}"
        if interval:
            text += f" ({interval})"
        rows.append(Fact(_("Against the baseline"), f"{text}: {word}"))
    elif group and result is group.comparison.baseline:
        rows.append(Fact(_("Against the baseline"), _("this is the baseline of its case")))
    rows.append(Fact(_("Trials that count"), str(len(result.timed))))
    return rows


def reproduce(result: Result) -> str:
    """The command that measures it again."""
    if not result.image.own_builds:
        return f"make reproduce RESULT={result.id}"
    wheels = " ".join(f"--wheel {shlex.quote(build.file)}" for build in result.image.own_builds)
    where = f"--suite {shlex.quote(result.protocol.name)} --executor {result.executor}"
    return f"framebench run {where} {wheels} --case '{result.case.path}' --contender {result.contender.slug}"


def _identity(result: Result) -> str:
    if result.image.own_builds:
        return _(
            "This result was measured with a wheel that only its maker has, so it cannot be reproduced by others: the "
            "command measures the same with the same file."
        )
    digest = result.image.config_digest
    if digest:
        return _(
            "The command runs the same trials again in the image with the config digest `{digest}`: the "
            "local one, one pulled by its digest, or one rebuilt and accepted only if that digest comes out."
        ).format(digest=digest)
    return _(
        "This result was measured outside a container ({where}), so there is no image to pull: the command "
        "runs the same trials again {where}; the environment below is all that is known about the original."
    ).format(where=executor_name(result.executor).removeprefix(_("outside a container, ")))


def _reproductions(result: Result, evidence: Evidence) -> Table:
    rows = []
    for reproduction in evidence.dataset.reproductions.get(result.id, []):
        value, interval = figures.with_interval(
            reproduction.ratio_of_ratios, reproduction.low, reproduction.high
        )
        word = _(reproduction.verdict)
        if too_busy(reproduction.busy_rounds or 0, reproduction.rounds):
            word += _(": the machine was too busy to judge")
        elif reproduction.verdict == "undecided" and reproduction.rounds_needed is not None:
            word += _(", {n} more rounds would decide").format(n=reproduction.rounds_needed)
        css = {"reproduced": "fb-yes", "not reproduced": "fb-no"}.get(reproduction.verdict, "")
        hardware = (
            _("the same hardware") if reproduction.same_hardware else _("other hardware: only the ratio")
        )
        rows.append(
            [
                Cell(reproduction.reproduced_utc.replace("T", " ")[:16]),
                Cell(word, css),
                Cell(value, "fb-num"),
                Cell(interval or figures.NONE, "fb-num"),
                Cell(figures.percent(reproduction.bound), "fb-num"),
                Cell(str(reproduction.rounds), "fb-num"),
                Cell(f"{reproduction.host_id}, {hardware}"),
                Cell(_("image {source}").format(source=_(reproduction.image_source))),
                Cell(vouched.signed_by(reproduction.reproduction_id, evidence)),
            ]
        )
    head = [
        _("When (UTC)"),
        _("Verdict"),
        _("New ÷ recorded"),
        _("95 % interval"),
        _("Bound ±"),
        _("Rounds"),
        _("Where"),
        _("In what"),
        _("Signed by"),
    ]
    return Table(head, rows)


def _latencies(result: Result) -> Table | None:
    """Quantiles over all trials, with intervals where there are trials enough."""
    latency = result.latency
    if latency is None:
        return None
    quantiles = [("p50", latency.p50), ("p90", latency.p90), ("p95", latency.p95), ("p99", latency.p99)]
    rows = []
    for name, estimate in quantiles:
        if estimate is None:
            continue
        low, high = figures.duration(estimate.low), figures.duration(estimate.high)
        interval = figures.NONE if estimate.low is None else f"{low}\u2009–\u2009{high}"
        rows.append([Cell(name), Cell(figures.duration(estimate.value), "fb-num"), Cell(interval, "fb-num")])
    text = _("{steps} steps of {trials} trials, a synchronisation after each; geometric means over trials.")
    caption = text.format(steps=latency.steps, trials=latency.p50.n)
    if latency.p50.low is None:
        caption += " " + _("No interval: it takes {n} trials.").format(n=MIN_TRIALS)
    else:
        caption += " " + _("Interval: bootstrap over trials, seed {seed}.").format(seed=latency.seed)
    return Table([_("Quantile"), _("Time"), _("95 % interval")], rows, caption)


def _failures(result: Result) -> list[dict[str, str]]:
    cells = []
    short = trials.names(result.records)
    for record in result.records:
        outcome = record.outcome
        if outcome.status == "ok":
            continue
        words = [status_name(outcome.status)]
        if outcome.reason:
            words.append(outcome.reason)
        if outcome.exit_code is not None:
            words.append(_("exit code {n}").format(n=outcome.exit_code))
        if outcome.signal:
            words.append(outcome.signal)
        text = f"{short[record.trial_id]}: {', '.join(words)}."
        if outcome.mend:
            text += " " + _("What would help: {mend}.").format(mend=outcome.mend.rstrip("."))
        cells.append({"text": text, "stderr": "\n".join(outcome.stderr_tail)})
    return cells
