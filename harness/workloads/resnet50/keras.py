"""resnet50 in Keras 3, the same on every backend; channels last or first, as Keras is configured."""

from __future__ import annotations

import keras
from keras import KerasTensor, layers

from harness.workloads.resnet50.spec import Preset


def conv(x: KerasTensor, c_out: int, kernel: int, stride: int, name: str) -> KerasTensor:
    if stride > 1 and kernel > 1:  # there "same" would pad below and to the right alone
        x = layers.ZeroPadding2D(kernel // 2)(x)
    padding = "valid" if stride > 1 else "same"
    return layers.Conv2D(c_out, kernel, stride, padding=padding, use_bias=False, name=name)(x)


def norm(x: KerasTensor, preset: Preset, name: str) -> KerasTensor:
    axis = 1 if keras.config.image_data_format() == "channels_first" else -1
    return layers.BatchNormalization(axis, momentum=preset.momentum, epsilon=preset.epsilon, name=name)(x)


def activation(x: KerasTensor, preset: Preset) -> KerasTensor:
    return layers.Activation("silu" if preset.smooth else "relu")(x)


def bottleneck(
    x: KerasTensor, c_in: int, width: int, stride: int, preset: Preset, name: str
) -> KerasTensor:  # (B, H, W, C_in) -> (B, H / stride, W / stride, C_out)
    c_out = preset.expansion * width
    shortcut = x
    if stride > 1 or c_in != c_out:
        shortcut = conv(x, c_out, 1, stride, f"{name}_shortcut_conv")
        shortcut = norm(shortcut, preset, f"{name}_shortcut_bn")
    y = activation(norm(conv(x, width, 1, 1, f"{name}_conv1"), preset, f"{name}_bn1"), preset)
    y = activation(norm(conv(y, width, 3, stride, f"{name}_conv2"), preset, f"{name}_bn2"), preset)
    y = norm(conv(y, c_out, 1, 1, f"{name}_conv3"), preset, f"{name}_bn3")
    return activation(layers.Add()([y, shortcut]), preset)


def model(preset: Preset) -> keras.Model:
    first = keras.config.image_data_format() == "channels_first"
    image = keras.Input((3, preset.size, preset.size) if first else (preset.size, preset.size, 3))
    c_in = preset.widths[0]
    x = activation(norm(conv(image, c_in, 7, 2, "stem_conv"), preset, "stem_bn"), preset)
    pooling = layers.AveragePooling2D if preset.smooth else layers.MaxPooling2D
    x = pooling(3, 2)(
        layers.ZeroPadding2D(1)(x)
    )  # (B, S / 4, S / 4, widths[0]); no value is below zero after ReLU
    for stage, (depth, width) in enumerate(zip(preset.depths, preset.widths, strict=True)):
        for block in range(depth):
            stride = 2 if stage > 0 and block == 0 else 1
            x = bottleneck(x, c_in, width, stride, preset, f"stages_{stage}_{block}")
            c_in = preset.expansion * width
    x = layers.GlobalAveragePooling2D()(x)  # (B, 4 widths[-1])
    return keras.Model(image, layers.Dense(preset.classes, name="classifier")(x))  # (B, classes)


def loss() -> keras.losses.Loss:
    return keras.losses.SparseCategoricalCrossentropy(from_logits=True)
