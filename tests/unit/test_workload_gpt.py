"""gpt: its text, batches and sizes, its FLOPs, the loss that NumPy scores, and the cache against no cache."""

from __future__ import annotations

import importlib.util
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.workloads.gpt.spec import (
    SPEC,
    TEXT,
    TRAIN,
    VALIDATION,
    Preset,
    data,
    flops,
    flops_causal,
    load_text,
    logits,
    tensors,
    text,
    validation,
    validation_loss,
)
from tests.requirement import require

HAS_TORCH = importlib.util.find_spec("torch") is not None
SMOKE: Preset = SPEC.presets["smoke"]
DRAWN = SMOKE._replace(text=False)


# --- data ----------------------------------------------------------------------------------------


def test_the_text_is_ascii_and_small_and_its_characters_are_numbered_in_order() -> None:
    characters = TEXT.read_text("ascii")
    assert len(characters) == len(text()) == 41_632
    known = sorted(set(characters))
    assert "".join(known[token] for token in text()) == characters
    assert len(known) == 88 <= SMOKE.vocabulary == SPEC.presets["cpu"].vocabulary


def test_a_changed_text_is_refused_in_one_sentence(tmp_path: Path) -> None:
    changed = tmp_path / "text.txt"
    changed.write_bytes(TEXT.read_bytes().replace(b"\n", b"\r\n"))
    with pytest.raises(ValueError, match=r"text\.txt: SHA-256 is .*, expected .*; restore the file"):
        load_text(changed)


def test_a_missing_text_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"none\.txt: cannot read the text .*restore it"):
        load_text(tmp_path / "none.txt")


@pytest.mark.parametrize("preset", [SMOKE, SPEC.presets["cpu"], DRAWN])
def test_batches_have_the_shapes_that_the_specification_declares(preset: Preset) -> None:
    for name, array in SPEC.batches(preset, 3, 0).items():
        assert array.shape[1:] == SPEC.inputs[name].resolved(preset, 3), name
        assert array.dtype == SPEC.inputs[name].dtype == "int64"
        assert array.min() >= 0 and array.max() < max(preset.vocabulary, preset.context)


@pytest.mark.parametrize("preset", [SMOKE, DRAWN])
def test_a_target_is_the_token_after(preset: Preset) -> None:
    made = data(preset, 3, 0)
    assert np.array_equal(made["tokens"][:, :, 1:], made["targets"][:, :, :-1])


def test_batches_are_windows_of_the_training_text_and_the_seed_chooses_them() -> None:
    training, held_out = text()[:TRAIN].tobytes(), text()[TRAIN:]
    made = data(SMOKE, 4, 0)
    windows = {window.tobytes() for window in made["tokens"].reshape(-1, SMOKE.context)}
    assert all(window in training for window in windows)
    assert len(windows) > 0.98 * made["tokens"].shape[0] * 4
    assert not np.array_equal(made["tokens"], data(SMOKE, 4, 1)["tokens"])
    tokens, targets = validation(SMOKE)
    assert np.array_equal(tokens.ravel(), held_out[:VALIDATION])
    assert np.array_equal(targets.ravel(), held_out[1 : VALIDATION + 1])


def test_decoding_goes_on_where_the_first_prompts_end() -> None:
    made = data(SMOKE, 2, 0)
    joined = np.concatenate([made["prompt"][0], made["token"].T], axis=1)
    assert joined.shape == (2, SMOKE.context)
    assert all(sequence.tobytes() in text()[:TRAIN].tobytes() for sequence in joined)
    assert made["position"].tolist() == list(range(SMOKE.prompt, SMOKE.context))


# --- model ---------------------------------------------------------------------------------------


def test_the_gpu_preset_has_gpt_2_s_124_439_808_parameters() -> None:
    assert sum(math.prod(one.shape) for one in tensors(SPEC.presets["gpu"]).values()) == 124_439_808


def test_initial_weights_have_gpt_2_s_deviations_and_matrices_alone_are_decayed() -> None:
    weights, layers = SPEC.weights(SPEC.presets["cpu"], 0), SPEC.presets["cpu"].layers
    for name, one in tensors(SPEC.presets["cpu"]).items():
        assert one.decayed == (len(one.shape) == 2), name
        if one.decayed:
            at_end = ".proj." in name or ".out." in name
            expected = 0.02 / math.sqrt(2 * layers) if at_end else 0.02
            assert np.std(weights[name]) == pytest.approx(expected, rel=0.02), name
        else:
            assert np.all(weights[name] == (1.0 if name.endswith("gamma") else 0.0)), name


def test_a_position_does_not_see_those_after_it() -> None:
    weights, tokens = SPEC.weights(SMOKE, 0), data(SMOKE, 2, 0)["tokens"][0]
    changed = tokens.copy()
    changed[:, 40] = (changed[:, 40] + 1) % SMOKE.vocabulary
    before, after = logits(SMOKE, weights, tokens), logits(SMOKE, weights, changed)
    assert np.array_equal(before[:, :40], after[:, :40])
    assert np.all(np.any(before[:, 40:] != after[:, 40:], axis=-1))


def test_an_untrained_model_scores_like_guessing_and_drawn_tokens_have_no_score() -> None:
    assert validation_loss(SMOKE, SPEC.weights(SMOKE, 0)) == pytest.approx(
        math.log(SMOKE.vocabulary), abs=0.05
    )
    with pytest.raises(ValueError, match="nothing to learn"):
        validation_loss(DRAWN, SPEC.weights(DRAWN, 0))


def test_flops_by_hand() -> None:
    # 12 matrices of 64 x 64 in each of 2 layers, two products of 64 x 64 x 64, logits of 96; forward and back
    forward = 2 * (2 * 12 * 64 * 64 * 64 + 2 * 2 * 64 * 64 * 64 + 64 * 64 * 96)
    assert flops(SMOKE, 5, "train") == 3 * 5 * forward
    assert flops_causal(SMOKE, 5, "train") == 3 * 5 * (forward - 2 * 2 * 64 * 64 * 64)
    assert flops_causal(SMOKE, 5, "prefill") < flops(SMOKE, 5, "prefill")
    assert flops_causal(SMOKE, 5, "decode") == flops(SMOKE, 5, "decode")


def test_gpt_2_trains_with_six_flops_per_parameter_and_token_and_attention_s() -> None:
    gpu: Preset = SPEC.presets["gpu"]
    kernels = (
        sum(math.prod(one.shape) for one in tensors(gpu).values() if one.decayed) - gpu.context * gpu.width
    )
    per_token = 6 * kernels + 12 * gpu.layers * gpu.width * gpu.context
    assert flops(gpu, 4, "train") == 4 * gpu.context * per_token


def test_config_is_json_and_names_every_preset_apart() -> None:
    made = {json.dumps(SPEC.config(preset), sort_keys=True) for preset in SPEC.presets.values()}
    assert len(made) == len(SPEC.presets)


# --- against PyTorch -----------------------------------------------------------------------------


def torch_model(preset: Preset) -> Any:
    """The PyTorch model in float64 with the initial weights of seed 0."""
    import torch

    from harness.workloads.gpt import torch as file

    model = file.model(preset).double()
    parts = {"gamma": "weight", "beta": "bias", "kernel": "weight", "embeddings": "weight", "bias": "bias"}
    state = {}
    for name, array in SPEC.weights(preset, 0).items():
        path, _, part = name.rpartition(".")
        state[f"{path}.{parts[part]}"] = torch.from_numpy(array.T if part == "kernel" else array)
    model.load_state_dict(state)
    return model


@pytest.mark.frameworks
def test_numpy_s_score_is_torch_s_validation_loss() -> None:
    require("frameworks", HAS_TORCH, "torch is not installed")
    import torch

    from harness.workloads.gpt import torch as file

    with torch.no_grad():
        theirs = file.loss(
            torch_model(SMOKE), *(torch.from_numpy(array) for array in validation(SMOKE))
        ).item()
    weights = SPEC.weights(SMOKE, 0)
    exact = {name: array.astype(np.float64) for name, array in weights.items()}
    assert validation_loss(SMOKE, exact) == pytest.approx(theirs, abs=1e-12)
    assert validation_loss(SMOKE, weights) == pytest.approx(theirs, abs=1e-6)


@pytest.mark.frameworks
def test_cached_logits_are_those_without_a_cache() -> None:
    require("frameworks", HAS_TORCH, "torch is not installed")
    import torch

    from harness.workloads.gpt import torch as file

    model, made = (
        torch_model(SMOKE),
        {name: torch.from_numpy(array) for name, array in data(SMOKE, 2, 0).items()},
    )
    with torch.inference_mode():
        whole = model.logits(model(torch.cat([made["prompt"][0], made["token"].T], dim=1)))
        cache = file.empty_cache(model, 2)
        torch.testing.assert_close(
            file.prefill(model, cache, made["prompt"][0]), whole[:, SMOKE.prompt - 1], rtol=0, atol=1e-12
        )
        for lap in range(2):  # the second writes over what the first has left
            for token, position in zip(made["token"], made["position"], strict=True):
                step = file.decode(model, cache, token, position)
                torch.testing.assert_close(
                    step, whole[:, position], rtol=0, atol=1e-12, msg=f"lap {lap}, {position}"
                )
