"""The data dictionary: what each column of a download means, its type, its unit, and the fields that it comes from."""

from __future__ import annotations

import json
from typing import Literal, NamedTuple

from framebench.language import N_, _
from framebench.pages.publisher import PROJECT, Publisher
from framebench.pages.views import Cell, Table

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
        _number(f"{name}_low", unit, N_("lower end of the 95 % interval"), *sources),
        _number(f"{name}_high", unit, N_("upper end of the 95 % interval"), *sources),
    ]


_RESULT_ID = _text(
    "result_id",
    N_(
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
_HOST = _text("host_id", N_("name of the machine, made from its hardware"), "provenance.host_id")
_EXECUTOR = _text("executor", N_("docker, venv, system or slurm: in what it ran"), "provenance.executor")
_PROTOCOL = _text("protocol", N_("name of the suite whose protocol timed it"), "protocol.name")
_EDITION = _text(
    "edition",
    N_(
        "empty where it was measured by the protocol, and with the form of the workload, of the newest results of its "
        "case; else digits that tell what was measured before from that"
    ),
    "provenance.protocol_hash",
    "workload_config_sha256",
)
_CASE = _text("case", N_("the case in one word: equal where the work is the same"), "case")
_CONTENDER = _text("contender", N_("stack, mode and variant in one word"), "contender")
_IMAGE = _text(
    "image", N_("name of the image; outside a container, of the lock it was made from"), "image.name"
)
_STATUS = _text("status", N_("ok, or how it failed; a result may also be: not timed"), "outcome.status")
_REASON = _text("reason", N_("why there is no figure, in the trial's own words"), "outcome.reason")
_GIT_COMMIT = _text("git_commit", N_("commit of the clone that measured"), "provenance.git_commit")
_DIRTY = _flag("dirty", N_("whether that clone had uncommitted changes"), "provenance.dirty")
_WORK_HASH = _text(
    "work_hash", N_("hash of the code and settings that decide the work"), "provenance.work_hash"
)
_PROTOCOL_HASH = _text(
    "protocol_hash",
    N_("hash of the protocol's parameters; empty before record version 3"),
    "provenance.protocol_hash",
)
_UNIT = _text("unit", N_("what a step counts: images, tokens, samples or calls"), "timing.unit")
_UNRANKED = _text(
    "unranked_because",
    N_("a code: why it takes no place in a ranking; empty where it may"),
    "flags",
    "telemetry.metrics",
    "parity.passed",
    "outcome.status",
    "image.own_builds",
)

_WHAT = [
    _text("workload", N_("name of the model with its data, loss and optimizer"), "case.workload"),
    _text("preset", N_("name of its size"), "case.preset"),
    _text("task", N_("what a step does: train, infer, prefill, decode, load, call or a phase"), "case.task"),
    _whole("batch", "", N_("examples in one step"), "case.batch"),
    _text("precision", N_("fp32, tf32 or bf16"), "case.precision"),
    _text("device", N_("cpu or gpu"), "case.device"),
    _whole("device_count", "", N_("how many of them"), "case.device_count"),
    _whole("cores", "", N_("CPU cores that the trial may use"), "case.cores"),
    _CASE,
    _CONTENDER,
    _text("stack", N_("the framework, or Keras with its backend"), "contender.stack"),
    _text("mode", N_("eager or compiled"), "contender.mode"),
    _text("variant", N_("declared variant; empty for the stack's plain form"), "contender.variant"),
    _flag("twin", N_("whether it is the second name of an A/A pair"), "contender.twin"),
    _IMAGE,
    _text("config_digest", N_("identity of the image; empty outside a container"), "image.config_digest"),
    _text("repo_digest", N_("its address in a registry"), "image.repo_digest"),
    _text("lock_sha256", N_("hash of the lock of Python packages"), "image.lock_sha256"),
    _text("base_sha256", N_("hash of the lock of Debian packages"), "image.base_sha256"),
    _text("own_builds", N_("somebody's own wheels in place of locked ones"), "image.own_builds"),
]

_TRIALS = [
    _text("trial_id", N_("unique, ordered by time"), "trial_id"),
    _RESULT_ID,
    _text("kind", N_("parity, timing, memory, cold-start or ceiling"), "kind"),
    _text("campaign_id", N_("the campaign that it is part of"), "campaign_id"),
    _whole("round", "", N_("its round in the campaign; 0 outside rounds"), "round"),
    _whole("seed", "", N_("seed of its data and order"), "seed"),
    _text("started_utc", N_("when it started, ISO 8601, UTC"), "started_utc"),
    _whole("duration_ns", "ns", N_("the whole trial, from start to record"), "duration_ns"),
    _HOST,
    _EXECUTOR,
    _PROTOCOL,
    *_WHAT,
    _GIT_COMMIT,
    _DIRTY,
    _text("engine", N_("the container engine, by name and version"), "engine"),
    _text("harness_tree_sha256", N_("hash of the whole harness"), "provenance.harness_tree_sha256"),
    _WORK_HASH,
    _PROTOCOL_HASH,
    _STATUS,
    _REASON,
    _text(
        "flags",
        N_("codes of what limits trust; noise is judged by today's rule"),
        "flags",
        "telemetry.metrics",
        "image.own_builds",
        "hardware.gpus",
    ),
    _text("cache_state", N_("whether the compile cache was cold or warm"), "cache_state"),
    _text("steady_class", N_("steady, slowdown or no-steady-state while timed"), "timing.steady_class"),
    _whole("blocks", "", N_("timed blocks"), "timing.blocks"),
    _whole("steps", "", N_("steps in all timed blocks"), "timing.blocks"),
    _number("step_ns", "ns", N_("time of one step, median over blocks"), "timing.blocks"),
    _number("units_per_s", "1/s", N_("throughput"), "timing.units_per_step", "timing.blocks"),
    _UNIT,
    _number(
        "cpu_step_ns", "ns", N_("CPU time of one step over all cores, median over blocks"), "timing.blocks"
    ),
    _number(
        "wait_share",
        "",
        N_("share of the time that threads wanted a core in which they waited for one"),
        "telemetry.metrics",
    ),
    _number("energy_j", "J", N_("energy of its GPUs over the timed window"), "telemetry.gpus"),
    _number("energy_above_rest_j", "J", N_("that above their power at rest"), "telemetry.gpus"),
    _number("joules_per_unit", "J", N_("energy per unit of work, above rest and at rest"), "telemetry.gpus"),
    _text(
        "energy_sensor",
        N_("counter: the driver's own; instant power: integrated from samples"),
        "telemetry.gpus",
    ),
    _number(
        "energy_sensor_error",
        "",
        N_("how far a card's sensor may be off, all the time in the same direction, as a part of one"),
        "trials.energy_sensor",
    ),
    _number("sm_clock_mhz", "MHz", N_("mean SM clock of the GPU over the timed window"), "telemetry.gpus"),
    _whole("flops_per_step", "FLOP", N_("declared work of one step"), "timing.flops_per_step"),
    _whole(
        "flops_causal_per_step",
        "FLOP",
        N_("what of it is left without what a causal mask hides; empty without a mask"),
        "timing.flops_causal_per_step",
    ),
    _number("flops_per_s", "FLOP/s", N_("declared work over time"), "timing.flops_per_step", "timing.blocks"),
    *(
        _whole(
            f"latency_p{q}_ns",
            "ns",
            N_("quantile of the time of one synchronised step"),
            f"timing.latency.p{q}_ns",
        )
        for q in (50, 90, 95, 99)
    ),
    _whole("warm_up_blocks", "", N_("blocks of the warm-up"), "timing.warmup.blocks"),
    _flag("warm_up_steady", N_("whether the warm-up ended in a steady state"), "timing.warmup.steady"),
    *(
        _whole(f"{phase}_ns", "ns", meaning, "phases")
        for phase, meaning in {
            "import": N_("wall time of importing the framework"),
            "configure": N_("wall time of setting threads and precision"),
            "build": N_("wall time of building the model"),
            "load_weights": N_("wall time of loading the weights"),
            "first_step": N_("wall time of the first step, with trace and compilation"),
            "second_step": N_("wall time of the second step"),
            "warm_up": N_("wall time of the warm-up"),
        }.items()
    ),
    _whole("allocator_peak_bytes", "B", N_("peak of the framework's allocator"), "memory.allocator_peak"),
    _whole("device_delta_bytes", "B", N_("rise of the GPU's memory in use"), "memory.device_delta"),
    _whole("host_rss_peak_bytes", "B", N_("peak of the process's resident memory"), "memory.host_rss_peak"),
    _whole(
        "host_rss_after_import_bytes",
        "B",
        N_("its resident memory once the framework is imported"),
        "memory.host_rss_after_import",
    ),
    _flag("parity_passed", N_("the gate's answer; empty in trials of other kinds"), "parity.passed"),
    _flag(
        "shape_checked",
        N_(
            "whether the timed shape agreed with float64 before and after the blocks; empty where nobody could say"
        ),
        "shape_before",
        "shape_after",
    ),
    *(
        _number(f"ceiling_{precision}_flops_per_s", "FLOP/s", meaning, "ceiling.matmul_flops_per_s")
        for precision, meaning in {
            "fp32": N_("best large matrix product in fp32"),
            "tf32": N_("best large matrix product in fp32 with TF32 products"),
            "bf16": N_("best large matrix product in bf16"),
        }.items()
    ),
    _number(
        "ceiling_copy_bytes_per_s", "B/s", N_("best large copy, read + written"), "ceiling.copy_bytes_per_s"
    ),
    _text("learning_measure", N_("what a training is judged by"), "learning.measure"),
    _number("target", N_("as the measure"), N_("what it has to reach"), "learning.target"),
    _number("final_score", N_("as the measure"), N_("where it ended"), "learning.final_score"),
    _whole("epochs_to_target", "", N_("epochs until it got there"), "learning.epochs_to_target"),
    _whole("ns_to_target", "ns", N_("training time until it got there"), "learning.wall_ns_to_target"),
    _text("framework_version", N_("read at run time"), "software.framework"),
    _text("backend_version", N_("of Keras's backend"), "software.backend"),
    _text("numpy_version", N_("read at run time"), "software.numpy"),
    _text("python_version", N_("read at run time"), "software.python"),
    _text("compiler", N_("the C++ compiler that the framework would use"), "software.compiler"),
    _text("cpu_model", N_("as the kernel names it"), "hardware.cpu_model"),
    _text("architecture", N_("of the processor"), "hardware.architecture"),
    _whole("ram_bytes", "B", N_("memory of the machine"), "hardware.ram_bytes"),
    _text(
        "virtualisation",
        N_("kind of virtual machine; empty where unknown or none"),
        "hardware.virtualisation",
    ),
]

_RESULTS = [
    _RESULT_ID,
    _HOST,
    _EXECUTOR,
    _flag("container", N_("whether it ran in a container"), "provenance.executor", "image.config_digest"),
    _PROTOCOL,
    _EDITION,
    *_WHAT,
    _WORK_HASH,
    _PROTOCOL_HASH,
    _GIT_COMMIT,
    _DIRTY,
    _flag(
        "superseded", N_("whether a newer result of the same contender stands in its place"), "started_utc"
    ),
    _flag(
        "retired", N_("whether its image is retired, so that it takes part in no comparison"), "image.name"
    ),
    _STATUS,
    _REASON,
    _flag("ranked", N_("whether it may take a place in a ranking"), "results.unranked_because"),
    _UNRANKED,
    _text("flags", N_("codes of what limits trust, over all its trials"), "trials.flags"),
    _whole("timing_trials", "", N_("timed trials that count"), "trials.kind", "trials.status"),
    _whole("failed_trials", "", N_("trials of any kind that failed"), "trials.status"),
    *_estimate("step_ns", "ns", N_("time of one step, geometric mean over trials"), "trials.step_ns"),
    *_estimate("units_per_s", "1/s", N_("throughput"), "trials.step_ns", "timing.units_per_step"),
    _UNIT,
    *_estimate("cpu_step_ns", "ns", N_("CPU time of one step over all cores"), "trials.cpu_step_ns"),
    _number("wait_share", "", N_("median over trials"), "trials.wait_share"),
    _number("joules_per_unit", "J", N_("median over trials"), "trials.joules_per_unit"),
    _whole("flops_per_step", "FLOP", N_("declared work of one step"), "timing.flops_per_step"),
    _whole(
        "flops_causal_per_step",
        "FLOP",
        N_("what of it is left without what a causal mask hides"),
        "timing.flops_causal_per_step",
    ),
    _text("precision_ran", N_("the precision of the products that really ran"), "settings.precision"),
    _number(
        "flops_per_s", "FLOP/s", N_("declared work over time"), "results.flops_per_step", "results.step_ns"
    ),
    _number("peak_flops_per_s", "FLOP/s", N_("peak of the data sheet, all devices"), "hardware.gpus"),
    _number("mfu", "", N_("model FLOP utilization: share of that peak"), "results.flops_per_s"),
    _text("mfu_reason", N_("why there is none"), "hardware.gpus"),
    _number(
        "ceiling_flops_per_s",
        "FLOP/s",
        N_("most that this machine was seen to do"),
        "ceiling.matmul_flops_per_s",
    ),
    _number("ceiling_share", "", N_("share of that"), "results.flops_per_s"),
    _text("ceiling_reason", N_("why there is none"), "ceiling.reasons"),
    _whole("latency_steps", "", N_("synchronised steps of all trials"), "timing.latency.steps"),
    *(
        column
        for q in (50, 90, 95, 99)
        for column in _estimate(
            f"latency_p{q}_ns",
            "ns",
            N_("quantile of the time of one synchronised step, geometric mean over trials"),
            f"trials.latency_p{q}_ns",
        )
    ),
    _whole("latency_bootstrap_seed", "", N_("seed of those intervals"), "results.result_id"),
    _number("first_step_cold_ns", "ns", N_("median first step, compile cache cold"), "trials.first_step_ns"),
    _number("first_step_warm_ns", "ns", N_("median first step, compile cache warm"), "trials.first_step_ns"),
    _whole("allocator_peak_bytes", "B", N_("peak of the framework's allocator"), "memory.allocator_peak"),
    _whole("device_delta_bytes", "B", N_("rise of the GPU's memory in use"), "memory.device_delta"),
    _whole("host_rss_peak_bytes", "B", N_("peak of the process's resident memory"), "memory.host_rss_peak"),
    _flag("parity_passed", N_("the answer of the gate that counts for it"), "parity.passed"),
    _text("learning_measure", N_("what a training is judged by"), "learning.measure"),
    _number("target", N_("as the measure"), N_("what it has to reach"), "learning.target"),
    *_estimate(
        "final_score", N_("as the measure"), N_("where it ended, mean over trials"), "trials.final_score"
    ),
    _whole("reached_target", "", N_("trials that got there"), "trials.epochs_to_target"),
    _number("epochs_to_target", "", N_("median over trials that got there"), "trials.epochs_to_target"),
    _number("ns_to_target", "ns", N_("geometric mean over trials that got there"), "trials.ns_to_target"),
]

_LADDER = [
    _HOST,
    _EXECUTOR,
    _PROTOCOL,
    _text("device", N_("cpu or gpu"), "case.device"),
    _text("precision", N_("fp32, tf32 or bf16"), "case.precision"),
    _text("cases", N_("the cases that all of them have"), "comparisons.case"),
    _text("baseline", N_("contender that the others are compared with"), "contender"),
    _CONTENDER,
    _whole(
        "rank_best", "", N_("first place of the range that 95 % confidence leaves open"), "results.step_ns"
    ),
    _whole("rank_worst", "", N_("its last place"), "results.step_ns"),
    *_estimate(
        "time_ratio",
        "",
        N_("geometric mean over the cases of the time over the baseline's: below 1 is faster"),
        "comparisons.time_ratio",
    ),
    _text(
        "needed",
        N_("what is set against speed: energy, or memory where no GPU told it"),
        "telemetry",
        "memory",
    ),
    _number(
        "need_ratio",
        "",
        N_("geometric mean over the cases of that over the baseline's"),
        "telemetry",
        "memory",
    ),
    _text("missing", N_("cases that it lacks, and has no place for"), "results.ranked"),
]

_COMPARISONS = [
    _HOST,
    _EXECUTOR,
    _CASE,
    _PROTOCOL,
    _EDITION,
    _text("baseline", N_("contender that the others are compared with"), "contender"),
    _number("aa_noise_ln", "ln", N_("this host's A/A noise, upper 95 % limit"), "trials.step_ns"),
    _number("equal_within_ln", "ln", N_("margin inside which two times are tied"), "comparisons.aa_noise_ln"),
    _CONTENDER,
    _IMAGE,
    _text("result_id", N_("the result that is compared"), "results.result_id"),
    _whole("place", "", N_("place among ranked contenders, 1 is the fastest"), "results.step_ns"),
    _UNRANKED,
    *_estimate("time_ratio", "", N_("time over the baseline's: below 1 is faster"), "trials.step_ns"),
    _number(
        "cycle_ratio",
        "",
        N_(
            "cycles of the GPU over the baseline's, by the mean SM clock; more than 1 % off: the clocks differed"
        ),
        "trials.sm_clock_mhz",
        "comparisons.time_ratio",
    ),
    _whole("rounds", "", N_("rounds that both have"), "round"),
    _text("method", N_("how the interval was made"), "trials.step_ns"),
    _number("adjusted_p", "", N_("Holm's p for a difference beyond the margin"), "comparisons.time_ratio"),
    _text("verdict", N_("faster, slower, tied, undecided or empty"), "comparisons.adjusted_p"),
    _number("relative_to_best", "", N_("time over the shortest of the case, no verdict"), "results.step_ns"),
    _STATUS,
    _REASON,
]

_SCALING = [
    _HOST,
    _EXECUTOR,
    _PROTOCOL,
    _CASE,
    _CONTENDER,
    _IMAGE,
    _text("result_id", N_("the result on several devices"), "results.result_id"),
    _whole("device_count", "", N_("how many of them"), "case.device_count"),
    _text("alone_id", N_("the result of the same contender on one device"), "results.result_id"),
    _text("held", N_("the batch that both have: the whole one, or that of a device"), "case.batch"),
    *_estimate("speed", "", N_("samples per second over those of one device"), "trials.step_ns"),
    *_estimate(
        "efficiency",
        "",
        N_("that over the number of GPUs; on a CPU devices are shares of the same cores, so it is the same"),
        "scaling.speed",
    ),
]

_ANSWERS = [
    _text("workload", N_("the work that is asked about"), "case.workload"),
    _text("task", N_("and its task"), "case.task"),
    _text("state", N_("answered, too few rounds, no quiet host or not measured"), "comparisons.verdict"),
    _text(
        "relation",
        N_("fastest, level, too close to call or undecided; empty without an answer"),
        "results.step_ns",
    ),
    _CASE,
    _HOST,
    _EXECUTOR,
    _PROTOCOL,
    _EDITION,
    _text("measured_utc", N_("when the newest of its trials started, ISO 8601, UTC"), "started_utc"),
    _text("baseline", N_("the case's baseline"), "comparisons.baseline"),
    _text("first", N_("the best contender"), "comparisons.contender"),
    _text("first_result_id", N_("its result"), "results.result_id"),
    _number("first_units_per_s", "1/s", N_("its throughput"), "results.units_per_s"),
    _UNIT,
    _text("second", N_("the best of the next framework"), "comparisons.contender"),
    _text("second_result_id", N_("its result"), "results.result_id"),
    *_estimate("speed_ratio", "", N_("speed of the first over the second's"), "results.units_per_s"),
    _number(
        "first_step_ns",
        "ns",
        N_("first step of the best, where it speaks against it"),
        "results.first_step_cold_ns",
        "results.first_step_warm_ns",
    ),
    _number(
        "first_step_least_ns",
        "ns",
        N_("the least of the other frameworks"),
        "results.first_step_cold_ns",
        "results.first_step_warm_ns",
    ),
    _text(
        "first_step_cache", N_("whether those first steps had a cold or a warm compile cache"), "cache_state"
    ),
    _number(
        "first_step_repaid_steps",
        "",
        N_("steps after which the best has caught up; empty where it is not surely faster"),
        "results.step_ns",
    ),
    _number("peak_memory_bytes", "B", N_("memory of the best, where it speaks against it"), "memory"),
    _number("peak_memory_least_bytes", "B", N_("the least of the other frameworks"), "memory"),
    _whole("failed_trials", "", N_("trials of the best that failed"), "results.failed_trials"),
    _text(
        "failed_elsewhere", N_("cases in which the best contender has no figure, and why"), "results.status"
    ),
    _text("earlier", N_("results of an earlier edition, which are not compared"), "results.edition"),
    _text("not_ranked", N_("frameworks without a place here"), "results.unranked_because"),
    _text("faster_unranked", N_("contenders with a better figure that may not be ranked"), "results.ranked"),
    _text("reasons", N_("codes: why nothing is ranked"), "results.unranked_because"),
    _text("sentence", N_("the answer as the home page gives it"), "answers.state"),
]

COLUMNS: dict[str, list[Column]] = {
    "trials": _TRIALS,
    "results": _RESULTS,
    "comparisons": _COMPARISONS,
    "ladder": _LADDER,
    "scaling": _SCALING,
    "answers": _ANSWERS,
}


_PROJECTS_LICENCE = {"name": "CC-BY-4.0", "path": "https://creativecommons.org/licenses/by/4.0/"}


def data_package(descriptions: dict[str, str], publisher: Publisher) -> str:
    """The dictionary for machines: a Data Package (Frictionless, version 1), each CSV file with its Table Schema.

    ``descriptions`` says what a row of each table is. ``unit`` and ``sources`` are properties of our own.
    """
    package = {
        "profile": "tabular-data-package",
        "name": "framebench",
        "title": publisher.title,
        "licenses": [_PROJECTS_LICENCE if publisher == PROJECT else {"name": publisher.licence}],
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
            Cell(_(column.meaning), "fb-reason"),
            Cell(column.type),
            Cell(_(column.unit)),
            Cell(", ".join(column.sources), "fb-reason", quoted=True),
        ]
        for column in COLUMNS[table]
    ]
    return Table([_("Column"), _("Meaning"), _("Type"), _("Unit"), _("From")], rows)
