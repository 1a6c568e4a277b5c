"""lstm: its FLOPs by hand, and PyTorch's file against a cell written out in NumPy."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest

from harness import workloads
from harness.workloads.lstm.spec import SPEC, Preset
from tests.requirement import require

HAS_TORCH = importlib.util.find_spec("torch") is not None
SMOKE: Preset = SPEC.presets["smoke"]


def test_flops_by_hand() -> None:
    tiny = Preset(length=3, vocabulary=10, width=2, hidden=5, classes=4)
    per_token = 2 * (2 * 20 + 5 * 20)
    assert SPEC.flops(tiny, 7, "infer") == 7 * (3 * per_token + 2 * 5 * 4)
    # the state that the first token meets is a constant zero: nothing is derived by it
    assert SPEC.flops(tiny, 7, "train") == 3 * SPEC.flops(tiny, 7, "infer") - 7 * 2 * 5 * 20


def test_all_sizes_have_work_for_a_recurrent_layer_and_decay_kernels_alone() -> None:
    for preset in SPEC.presets.values():
        tensors = SPEC.tensors(preset)
        assert tensors["lstm.kernel"].shape == (preset.width, 4 * preset.hidden)
        assert {name for name, one in tensors.items() if not one.decayed} == {"lstm.bias", "classifier.bias"}


def test_padded_sequences_are_as_long_as_the_work_that_is_counted() -> None:
    preset: Preset = SPEC.presets["smoke-padded"]
    tokens = SPEC.batches(preset, 5, 0)["tokens"]  # (N, 5, 16)
    there = (tokens != 0).sum(2)
    assert sorted(there[0].tolist()) == [4, 7, 10, 13, 16] and sorted(there[1].tolist()) == [4, 7, 10, 13, 16]
    assert there[0].tolist() != there[1].tolist()
    assert tokens.max() == preset.vocabulary - 1
    for sequence, length in zip(tokens.reshape(-1, 16), there.reshape(-1), strict=True):
        assert sequence[:length].all() and not sequence[length:].any()
    tiny = Preset(length=3, vocabulary=10, width=2, hidden=5, classes=4, padded=True)
    assert SPEC.flops(tiny, 2, "infer") == (2 + 3) * 2 * (2 * 20 + 5 * 20) + 2 * 2 * 5 * 4
    assert not (SPEC.batches(SMOKE, 5, 0)["tokens"] == 0).all(0).any()


def by_hand(weights: dict[str, np.ndarray], tokens: np.ndarray) -> np.ndarray:
    """Logits of (B, T) tokens of one sequence length, gate by gate."""
    w = {name: array.astype(np.float64) for name, array in weights.items()}
    x, H = w["embedding.embeddings"][tokens], SMOKE.hidden
    h = c = np.zeros((len(tokens), H))
    for t in range(tokens.shape[1]):
        gates = x[:, t] @ w["lstm.kernel"] + h @ w["lstm.recurrent_kernel"] + w["lstm.bias"]
        i, f, g, o = (gates[:, part * H : (part + 1) * H] for part in range(4))
        i, f, o = (1.0 / (1.0 + np.exp(-gate)) for gate in (i, f, o))
        c = f * c + i * np.tanh(g)
        h = o * np.tanh(c)
    return np.asarray(h @ w["classifier.kernel"] + w["classifier.bias"])


@pytest.mark.frameworks
def test_a_padded_sequence_is_what_it_is_without_its_padding() -> None:
    require("frameworks", HAS_TORCH, "torch is not installed")
    from harness import frameworks
    from harness.gate.check import make_job
    from harness.record import Case, Contender

    contender = Contender(stack="torch", mode="eager")
    case = Case(workload="lstm", preset="smoke-padded", task="infer", batch=3, cores=1)
    job = make_job(case, contender, SPEC.presets["smoke-padded"], 3, "fp64")
    stack = frameworks.load("torch")
    stack.configure(case, contender, 0)
    driver = frameworks.build(job, stack)
    for tokens in job.batches["tokens"]:
        logits = driver.outputs(driver.run(1))["logits"]
        for given, sequence in zip(logits, tokens, strict=True):
            alone = by_hand(dict(job.weights), sequence[None, sequence != 0])
            assert given == pytest.approx(alone[0], rel=1e-9, abs=1e-12)


@pytest.mark.frameworks
def test_pytorchs_layer_is_the_cell_by_hand_and_its_second_bias_stays_zero() -> None:
    require("frameworks", HAS_TORCH, "torch is not installed")
    from harness import frameworks
    from harness.gate.check import make_job
    from harness.record import Case, Contender

    contender = Contender(stack="torch", mode="eager")
    for task in ("infer", "train"):
        case = Case(workload="lstm", preset="smoke", task=task, batch=3, cores=1)  # type: ignore[arg-type]
        job = make_job(case, contender, SMOKE, 3, "fp64")
        stack = frameworks.load("torch")
        stack.configure(case, contender, 0)
        driver = frameworks.build(job, stack)
        output = driver.outputs(driver.run(1))
        if task == "infer":
            expected = by_hand(dict(job.weights), job.batches["tokens"][0])
            assert output["logits"] == pytest.approx(expected, rel=1e-9, abs=1e-12)
    assert not driver.model.lstm.bias_hh_l0.any() and driver.model.lstm.bias_ih_l0.any()
    assert set(driver.state().tensors) == set(SPEC.tensors(SMOKE))


def test_every_framework_has_its_file() -> None:
    for framework in ("torch", "tensorflow", "keras", "jax"):
        assert workloads.has_file("lstm", framework)
