"""The data dictionary: what each column of a download means, its type, its unit, and the fields that it comes from."""

from __future__ import annotations

import json
from typing import Literal, NamedTuple

from framebench.pages.views import Cell, Table
from framebench.pages.words import _

Type = Literal["string", "integer", "number", "boolean"]


class Column(NamedTuple):
    """One column. ``unit`` is empty where there is none.

    ``sources``: fields of the record (``timing.blocks``), or columns of another table (``results.step_ns``).
    """

    name: str
    type: Type
    meaning: str
    unit: str
    sources: tuple[str, ...]


def _text(name: str, meaning: str, *sources: str) -> Column:
    return Column(name, "string", meaning, "", sources)


def _flag(name: str, meaning: str, *sources: str) -> Column:
    return Column(name, "boolean", meaning, "", sources)


def _whole(name: str, unit: str, meaning: str, *sources: str) -> Column:
    return Column(name, "integer", meaning, unit, sources)


def _number(name: str, unit: str, meaning: str, *sources: str) -> Column:
    return Column(name, "number", meaning, unit, sources)


def _estimate(name: str, unit: str, meaning: str, *sources: str) -> list[Column]:
    """A value with the ends of its interval."""
    return [
        _number(name, unit, meaning, *sources),
        _number(f"{name}_low", unit, _("lower end of the 95 % interval"), *sources),
        _number(f"{name}_high", unit, _("upper end of the 95 % interval"), *sources),
    ]


_RESULT_ID = _text(
    "result_id",
    _(
        "the result that the trial is part of: the beginning of a hash of host, image, case, contender, work, protocol"
    ),
    "provenance.host_id",
    "provenance.executor",
    "image",
    "case",
    "contender",
    "protocol",
    "provenance.work_hash",
    "provenance.protocol_hash",
)
_HOST = _text("host_id", _("name of the machine, made from its hardware"), "provenance.host_id")
_EXECUTOR = _text("executor", _("docker, venv, system or slurm: in what it ran"), "provenance.executor")
_PROTOCOL = _text("protocol", _("name of the suite whose protocol timed it"), "protocol.name")
_EDITION = _text(
    "edition",
    _(
        "empty where it was measured by the protocol, and with the form of the workload, of the newest results of its "
        "case; else digits that tell what was measured before from that"
    ),
    "provenance.protocol_hash",
    "workload_config_sha256",
)
_CASE = _text("case", _("the case in one word: equal where the work is the same"), "case")
_CONTENDER = _text("contender", _("stack, mode and variant in one word"), "contender")
_IMAGE = _text(
    "image", _("name of the image; outside a container, of the lock it was made from"), "image.name"
)
_STATUS = _text("status", _("ok, or how it failed; a result may also be: not timed"), "outcome.status")
_REASON = _text("reason", _("why there is no figure, in the trial's own words"), "outcome.reason")
_GIT_COMMIT = _text("git_commit", _("commit of the clone that measured"), "provenance.git_commit")
_DIRTY = _flag("dirty", _("whether that clone had uncommitted changes"), "provenance.dirty")
_WORK_HASH = _text(
    "work_hash", _("hash of the code and settings that decide the work"), "provenance.work_hash"
)
_PROTOCOL_HASH = _text(
    "protocol_hash",
    _("hash of the protocol's parameters; empty before record version 3"),
    "provenance.protocol_hash",
)
_UNIT = _text("unit", _("what a step counts: images, tokens, samples or calls"), "timing.unit")
_UNRANKED = _text(
    "unranked_because",
    _("a code: why it takes no place in a ranking; empty where it may"),
    "flags",
    "telemetry.metrics",
    "parity.passed",
    "outcome.status",
    "image.own_builds",
)

_WHAT = [
    _text("workload", _("name of the model with its data, loss and optimizer"), "case.workload"),
    _text("preset", _("name of its size"), "case.preset"),
    _text("task", _("what a step does: train, infer, prefill, decode, load, call or a phase"), "case.task"),
    _whole("batch", "", _("examples in one step"), "case.batch"),
    _text("precision", _("fp32, tf32 or bf16"), "case.precision"),
    _text("device", _("cpu or gpu"), "case.device"),
    _whole("device_count", "", _("how many of them"), "case.device_count"),
    _whole("cores", "", _("CPU cores that the trial may use"), "case.cores"),
    _CASE,
    _CONTENDER,
    _text("stack", _("the framework, or Keras with its backend"), "contender.stack"),
    _text("mode", _("eager or compiled"), "contender.mode"),
    _text("variant", _("declared variant; empty for the stack's plain form"), "contender.variant"),
    _flag("twin", _("whether it is the second name of an A/A pair"), "contender.twin"),
    _IMAGE,
    _text("config_digest", _("identity of the image; empty outside a container"), "image.config_digest"),
    _text("repo_digest", _("its address in a registry"), "image.repo_digest"),
    _text("lock_sha256", _("hash of the lock of Python packages"), "image.lock_sha256"),
    _text("base_sha256", _("hash of the lock of Debian packages"), "image.base_sha256"),
    _text("own_builds", _("somebody's own wheels in place of locked ones"), "image.own_builds"),
]

_TRIALS = [
    _text("trial_id", _("unique, ordered by time"), "trial_id"),
    _RESULT_ID,
    _text("kind", _("parity, timing, memory, cold-start or ceiling"), "kind"),
    _text("campaign_id", _("the campaign that it is part of"), "campaign_id"),
    _whole("round", "", _("its round in the campaign; 0 outside rounds"), "round"),
    _whole("seed", "", _("seed of its data and order"), "seed"),
    _text("started_utc", _("when it started, ISO 8601, UTC"), "started_utc"),
    _whole("duration_ns", "ns", _("the whole trial, from start to record"), "duration_ns"),
    _HOST,
    _EXECUTOR,
    _PROTOCOL,
    *_WHAT,
    _GIT_COMMIT,
    _DIRTY,
    _text("harness_tree_sha256", _("hash of the whole harness"), "provenance.harness_tree_sha256"),
    _WORK_HASH,
    _PROTOCOL_HASH,
    _STATUS,
    _REASON,
    _text(
        "flags",
        _("codes of what limits trust; noise is judged by today's rule"),
        "flags",
        "telemetry.metrics",
        "image.own_builds",
    ),
    _text("cache_state", _("whether the compile cache was cold or warm"), "cache_state"),
    _text("steady_class", _("steady, slowdown or no-steady-state while timed"), "timing.steady_class"),
    _whole("blocks", "", _("timed blocks"), "timing.blocks"),
    _whole("steps", "", _("steps in all timed blocks"), "timing.blocks"),
    _number("step_ns", "ns", _("time of one step, median over blocks"), "timing.blocks"),
    _number("units_per_s", "1/s", _("throughput"), "timing.units_per_step", "timing.blocks"),
    _UNIT,
    _number(
        "cpu_step_ns", "ns", _("CPU time of one step over all cores, median over blocks"), "timing.blocks"
    ),
    _number(
        "wait_share",
        "",
        _("share of the time that threads wanted a core in which they waited for one"),
        "telemetry.metrics",
    ),
    _whole("flops_per_step", "FLOP", _("declared work of one step"), "timing.flops_per_step"),
    _whole(
        "flops_causal_per_step",
        "FLOP",
        _("what of it is left without what a causal mask hides; empty without a mask"),
        "timing.flops_causal_per_step",
    ),
    _number("flops_per_s", "FLOP/s", _("declared work over time"), "timing.flops_per_step", "timing.blocks"),
    *(
        _whole(
            f"latency_p{q}_ns",
            "ns",
            _("quantile of the time of one synchronised step"),
            f"timing.latency.p{q}_ns",
        )
        for q in (50, 90, 95, 99)
    ),
    _whole("warm_up_blocks", "", _("blocks of the warm-up"), "timing.warmup.blocks"),
    _flag("warm_up_steady", _("whether the warm-up ended in a steady state"), "timing.warmup.steady"),
    *(
        _whole(f"{phase}_ns", "ns", _("wall time of the phase: {words}").format(words=words), "phases")
        for phase, words in {
            "import": _("importing the framework"),
            "configure": _("setting threads and precision"),
            "build": _("building the model"),
            "load_weights": _("loading the weights"),
            "first_step": _("the first step, with trace and compilation"),
            "second_step": _("the second step"),
            "warm_up": _("warm-up"),
        }.items()
    ),
    _whole("allocator_peak_bytes", "B", _("peak of the framework's allocator"), "memory.allocator_peak"),
    _whole("device_delta_bytes", "B", _("rise of the GPU's memory in use"), "memory.device_delta"),
    _whole("host_rss_peak_bytes", "B", _("peak of the process's resident memory"), "memory.host_rss_peak"),
    _whole(
        "host_rss_after_import_bytes",
        "B",
        _("its resident memory once the framework is imported"),
        "memory.host_rss_after_import",
    ),
    _flag("parity_passed", _("the gate's answer; empty in trials of other kinds"), "parity.passed"),
    _flag(
        "shape_checked",
        _(
            "whether the timed shape agreed with float64 before and after the blocks; empty where nobody could say"
        ),
        "shape_before",
        "shape_after",
    ),
    *(
        _number(
            f"ceiling_{precision}_flops_per_s",
            "FLOP/s",
            _("best large matrix product in {precision}").format(precision=precision),
            "ceiling.matmul_flops_per_s",
        )
        for precision in ("fp32", "tf32", "bf16")
    ),
    _number(
        "ceiling_copy_bytes_per_s", "B/s", _("best large copy, read + written"), "ceiling.copy_bytes_per_s"
    ),
    _text("learning_measure", _("what a training is judged by"), "learning.measure"),
    _number("target", _("as the measure"), _("what it has to reach"), "learning.target"),
    _number("final_score", _("as the measure"), _("where it ended"), "learning.final_score"),
    _whole("epochs_to_target", "", _("epochs until it got there"), "learning.epochs_to_target"),
    _whole("ns_to_target", "ns", _("training time until it got there"), "learning.wall_ns_to_target"),
    _text("framework_version", _("read at run time"), "software.framework"),
    _text("backend_version", _("of Keras's backend"), "software.backend"),
    _text("numpy_version", _("read at run time"), "software.numpy"),
    _text("python_version", _("read at run time"), "software.python"),
    _text("compiler", _("the C++ compiler that the framework would use"), "software.compiler"),
    _text("cpu_model", _("as the kernel names it"), "hardware.cpu_model"),
    _text("architecture", _("of the processor"), "hardware.architecture"),
    _whole("ram_bytes", "B", _("memory of the machine"), "hardware.ram_bytes"),
    _text(
        "virtualisation", _("kind of virtual machine; empty where unknown or none"), "hardware.virtualisation"
    ),
]

_RESULTS = [
    _RESULT_ID,
    _HOST,
    _EXECUTOR,
    _flag("container", _("whether it ran in a container"), "provenance.executor", "image.config_digest"),
    _PROTOCOL,
    _EDITION,
    *_WHAT,
    _WORK_HASH,
    _PROTOCOL_HASH,
    _GIT_COMMIT,
    _DIRTY,
    _flag("superseded", _("whether a newer result of the same contender stands in its place"), "started_utc"),
    _flag("retired", _("whether its image is retired, so that it takes part in no comparison"), "image.name"),
    _STATUS,
    _REASON,
    _flag("ranked", _("whether it may take a place in a ranking"), "results.unranked_because"),
    _UNRANKED,
    _text("flags", _("codes of what limits trust, over all its trials"), "trials.flags"),
    _whole("timing_trials", "", _("timed trials that count"), "trials.kind", "trials.status"),
    _whole("failed_trials", "", _("trials of any kind that failed"), "trials.status"),
    *_estimate("step_ns", "ns", _("time of one step, geometric mean over trials"), "trials.step_ns"),
    *_estimate("units_per_s", "1/s", _("throughput"), "trials.step_ns", "timing.units_per_step"),
    _UNIT,
    *_estimate("cpu_step_ns", "ns", _("CPU time of one step over all cores"), "trials.cpu_step_ns"),
    _number("wait_share", "", _("median over trials"), "trials.wait_share"),
    _whole("flops_per_step", "FLOP", _("declared work of one step"), "timing.flops_per_step"),
    _whole(
        "flops_causal_per_step",
        "FLOP",
        _("what of it is left without what a causal mask hides"),
        "timing.flops_causal_per_step",
    ),
    _text("precision_ran", _("the precision of the products that really ran"), "settings.precision"),
    _number(
        "flops_per_s", "FLOP/s", _("declared work over time"), "results.flops_per_step", "results.step_ns"
    ),
    _number("peak_flops_per_s", "FLOP/s", _("peak of the data sheet, all devices"), "hardware.gpus"),
    _number("mfu", "", _("model FLOP utilization: share of that peak"), "results.flops_per_s"),
    _text("mfu_reason", _("why there is none"), "hardware.gpus"),
    _number(
        "ceiling_flops_per_s",
        "FLOP/s",
        _("most that this machine was seen to do"),
        "ceiling.matmul_flops_per_s",
    ),
    _number("ceiling_share", "", _("share of that"), "results.flops_per_s"),
    _text("ceiling_reason", _("why there is none"), "ceiling.reasons"),
    _whole("latency_steps", "", _("synchronised steps of all trials"), "timing.latency.steps"),
    *(
        column
        for q in (50, 90, 95, 99)
        for column in _estimate(
            f"latency_p{q}_ns",
            "ns",
            _("quantile of the time of one synchronised step, geometric mean over trials"),
            f"trials.latency_p{q}_ns",
        )
    ),
    _whole("latency_bootstrap_seed", "", _("seed of those intervals"), "results.result_id"),
    _number("first_step_cold_ns", "ns", _("median first step, compile cache cold"), "trials.first_step_ns"),
    _number("first_step_warm_ns", "ns", _("median first step, compile cache warm"), "trials.first_step_ns"),
    _whole("allocator_peak_bytes", "B", _("peak of the framework's allocator"), "memory.allocator_peak"),
    _whole("device_delta_bytes", "B", _("rise of the GPU's memory in use"), "memory.device_delta"),
    _whole("host_rss_peak_bytes", "B", _("peak of the process's resident memory"), "memory.host_rss_peak"),
    _flag("parity_passed", _("the answer of the gate that counts for it"), "parity.passed"),
    _text("learning_measure", _("what a training is judged by"), "learning.measure"),
    _number("target", _("as the measure"), _("what it has to reach"), "learning.target"),
    *_estimate(
        "final_score", _("as the measure"), _("where it ended, mean over trials"), "trials.final_score"
    ),
    _whole("reached_target", "", _("trials that got there"), "trials.epochs_to_target"),
    _number("epochs_to_target", "", _("median over trials that got there"), "trials.epochs_to_target"),
    _number("ns_to_target", "ns", _("geometric mean over trials that got there"), "trials.ns_to_target"),
]

_LADDER = [
    _HOST,
    _EXECUTOR,
    _PROTOCOL,
    _text("device", _("cpu or gpu"), "case.device"),
    _text("precision", _("fp32, tf32 or bf16"), "case.precision"),
    _text("cases", _("the cases that all of them have"), "comparisons.case"),
    _text("baseline", _("contender that the others are compared with"), "contender"),
    _CONTENDER,
    _whole(
        "rank_best", "", _("first place of the range that 95 % confidence leaves open"), "results.step_ns"
    ),
    _whole("rank_worst", "", _("its last place"), "results.step_ns"),
    *_estimate(
        "time_ratio",
        "",
        _("geometric mean over the cases of the time over the baseline's: below 1 is faster"),
        "comparisons.time_ratio",
    ),
    _text(
        "needed",
        _("what is set against speed: energy, or memory where no GPU told it"),
        "telemetry",
        "memory",
    ),
    _number(
        "need_ratio",
        "",
        _("geometric mean over the cases of that over the baseline's"),
        "telemetry",
        "memory",
    ),
    _text("missing", _("cases that it lacks, and has no place for"), "results.ranked"),
]

_COMPARISONS = [
    _HOST,
    _EXECUTOR,
    _CASE,
    _PROTOCOL,
    _EDITION,
    _text("baseline", _("contender that the others are compared with"), "contender"),
    _number("aa_noise_ln", "ln", _("this host's A/A noise, upper 95 % limit"), "trials.step_ns"),
    _number("equal_within_ln", "ln", _("margin inside which two times are tied"), "comparisons.aa_noise_ln"),
    _CONTENDER,
    _IMAGE,
    _text("result_id", _("the result that is compared"), "results.result_id"),
    _whole("place", "", _("place among ranked contenders, 1 is the fastest"), "results.step_ns"),
    _UNRANKED,
    *_estimate("time_ratio", "", _("time over the baseline's: below 1 is faster"), "trials.step_ns"),
    _whole("rounds", "", _("rounds that both have"), "round"),
    _text("method", _("how the interval was made"), "trials.step_ns"),
    _number("adjusted_p", "", _("Holm's p for a difference beyond the margin"), "comparisons.time_ratio"),
    _text("verdict", _("faster, slower, tied, undecided or empty"), "comparisons.adjusted_p"),
    _number("relative_to_best", "", _("time over the shortest of the case, no verdict"), "results.step_ns"),
    _STATUS,
    _REASON,
]

_ANSWERS = [
    _text("workload", _("the work that is asked about"), "case.workload"),
    _text("task", _("and its task"), "case.task"),
    _text("state", _("answered, too few rounds, no quiet host or not measured"), "comparisons.verdict"),
    _text(
        "relation",
        _("fastest, level, too close to call or undecided; empty without an answer"),
        "results.step_ns",
    ),
    _CASE,
    _HOST,
    _EXECUTOR,
    _PROTOCOL,
    _EDITION,
    _text("measured_utc", _("when the newest of its trials started, ISO 8601, UTC"), "started_utc"),
    _text("baseline", _("the case's baseline"), "comparisons.baseline"),
    _text("first", _("the best contender"), "comparisons.contender"),
    _text("first_result_id", _("its result"), "results.result_id"),
    _number("first_units_per_s", "1/s", _("its throughput"), "results.units_per_s"),
    _UNIT,
    _text("second", _("the best of the next framework"), "comparisons.contender"),
    _text("second_result_id", _("its result"), "results.result_id"),
    *_estimate("speed_ratio", "", _("speed of the first over the second's"), "results.units_per_s"),
    _number(
        "first_step_ns",
        "ns",
        _("first step of the best, where it speaks against it"),
        "results.first_step_cold_ns",
        "results.first_step_warm_ns",
    ),
    _number(
        "first_step_least_ns",
        "ns",
        _("the least of the other frameworks"),
        "results.first_step_cold_ns",
        "results.first_step_warm_ns",
    ),
    _text(
        "first_step_cache", _("whether those first steps had a cold or a warm compile cache"), "cache_state"
    ),
    _number(
        "first_step_repaid_steps",
        "",
        _("steps after which the best has caught up; empty where it is not surely faster"),
        "results.step_ns",
    ),
    _number("peak_memory_bytes", "B", _("memory of the best, where it speaks against it"), "memory"),
    _number("peak_memory_least_bytes", "B", _("the least of the other frameworks"), "memory"),
    _whole("failed_trials", "", _("trials of the best that failed"), "results.failed_trials"),
    _text(
        "failed_elsewhere", _("cases in which the best contender has no figure, and why"), "results.status"
    ),
    _text("earlier", _("results of an earlier edition, which are not compared"), "results.edition"),
    _text("not_ranked", _("frameworks without a place here"), "results.unranked_because"),
    _text("faster_unranked", _("contenders with a better figure that may not be ranked"), "results.ranked"),
    _text("reasons", _("codes: why nothing is ranked"), "results.unranked_because"),
    _text("sentence", _("the answer as the home page gives it"), "answers.state"),
]

COLUMNS: dict[str, list[Column]] = {
    "trials": _TRIALS,
    "results": _RESULTS,
    "comparisons": _COMPARISONS,
    "ladder": _LADDER,
    "answers": _ANSWERS,
}


def data_package(descriptions: dict[str, str]) -> str:
    """The dictionary for machines: a Data Package (Frictionless, version 1), each CSV file with its Table Schema.

    ``descriptions`` says what a row of each table is. ``unit`` and ``sources`` are properties of our own.
    """
    package = {
        "profile": "tabular-data-package",
        "name": "framebench",
        "licenses": [{"name": "CC-BY-4.0", "path": "https://creativecommons.org/licenses/by/4.0/"}],
        "resources": [
            {
                "profile": "tabular-data-resource",
                "name": table,
                "path": f"{table}.csv",
                "description": descriptions[table],
                "schema": {
                    "fields": [
                        {
                            "name": column.name,
                            "type": column.type,
                            "description": column.meaning,
                            **({"unit": column.unit} if column.unit else {}),
                            "sources": column.sources,
                        }
                        for column in columns
                    ]
                },
            }
            for table, columns in COLUMNS.items()
        ],
    }
    return json.dumps(package, indent=1, ensure_ascii=False) + "\n"


def dictionary(table: str) -> Table:
    """The dictionary for people: one row per column of a table."""
    rows = [
        [
            Cell(column.name, code=True),
            Cell(column.meaning, "fb-reason"),
            Cell(column.type),
            Cell(column.unit),
            Cell(", ".join(column.sources), "fb-reason"),
        ]
        for column in COLUMNS[table]
    ]
    return Table([_("Column"), _("Meaning"), _("Type"), _("Unit"), _("From")], rows)
