"""resnet50 in TensorFlow."""

from __future__ import annotations

import math

import tensorflow as tf

from harness.workloads.resnet50.spec import Preset

UNBIASED_VARIANCE = True  # of fused_batch_norm's moving variance


def padding(kernel: int) -> list[list[int]]:
    """kernel // 2 pixels on each side, as SAME has them at stride 1; at stride 2 it puts them elsewhere."""
    return [[0, 0], [kernel // 2] * 2, [kernel // 2] * 2, [0, 0]]


class Conv(tf.Module):
    def __init__(self, c_in: int, c_out: int, kernel: int, stride: int = 1) -> None:
        super().__init__()
        self.kernel = tf.Variable(tf.zeros((kernel, kernel, c_in, c_out)))
        self.stride, self.padding = stride, "SAME" if stride == 1 else "VALID"
        # conv2d pads too, but its gradients then have no oneDNN kernel: a step took 1.4 times as long
        self.around = padding(kernel) if stride > 1 and kernel > 1 else None

    def __call__(self, x: tf.Tensor) -> tf.Tensor:  # (B, H, W, c_in)
        if self.around:
            x = tf.pad(x, self.around)
        return tf.nn.conv2d(x, self.kernel, self.stride, self.padding)  # (B, H / stride, W / stride, c_out)


class BatchNorm(tf.Module):
    def __init__(self, channels: int, preset: Preset) -> None:
        super().__init__()
        self.gamma, self.beta = tf.Variable(tf.ones((channels,))), tf.Variable(tf.zeros((channels,)))
        self.moving_mean = tf.Variable(tf.zeros((channels,)), trainable=False)
        self.moving_variance = tf.Variable(tf.ones((channels,)), trainable=False)
        self.epsilon, self.momentum = preset.epsilon, preset.momentum

    def __call__(self, x: tf.Tensor, training: bool) -> tf.Tensor:  # (B, H, W, C)
        if x.dtype == tf.float64:  # the fused kernel has none
            return self.unfused(x, training)
        parts = (self.gamma, self.beta, self.moving_mean, self.moving_variance)
        y, mean, variance = tf.compat.v1.nn.fused_batch_norm(
            x,
            *(tf.cast(part, tf.float32) for part in parts),
            epsilon=self.epsilon,
            is_training=training,
            exponential_avg_factor=1 - self.momentum if training else 1.0,
        )
        if training:
            self.moving_mean.assign(mean)
            self.moving_variance.assign(variance)
        return y

    def unfused(self, x: tf.Tensor, training: bool) -> tf.Tensor:
        mean, variance = self.moving_mean, self.moving_variance
        if training:
            mean, variance = tf.nn.moments(x, (0, 1, 2))
            values = math.prod(x.shape[:3])
            unbiased = variance * values / (values - 1)
            self.moving_mean.assign(self.momentum * self.moving_mean + (1 - self.momentum) * mean)
            self.moving_variance.assign(self.momentum * self.moving_variance + (1 - self.momentum) * unbiased)
        return tf.nn.batch_normalization(x, mean, variance, self.beta, self.gamma, self.epsilon)


class Bottleneck(tf.Module):
    def __init__(self, c_in: int, width: int, stride: int, preset: Preset) -> None:
        super().__init__()
        c_out = preset.expansion * width
        self.conv1, self.bn1 = Conv(c_in, width, 1), BatchNorm(width, preset)
        self.conv2, self.bn2 = Conv(width, width, 3, stride), BatchNorm(width, preset)
        self.conv3, self.bn3 = Conv(width, c_out, 1), BatchNorm(c_out, preset)
        self.projects = stride > 1 or c_in != c_out
        if self.projects:
            self.shortcut_conv, self.shortcut_bn = Conv(c_in, c_out, 1, stride), BatchNorm(c_out, preset)
        self.act = tf.nn.silu if preset.smooth else tf.nn.relu

    def __call__(self, x: tf.Tensor, training: bool) -> tf.Tensor:  # (B, H, W, c_in)
        y = self.act(self.bn1(self.conv1(x), training))  # (B, H, W, width)
        y = self.act(self.bn2(self.conv2(y), training))  # (B, H / stride, W / stride, width)
        y = self.bn3(self.conv3(y), training)  # (B, H / stride, W / stride, c_out)
        return self.act(y + (self.shortcut_bn(self.shortcut_conv(x), training) if self.projects else x))


class Dense(tf.Module):
    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__()
        self.kernel, self.bias = tf.Variable(tf.zeros((n_in, n_out))), tf.Variable(tf.zeros((n_out,)))

    def __call__(self, x: tf.Tensor) -> tf.Tensor:  # (B, n_in)
        return tf.nn.bias_add(tf.matmul(x, self.kernel), self.bias)  # (B, n_out)


class Backbone(tf.Module):
    """Stem and stages; what stands on them is added by whoever inherits."""

    def __init__(self, preset: Preset) -> None:
        super().__init__()
        c_in = preset.widths[0]
        self.stem_conv, self.stem_bn = Conv(3, c_in, 7, stride=2), BatchNorm(c_in, preset)
        self.act = tf.nn.silu if preset.smooth else tf.nn.relu
        self.pool = tf.nn.avg_pool2d if preset.smooth else tf.nn.max_pool2d
        self.stages: list[list[Bottleneck]] = []
        for stage, (depth, width) in enumerate(zip(preset.depths, preset.widths, strict=True)):
            blocks = []
            for block in range(depth):
                blocks.append(Bottleneck(c_in, width, 2 if stage > 0 and block == 0 else 1, preset))
                c_in = preset.expansion * width
            self.stages.append(blocks)

    def stem(self, image: tf.Tensor, training: bool) -> tf.Tensor:  # (B, S, S, 3)
        x = self.act(self.stem_bn(self.stem_conv(image), training))  # (B, S / 2, S / 2, C)
        return self.pool(tf.pad(x, padding(3)), ksize=3, strides=2, padding="VALID")  # (B, S / 4, S / 4, C)


class ResNet50(Backbone):
    def __init__(self, preset: Preset) -> None:
        super().__init__(preset)
        self.classifier = Dense(preset.expansion * preset.widths[-1], preset.classes)

    def __call__(self, image: tf.Tensor, training: bool = False) -> tf.Tensor:  # (B, S, S, 3)
        x = self.stem(image, training)
        for stage in self.stages:
            for block in stage:
                x = block(x, training)  # (B, S / 4, S / 4, 4 width), then half the edge in each
        return self.classifier(tf.reduce_mean(x, (1, 2)))  # (B, features) -> (B, classes)


def model(preset: Preset) -> tf.Module:
    return ResNet50(preset)


def loss(model: ResNet50, image: tf.Tensor, label: tf.Tensor) -> tf.Tensor:
    logits = model(image, training=True)
    return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(label, logits))
