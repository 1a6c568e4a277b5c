"""The first output at the timed shape: the parity trial saw a small batch, this is the one that is timed."""

from __future__ import annotations

import math

import numpy as np

from harness.record import Case, ParityDiff
from harness.trials.stage import Stage

TOLERANCE = 1e-4  # of the loss; fp32 sums over a large batch


def check_first_output(stage: Stage, case: Case, seed: int, output: np.ndarray) -> ParityDiff | None:
    """The first loss (train), or the cross-entropy of the first logits (infer), against float64.

    ``None`` if the workload offers no expected loss for this shape.
    """
    first_loss = getattr(stage.workload, "first_loss", None)
    expected = first_loss(case.preset, case.batch, seed) if first_loss else None
    if expected is None:
        return None
    if case.task == "train":
        observed = float(np.asarray(output).reshape(-1)[0])
    else:
        observed = cross_entropy(output, stage.batches.y[0])
    value = abs(observed - expected)
    finite = math.isfinite(value)
    tolerance = TOLERANCE * max(1.0, abs(expected))
    return ParityDiff(
        what="first loss" if case.task == "train" else "cross-entropy of the first logits",
        metric="abs",
        value=value if finite else None,
        tolerance=tolerance,
        passed=finite and value <= tolerance,
    )


def cross_entropy(logits: np.ndarray, labels: np.ndarray) -> float:
    """Mean over the batch of -log softmax(logits)[label]. logits (B, classes), labels (B,)."""
    exact = np.asarray(logits, dtype=np.float64)
    shifted = exact - exact.max(axis=1, keepdims=True)
    log_sum = np.log(np.exp(shifted).sum(axis=1))
    return float(np.mean(log_sum - shifted[np.arange(len(labels)), labels]))
