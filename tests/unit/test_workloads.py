"""What every workload's specification keeps to, in every preset: found by folder, none is named here."""

from __future__ import annotations

import json
import math
import re
from typing import Any

import numpy as np
import pytest

from harness import workloads
from harness.workloads.specification import Integers, Uniform, Workload

BATCH = 3
NAMES = workloads.names()
PRESETS = [(name, preset) for name in NAMES for preset in workloads.get(name).presets]
TASKS = [(*one, task) for one in PRESETS for task in workloads.get(one[0]).tasks]
DRAWN = 30_000_000  # values at most that are worth the seconds of drawing them here


def given(name: str, preset: str) -> tuple[Workload, Any]:
    workload = workloads.get(name)
    return workload, workload.presets[preset]


def test_no_specification_is_broken_and_each_is_named_for_its_folder() -> None:
    assert workloads.broken() == {}
    assert NAMES and all(workloads.get(name).name == name for name in NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_config_is_json_and_names_every_preset_apart(name: str) -> None:
    workload = workloads.get(name)
    texts = {json.dumps(workload.config(preset), sort_keys=True) for preset in workload.presets.values()}
    hashes = {workload.config_sha256(preset) for preset in workload.presets.values()}
    assert len(texts) == len(hashes) == len(workload.presets)


# --- tensors -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "preset"), PRESETS)
def test_weights_are_what_their_tensors_declare(name: str, preset: str) -> None:
    workload, size = given(name, preset)
    tensors = workload.tensors(size)
    assert tensors or "train" not in workload.tasks  # an operation by itself may have no weights
    assert all(one.a == 0.0 or one.constant == 0.0 for one in tensors.values())
    if sum(math.prod(one.shape) for one in tensors.values()) > DRAWN:
        return
    weights = workload.weights(size, 0)
    assert list(weights) == list(tensors)
    stored = workload.stored is not None and workload.stored(size) is not None
    for key, one in tensors.items():
        array = weights[key]
        assert (array.shape, array.dtype) == (one.shape, np.float32), key
        if stored:
            assert np.isfinite(array).all() and np.any(array != one.constant), key
        elif one.a:
            assert np.abs(array).max() <= np.float32(one.a), key
            # half as far as that is never missed by chance, and every one of them differs
            assert np.ptp(array) > one.a * min(1.0, 0.1 * array.size), key
        else:
            assert np.all(array == np.float32(one.constant)), key


@pytest.mark.parametrize("name", NAMES)
def test_the_seed_decides_the_weights_and_the_batches(name: str) -> None:
    workload, size = given(name, next(iter(workloads.get(name).presets)))
    for draw in (
        lambda seed: workload.weights(size, seed),
        lambda seed: workload.batches(size, BATCH, seed),
    ):
        first, again, other = draw(0), draw(0), draw(1)
        assert all(np.array_equal(first[key], again[key]) for key in first)
        assert not first or any(not np.array_equal(first[key], other[key]) for key in first)


# --- inputs and tasks ----------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "preset"), PRESETS)
def test_batches_have_the_declared_shapes_types_and_ranges(name: str, preset: str) -> None:
    workload, size = given(name, preset)
    batches = workload.batches(size, BATCH, 0)
    taken = workload.inputs_of(size)
    assert set(batches) == set(taken) <= set(workload.inputs)
    for key, one in taken.items():
        array = batches[key]
        assert array.shape[1:] == one.resolved(size, BATCH) and len(array) >= 1, key
        assert array.dtype == one.dtype, key
        assert np.isfinite(array).all(), key
        if isinstance(one.draw, Uniform):
            assert np.abs(array).max() <= np.float32(one.draw.a), key
        elif isinstance(one.draw, Integers):
            below = one.draw.below
            limit = getattr(size, below) if isinstance(below, str) else below
            assert array.min() >= 0 and array.max() < limit, key


@pytest.mark.parametrize(("name", "preset", "task"), TASKS)
def test_what_a_task_takes_exists_and_comes_in_step(name: str, preset: str, task: str) -> None:
    workload, size = given(name, preset)
    work = workload.work(task, size)  # type: ignore[arg-type]
    assert work.inputs and work.outputs
    assert {*work.inputs, *work.start} <= set(workload.inputs)
    assert set(work.targets) <= set(work.inputs)
    assert (work.outputs == ("loss",)) == (task == "train")
    assert task == "train" or not work.targets  # a model that adds its own loss has none either
    batches = workload.batches(size, BATCH, 0)
    assert len({len(batches[key]) for key in work.inputs}) == 1
    units = work.units(size, BATCH)
    assert units == 1 if work.unit == "calls" else units % BATCH == 0 and units >= BATCH


@pytest.mark.parametrize("name", NAMES)
def test_a_batch_that_the_data_cannot_fill_is_refused_in_one_sentence(name: str) -> None:
    """Where an epoch holds no full batch there is no batch either."""
    workload, size = given(name, next(iter(workloads.get(name).presets)))
    too_many = 10**6
    if workload.learning is None:
        return  # drawn, as many as are asked for
    try:
        steps = workload.learning.steps(size, too_many)
    except ValueError as refusal:
        assert re.fullmatch(rf"{name}: batch {too_many} is larger than [^.\n]+", str(refusal))
        with pytest.raises(ValueError, match=re.escape(str(refusal))):
            workload.batches(size, too_many, 0)
    else:
        assert steps >= 1


# --- gate and FLOPs ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_every_preset_has_a_size_for_the_gate(name: str) -> None:
    workload = workloads.get(name)
    assert set(workload.gate.sizes) == set(workload.presets)
    for preset, size in workload.gate.sizes.items():
        assert size.batch >= 2, preset  # of one sample the sum is the mean
        at = workload.presets[size.preset or preset]
        assert getattr(at, "smooth", False) is False
        assert hasattr(at, "smooth") == workload.gate.smooth


@pytest.mark.parametrize(("name", "preset", "task"), TASKS)
def test_flops_and_traffic_grow_with_the_batch_and_a_mask_takes_some_away(
    name: str, preset: str, task: str
) -> None:
    workload, size = given(name, preset)
    flops = workload.flops(size, 1, task)  # type: ignore[arg-type]
    traffic = [workload.traffic(size, batch, task) if workload.traffic else 0 for batch in (1, 7)]  # type: ignore[arg-type]
    assert isinstance(flops, int) and (flops > 0 or traffic[0] > 0)  # something bounds every step
    assert traffic[0] <= traffic[1] <= 7 * traffic[0]
    seven = workload.flops(size, 7, task)  # type: ignore[arg-type]
    if getattr(size, "padded", False):  # the longest sequence is alone in a batch of one
        assert flops < seven < 7 * flops
    else:
        assert seven == 7 * flops
    if workload.flops_causal is not None:
        causal = workload.flops_causal(size, 1, task)  # type: ignore[arg-type]
        assert isinstance(causal, int) and 0 < causal <= flops
