"""bert: its data and FLOPs by hand, and PyTorch's file against the same network written out in NumPy."""

from __future__ import annotations

import importlib.util
import math

import numpy as np
import pytest

from harness.workloads.bert.spec import SPEC, Preset
from tests.requirement import require

HAS_TORCH = importlib.util.find_spec("torch") is not None
SMOKE: Preset = SPEC.presets["smoke"]


def test_flops_by_hand() -> None:
    tiny = Preset(vocabulary=10, context=3, layers=2, heads=1, width=4, classes=5)
    per_token = 2 * (4 * 12 + 4 * 4 + 4 * 16 + 16 * 4)
    attention = 2 * (2 * 3 * 3 * 4)
    forward = 2 * (3 * per_token + attention) + 2 * (4 * 4 + 4 * 5)
    assert SPEC.flops(tiny, 7, "infer") == 7 * forward
    assert SPEC.flops(tiny, 7, "train") == 3 * 7 * forward


@pytest.mark.parametrize("seed", [0, 1])
def test_every_sequence_begins_with_tokens_and_ends_in_padding(seed: int) -> None:
    made = SPEC.batches(SMOKE, 64, seed)
    mask, tokens = made["mask"], made["tokens"]
    lengths = mask.sum(-1)
    assert lengths.min() == SMOKE.context // 2 and lengths.max() == SMOKE.context
    assert (np.diff(mask, axis=-1) <= 0).all()  # no token after the padding
    assert not tokens[mask == 0].any() and tokens.max() < SMOKE.vocabulary
    assert len(np.unique(tokens[mask == 1])) == SMOKE.vocabulary


def test_decay_is_on_matrices_alone() -> None:
    for preset in SPEC.presets.values():
        assert all(one.decayed == (len(one.shape) == 2) for one in SPEC.tensors(preset).values())


def by_hand(weights: dict[str, np.ndarray], tokens: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Logits of (B, T) tokens, head by head, each sequence without its padding."""
    w = {name: array.astype(np.float64) for name, array in weights.items()}
    erf = np.vectorize(math.erf)

    def norm(x: np.ndarray, name: str) -> np.ndarray:
        centred = x - x.mean(-1, keepdims=True)
        deviation = np.sqrt((centred**2).mean(-1, keepdims=True) + SMOKE.epsilon)
        return np.asarray(centred / deviation * w[f"{name}.gamma"] + w[f"{name}.beta"])

    def dense(x: np.ndarray, name: str) -> np.ndarray:
        return np.asarray(x @ w[f"{name}.kernel"] + w[f"{name}.bias"])

    logits = []
    for row, there in zip(tokens, mask, strict=True):
        row = row[: there.sum()]
        x = w["token_embedding.embeddings"][row] + w["position_embedding.embeddings"][: len(row)]
        x = norm(x, "ln_embedding")
        for block in (f"blocks.{layer}" for layer in range(SMOKE.layers)):
            q, k, v = np.split(dense(x, f"{block}.qkv"), 3, axis=-1)
            heads = []
            for one in np.split(np.arange(SMOKE.width), SMOKE.heads):
                scores = np.exp(q[:, one] @ k[:, one].T / math.sqrt(len(one)))
                heads.append(scores / scores.sum(-1, keepdims=True) @ v[:, one])
            x = norm(x + dense(np.concatenate(heads, -1), f"{block}.proj"), f"{block}.ln1")
            h = dense(x, f"{block}.fc")
            x = norm(x + dense(0.5 * h * (1 + erf(h / math.sqrt(2))), f"{block}.out"), f"{block}.ln2")
        logits.append(dense(np.tanh(dense(x[0], "pooler")), "classifier"))
    return np.stack(logits)


@pytest.mark.frameworks
def test_pytorchs_file_is_the_network_by_hand_and_padding_is_seen_by_none() -> None:
    require("frameworks", HAS_TORCH, "torch is not installed")
    from harness import frameworks
    from harness.gate.check import make_job
    from harness.record import Case, Contender

    contender = Contender(stack="torch", mode="eager")
    case = Case(workload="bert", preset="smoke", task="infer", batch=3, cores=1)
    job = make_job(case, contender, SMOKE, 3, "fp64")
    stack = frameworks.load("torch")
    stack.configure(case, contender, 0)
    driver = frameworks.build(job, stack)
    found = driver.outputs(driver.run(1))["logits"]
    tokens, mask = job.batches["tokens"], job.batches["mask"]
    assert found == pytest.approx(by_hand(dict(job.weights), tokens[0], mask[0]), rel=1e-9, abs=1e-12)
    driver.feed({"tokens": np.where(mask == 1, tokens, 7), "mask": mask})
    driver.reset(job.weights)
    assert np.array_equal(driver.outputs(driver.run(1))["logits"], found)
