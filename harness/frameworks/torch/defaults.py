"""PyTorch's defaults, asked of the installed package."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from harness.defaults import Answers, Default, probes
from harness.defaults.reading import measured, parameter
from harness.frameworks import StackInfo

nn, optim, functional = "torch.nn", "torch.optim", "torch.nn.functional"


def answers(info: StackInfo) -> Answers:
    """By the question's name."""
    import torch

    torch.manual_seed(1)
    return {
        "batch_norm_epsilon": partial(parameter, f"{nn}.BatchNorm2d", "eps"),
        "batch_norm_momentum": partial(parameter, f"{nn}.BatchNorm2d", "momentum"),
        "batch_norm_kept": lambda: measured(
            _running_statistics()[0], "a training step of torch.nn.BatchNorm1d"
        ),
        "batch_norm_running_variance": lambda: measured(
            _running_statistics()[1], "a training step of torch.nn.BatchNorm1d"
        ),
        "layer_norm_epsilon": partial(parameter, f"{nn}.LayerNorm", "eps"),
        "group_norm_epsilon": partial(parameter, f"{nn}.GroupNorm", "eps"),
        "rms_norm_epsilon": lambda: measured(
            probes.epsilon_under_root(lambda values: torch.nn.RMSNorm(8)(torch.from_numpy(values)).detach()),
            "torch.nn.RMSNorm of small values",
        ),
        "adam_learning_rate": partial(parameter, f"{optim}.Adam", "lr"),
        "adam_betas": partial(parameter, f"{optim}.Adam", "betas"),
        "adam_epsilon": partial(parameter, f"{optim}.Adam", "eps"),
        "adam_first_step_epsilon": lambda: measured(
            probes.first_step_epsilon(_moved(torch.optim.Adam)), "the first step of torch.optim.Adam"
        ),
        "adam_weight_decay": lambda: measured(
            probes.adam_decay(_decayed(torch.optim.Adam, 1)),
            "torch.optim.Adam(weight_decay) without a gradient",
        ),
        "adamw_weight_decay": partial(parameter, f"{optim}.AdamW", "weight_decay"),
        "sgd_learning_rate": partial(parameter, f"{optim}.SGD", "lr"),
        "sgd_weight_decay": lambda: measured(
            probes.sgd_decay(_decayed(torch.optim.SGD, 2, momentum=probes.MOMENTUM)),
            "torch.optim.SGD(weight_decay, momentum) without a gradient",
        ),
        "sgd_velocity": lambda: measured(
            probes.velocity(_second_step()), "two steps of torch.optim.SGD(momentum)"
        ),
        "rmsprop_decay": partial(parameter, f"{optim}.RMSprop", "alpha"),
        "rmsprop_epsilon": partial(parameter, f"{optim}.RMSprop", "eps"),
        "rmsprop_smallest_divisor": lambda: measured(
            probes.smallest_divisor(_moved(torch.optim.RMSprop)), "the first step of torch.optim.RMSprop"
        ),
        "adagrad_initial_accumulator": partial(parameter, f"{optim}.Adagrad", "initial_accumulator_value"),
        "dense_kernel": lambda: _drawn(torch.nn.Linear(1024, 256), "weight"),
        "dense_bias": lambda: _drawn(torch.nn.Linear(1024, 4096), "bias"),
        "convolution_kernel": lambda: _drawn(torch.nn.Conv2d(64, 128, 3), "weight"),
        "convolution_bias": lambda: _drawn(torch.nn.Conv2d(64, 4096, 3), "bias"),
        "embedding": lambda: _drawn(torch.nn.Embedding(1024, 256), "weight"),
        "lstm_kernel": lambda: _drawn(torch.nn.LSTM(256, 256), "weight_ih_l0"),
        "lstm_recurrent_kernel": lambda: _drawn(torch.nn.LSTM(256, 256), "weight_hh_l0"),
        "lstm_forget_bias": _forget_bias,
        "lstm_gate_order": lambda: measured(probes.gate_order(_lstm_step), "steps of torch.nn.LSTMCell"),
        "lstm_gate_activation": lambda: measured(
            probes.gate_activation(_lstm_step), "a step of torch.nn.LSTMCell"
        ),
        "gelu": lambda: measured(
            probes.gelu_form(torch.nn.functional.gelu(torch.tensor(1.0)).item()), f"{functional}.gelu at 1"
        ),
        "leaky_relu_layer": partial(parameter, f"{nn}.LeakyReLU", "negative_slope"),
        "leaky_relu_function": partial(parameter, f"{functional}.leaky_relu", "negative_slope"),
        "softmax_axis": _softmax_axis,
        "dropout_rate": partial(parameter, f"{nn}.Dropout", "p"),
        "dropout_scale": lambda: measured(
            torch.nn.Dropout(0.5)(torch.ones(1000)).max().item(), "torch.nn.Dropout of ones"
        ),
        "cross_entropy_input": lambda: measured(
            probes.expects(_cross_entropy([[0.8, 0.2]], [0]).item()), f"{functional}.cross_entropy"
        ),
        "cross_entropy_reduction": lambda: measured(
            probes.reduction(_cross_entropy([[0.0] * probes.CLASSES] * 2, [0, 1])),
            f"{functional}.cross_entropy",
        ),
        "label_smoothing": partial(parameter, f"{functional}.cross_entropy", "label_smoothing"),
        "image_layout": lambda: measured(
            probes.channels(torch.nn.Conv2d(3, 5, 1)(torch.zeros(1, 3, 8, 8)).shape), "torch.nn.Conv2d"
        ),
        "convolution_padding": lambda: measured(
            probes.padding(torch.nn.Conv1d(1, 1, 3)(torch.zeros(1, 1, 8)).shape[-1]), "torch.nn.Conv1d"
        ),
        "same_padding_at_stride_2": _same_padding,
        "pooling_stride": lambda: measured(
            probes.pooling(torch.nn.MaxPool1d(2)(torch.zeros(1, 1, 4)).shape[-1]), "torch.nn.MaxPool1d"
        ),
        "average_pooling_at_the_edge": lambda: measured(
            probes.at_the_edge(torch.nn.AvgPool1d(2, padding=1)(torch.ones(1, 1, 4))[0, 0, 0].item()),
            "torch.nn.AvgPool1d(padding) of ones",
        ),
        "resize_method": partial(parameter, f"{functional}.interpolate", "mode"),
        "resize_antialias": partial(parameter, f"{functional}.interpolate", "antialias"),
        "resize_corners": lambda: measured(
            probes.corners(_resized([0.0, 1.0], 4, "linear")), f"{functional}.interpolate(mode='linear')"
        ),
        "resize_nearest": lambda: measured(
            probes.picks(_resized(range(5), 3, "nearest")), f"{functional}.interpolate(mode='nearest')"
        ),
        "variance_divisor": lambda: measured(
            probes.divisor(torch.tensor([0.0, 2.0]).var().item()), "torch.var"
        ),
        "whole_number_type": lambda: _type_of(torch.tensor(1), "torch.tensor(1)"),
        "double_array_type": lambda: _type_of(torch.tensor(np.zeros(1)), "torch.tensor of a float64 array"),
        "division_type": lambda: _type_of(
            torch.tensor(7) / torch.tensor(2), "torch.tensor(7) / torch.tensor(2)"
        ),
        "mixed_type": lambda: _type_of(torch.ones(1, dtype=torch.int32) + torch.ones(1), "int32 + float32"),
        **numerics(),
    }


def numerics() -> Answers:
    """What Keras on PyTorch shares with it."""
    import torch

    return {
        "product_tf32": lambda: measured(
            "no" if torch.get_float32_matmul_precision() == "highest" else "yes",
            "torch.get_float32_matmul_precision()",
        ),
        "convolution_tf32": lambda: measured(
            "yes" if torch.backends.cudnn.allow_tf32 else "no", "torch.backends.cudnn.allow_tf32"
        ),
        "subnormals": lambda: measured(
            probes.subnormals(torch.from_numpy(probes.SMALL) * 0.5), "a product of PyTorch's"
        ),
    }


def _running_statistics() -> tuple[float, str]:
    import torch

    layer = torch.nn.BatchNorm1d(1)
    layer(torch.tensor([[0.0], [2.0]]))
    return probes.running_statistics(layer.running_mean.item(), layer.running_var.item())


def _moved(optimizer: Any) -> Callable[[float], float]:
    import torch

    def moved(gradient: float) -> float:
        weight = torch.zeros(1, requires_grad=True)
        weight.grad = torch.full((1,), gradient)
        optimizer([weight], lr=1.0).step()
        return -float(weight.item())

    return moved


def _decayed(optimizer: Any, steps: int, **options: float) -> float:
    import torch

    weight = torch.ones(1, requires_grad=True)
    weight.grad = torch.zeros(1)
    made = optimizer([weight], lr=probes.RATE, weight_decay=probes.DECAY, **options)
    for _ in range(steps):
        made.step()
    return float(weight.item())


def _second_step() -> float:
    import torch

    weight = torch.zeros(1, requires_grad=True)
    weight.grad = torch.ones(1)
    made = torch.optim.SGD([weight], lr=1.0, momentum=probes.MOMENTUM)
    made.step()
    before = float(weight.item())
    weight.grad.zero_()
    made.param_groups[0]["lr"] = 0.0
    made.step()
    return float(weight.item()) - before


def _drawn(layer: Any, weight: str) -> Default:
    values = getattr(layer, weight).detach()
    return measured(probes.distribution(values), f"{weight} of a new torch.nn.{type(layer).__name__}")


def _forget_bias() -> Default:
    """There are two, which are added up; the gate's block in each is where the order of the gates says."""
    import torch

    layer, block = torch.nn.LSTM(1, 1024), probes.gate_order(_lstm_step).split(", ").index("forget")
    both = [bias.detach().view(4, -1)[block] for bias in (layer.bias_ih_l0, layer.bias_hh_l0)]
    form = probes.distribution(torch.cat(both))
    return measured(f"{form}, twice", "bias_ih_l0 and bias_hh_l0 of a new torch.nn.LSTM")


def _lstm_step(block: int, bias: float, memory: float) -> tuple[float, float]:
    import torch

    cell = torch.nn.LSTMCell(1, 1)
    with torch.no_grad():
        for weight in cell.parameters():
            weight.zero_()
        cell.bias_ih[block] = bias
        output, after = cell(torch.zeros(1, 1), (torch.zeros(1, 1), torch.full((1, 1), memory)))
    return after.item(), output.item()


def _softmax_axis() -> Default:
    import torch

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that the axis is left to it
        given = torch.nn.functional.softmax(torch.from_numpy(probes.UNEQUAL))
    return measured(probes.softmax_axis(given), f"{functional}.softmax of three axes")


def _cross_entropy(predictions: list[list[float]], labels: list[int]) -> Any:
    import torch

    return torch.nn.functional.cross_entropy(torch.tensor(predictions), torch.tensor(labels))


def _same_padding() -> Default:
    import torch

    by = f"{functional}.conv1d(padding='same', stride=2)"
    values = torch.tensor(probes.COUNTED).view(1, 1, -1)
    try:
        sums = torch.nn.functional.conv1d(values, torch.ones(1, 1, 3), stride=2, padding="same")
    except RuntimeError:
        return measured("refused", by)
    return measured(probes.padded(sums), by)


def _resized(values: Any, size: int, mode: str) -> Any:
    import torch

    row = torch.tensor([*values], dtype=torch.float32).view(1, 1, -1)
    return torch.nn.functional.interpolate(row, size=size, mode=mode)


def _type_of(tensor: Any, by: str) -> Default:
    return measured(str(tensor.dtype).removeprefix("torch."), by)
