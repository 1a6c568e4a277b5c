"""A workload's specification in tables: sizes, inputs, tasks, optimizer, decisions, tensors."""

from __future__ import annotations

import math
from typing import Any

import msgspec

from framebench.language import N_, _
from framebench.pages import figures
from framebench.pages.views import Cell, Fact, Table
from framebench.pages.words import PRECISIONS, UNITS, measure_name, task_name
from harness import workloads

NUM = "fb-num"
DRAWS = {
    "uniform": N_("uniform on ± {a:.4g}"),
    "integers": N_("whole numbers, uniform below {below}"),
    "given": N_("{source}"),
}


def view(name: str) -> dict[str, Any]:
    """Everything that the template shows of a specification."""
    spec = workloads.get(name)
    with_tensors = [preset for preset in spec.presets if _parameters(spec, preset)]
    smallest = min(with_tensors or spec.presets, key=lambda preset: _parameters(spec, preset))
    return {
        "sizes": _sizes(spec),
        "inputs": _inputs(spec),
        "tasks": _tasks(spec),
        "optimizer": _optimizer(spec),
        "decisions": [
            Fact(_(key), _(_text(value)).replace("`", ""))
            for key, value in {**spec.decisions, **_data(spec)}.items()
        ],
        "gate": _gate(spec),
        "learning": _learning(spec),
        "tensors": _tensors(spec, smallest),
        "tensors_of": smallest,
    }


def _sizes(spec: Any) -> Table:
    """One column per preset: its fields, parameters, work per step of one sample and task."""
    presets = dict(spec.presets)
    by_preset = {name: fields(preset) for name, preset in presets.items()}
    keys = list(dict.fromkeys(key for found in by_preset.values() for key in found if key != "smooth"))
    rows = [
        [Cell(_(key.replace("_", " "))), *(Cell(_text(by_preset[p].get(key)), NUM) for p in presets)]
        for key in keys
    ]
    counts = [_parameters(spec, preset) for preset in presets]
    rows.append([Cell(_("parameters")), *(Cell(figures.significant(count, 4), NUM) for count in counts)])
    for task in spec.tasks:
        label = _("work, {task}, batch 1").format(task=task_name(task))
        every = [spec.flops(preset, 1, task) for preset in presets.values()]
        rows.append([Cell(label), *(Cell(figures.flops(count), NUM) for count in every)])
        if spec.flops_causal is not None:
            causal = [spec.flops_causal(preset, 1, task) for preset in presets.values()]
            if causal != every:
                label = _("… without what the causal mask hides")
                rows.append([Cell(label), *(Cell(figures.flops(count), NUM) for count in causal)])
    return Table([_("Preset"), *presets], rows)


def fields(preset: Any) -> dict[str, Any]:
    """A preset's own settings by name."""
    found: dict[str, Any] = preset._asdict() if hasattr(preset, "_asdict") else dict(vars(preset))
    return found


def _parameters(spec: Any, preset: str) -> int:
    tensors = spec.tensors(spec.presets[preset]).values()
    return sum(math.prod(one.shape) for one in tensors if one.role == "weight")


def _inputs(spec: Any) -> Table:
    rows = []
    for name, one in spec.inputs.items():
        draw = msgspec.to_builtins(one.draw)
        words = _(DRAWS.get(draw.get("type", ""), "{type}")).format(
            **draw | {"source": _(draw.get("source", ""))}
        )
        shape = " × ".join(_("batch") if part == "B" else str(part) for part in one.shape) or _("one number")
        rows.append([Cell(name, code=True), Cell(shape), Cell(one.dtype), Cell(words, "fb-reason")])
    return Table([_("Input"), _("Shape"), _("Type"), _("Values")], rows)


def _tasks(spec: Any) -> Table:
    """One row per task, or as many as it differs in from preset to preset."""
    rows = []
    declared = [(task, spec.work(task, preset)) for task in spec.tasks for preset in spec.presets.values()]
    for task, work in dict.fromkeys(declared):
        each = "1" if work.per_sample == 1 else str(work.per_sample)
        given = ", ".join(work.inputs)
        if work.start:
            given += _(" (after {names}, once)").format(names=", ".join(work.start))
        rows.append(
            [
                Cell(task_name(task)),
                Cell(given, "fb-reason", quoted=True),
                Cell(", ".join(work.outputs), quoted=True),
                Cell(_(UNITS.get(work.unit, work.unit))),
                Cell(each),
            ]
        )
    head = [_("Task"), _("Takes"), _("Gives back"), _("Counted in"), _("per sample of the batch")]
    return Table(head, rows)


def _optimizer(spec: Any) -> list[Fact]:
    if "train" not in spec.tasks:
        return []
    declared = msgspec.to_builtins(spec.optimizer)
    schedule = declared.pop("schedule", None)
    names = {"sgd": "SGD", "adamw": "AdamW"}
    kind = declared.pop("type")
    facts = [Fact(_("rule"), names.get(kind, kind))]
    facts += [
        Fact(_(_RATES.get(key, key.replace("_", " "))), _text(value)) for key, value in declared.items()
    ]
    if schedule:
        words = ", ".join(f"{key} {_text(value)}" for key, value in schedule.items() if key != "type")
        facts.append(Fact(_("schedule"), f"{schedule['type'].replace('-', ', ')}: {words}"))
    return facts


_RATES = {"lr": N_("learning rate"), "beta1": N_("β₁"), "beta2": N_("β₂"), "epsilon": N_("ε")}


def _data(spec: Any) -> dict[str, Any]:
    return {_("data: {name}").format(name=_(key)): value for key, value in spec.data_facts.items()}


def _gate(spec: Any) -> list[Fact]:
    facts = [Fact(_("precisions"), ", ".join(_(PRECISIONS.get(one, one)) for one in spec.precisions))]
    for preset, size in spec.gate.sizes.items():
        text = _("batch {n}").format(n=size.batch)
        if size.preset is not None:
            text += _(", at preset {name}").format(name=size.preset)
        facts.append(Fact(_("preset {name}").format(name=preset), text))
    smooth = _("SiLU for ReLU and average for maximum pooling, where the timed precision is compared")
    return facts + ([Fact(_("smooth form"), smooth)] if spec.gate.smooth else [])


def _learning(spec: Any) -> str:
    """What is learned and when it has been; empty where nothing is."""
    learning = spec.learning
    if learning is None:
        return ""
    side = _("at least") if learning.higher else _("at most")
    return _("a {measure} of {side} {target:g}").format(
        measure=measure_name(learning.measure), side=side, target=learning.target
    )


def _tensors(spec: Any, preset: str) -> Table:
    rows = []
    for name, one in spec.tensors(spec.presets[preset]).items():
        start = f"± {one.a:.4g}" if one.a else f"{one.constant:g}"
        remarks = [_("buffer") if one.role == "buffer" else "", _("decayed") if one.decayed else ""]
        rows.append(
            [
                Cell(name, code=True),
                Cell(" × ".join(map(str, one.shape)), NUM),
                Cell(start, NUM),
                Cell(", ".join(remark for remark in remarks if remark)),
            ]
        )
    return Table([_("Tensor"), _("Shape"), _("Starts uniform on, or at"), _("Remark")], rows)


def _text(value: object) -> str:
    """A setting as a reader writes it."""
    if value is None:
        return figures.NONE
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if isinstance(value, list | tuple):
        return ", ".join(map(_text, value))
    if isinstance(value, float):
        return f"{value:.6g}"
    return str(value)
