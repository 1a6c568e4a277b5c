"""How a PyTorch model is stepped. A workload's ``torch.py`` offers

``model(preset) -> nn.Module``; ``loss(model, **inputs)``, a scalar; where a task's outputs are not simply
``model(*inputs)``, ``predict(model, **inputs)``, or for one task a function of its name; for generation
``empty_cache(model, batch)``, ``prefill(model, cache, **inputs)`` and ``decode(model, cache, **inputs)``, which write
into the cache. ``NAMES`` maps module paths that the rule below does not turn into canonical names.

The rule: a parameter's name is its path; ``weight`` is ``kernel``, but ``gamma`` in a norm (``bias``: ``beta``) and
``embeddings`` in an embedding. Kernels are turned from OIHW and (out, in) into HWIO and (in, out), those of other
convolutions and of recurrent layers likewise. A parameter that is not trained and not specified is a constant.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from harness.frameworks import Driver, Stack, State, Stream
from harness.frameworks.loading import LoadDriver, Loaded, loader
from harness.workloads import Job
from harness.workloads.naming import canonical_names, plain, refuse_other_shapes
from harness.workloads.specification import SGD

NORMS = (nn.modules.batchnorm._NormBase, nn.LayerNorm, nn.GroupNorm, nn.RMSNorm)
PARTS = {"weight": "kernel", "running_mean": "moving_mean", "running_var": "moving_variance"}
NORM_PARTS = {"weight": "gamma", "bias": "beta"}
WITH_KERNELS = (nn.Linear, nn.modules.conv._ConvNd, nn.RNNBase, nn.MultiheadAttention)
SLOTS = {"momentum_buffer": "velocity", "exp_avg": "first", "exp_avg_sq": "second"}


class TorchDriver:
    """Eager, or with forward and loss as one compiled graph and the optimizer's step compiled apart."""

    def __init__(self, job: Job, stack: Any) -> None:
        self.job, self.stack, self.file = job, stack, job.file
        self.device: torch.device = stack.device
        self.training = job.case.task == "train"
        self.mixed = job.precision == "bf16" and self.training  # fp32 weights under autocast
        dtypes = {"fp64": torch.float64, "bf16": torch.float32 if self.training else torch.bfloat16}
        self.dtype = dtypes.get(job.precision, torch.float32)
        last = job.contender.variant == "channels-last"
        self.memory_format = torch.channels_last if last else torch.contiguous_format
        # Adam counts its steps in it, and what is compiled takes the bias corrections from that count
        torch.set_default_dtype(torch.float64 if job.precision == "fp64" else torch.float32)
        if stack.compiled:
            torch._dynamo.reset()  # another batch size must not turn this one's shapes dynamic
        model = self.file.model(job.preset).to(self.device, self.dtype)
        self.model: nn.Module = model.to(memory_format=self.memory_format).train(self.training)
        self.specified = job.workload.tensors(job.preset)
        self.tensors = self._named_tensors()
        self.transposed = self._transposed()
        refuse_other_shapes(
            {name: self._canonical_shape(name, tensor) for name, tensor in self.tensors.items()},
            self.specified,
        )
        if self.training:
            self.optimizer = self._optimizer()
            self.schedule = job.workload.optimizer.schedule
            self.update = stack.compile(
                self.optimizer.step, fullgraph=False
            )  # it holds a graph break of its own
            self.forward_loss = stack.compile(self._loss)
        elif job.case.task == "decode":
            self.decode = stack.compile(self.file.decode)
        else:
            self.forward = stack.compile(self._forward())
        self.feed(job.batches)
        self.reset(job.weights)

    # --- building --------------------------------------------------------------------------------

    def _named_tensors(self) -> dict[str, Tensor]:
        """Parameters and floating-point buffers by canonical name; a tied parameter counts once."""
        named = itertools.chain(self.model.named_parameters(), self.model.named_buffers())
        own = {self._rule(name): tensor for name, tensor in named if tensor.is_floating_point()}
        specified, exceptions = {plain(name) for name in self.specified}, getattr(self.file, "NAMES", {})
        own = {
            name: tensor
            for name, tensor in own.items()
            if not _is_frozen(tensor) or plain(exceptions.get(name, name)) in specified
        }
        return canonical_names(own, self.specified, exceptions)

    def _rule(self, name: str) -> str:
        path, _, part = name.rpartition(".")
        module = self.model.get_submodule(path)
        if isinstance(module, NORMS):
            part = NORM_PARTS.get(part, part)
        if isinstance(module, nn.Embedding):
            part = "embeddings"
        return f"{path}.{PARTS.get(part, part)}".lstrip(".")

    def _transposed(self) -> set[str]:
        """Canonical names of kernels of convolutions, dense and recurrent layers, whose axes PyTorch orders
        otherwise."""
        kernels = {
            id(parameter)
            for module in self.model.modules()
            if isinstance(module, WITH_KERNELS) and not _is_tied(module, self.model)
            for name, parameter in module.named_parameters(recurse=False)
            if "weight" in name and parameter.ndim > 1
        }
        return {name for name, tensor in self.tensors.items() if id(tensor) in kernels}

    def _canonical_shape(self, name: str, tensor: Tensor) -> tuple[int, ...]:
        shape = tuple(tensor.shape)
        return tuple(shape[axis] for axis in to_canonical(len(shape))) if name in self.transposed else shape

    def _optimizer(self) -> torch.optim.Optimizer:
        """The declared one; ``foreach`` and ``fused`` are PyTorch's own choice for the device."""
        declared = self.job.workload.optimizer
        weights = {name: self.tensors[name] for name, one in self.specified.items() if one.role == "weight"}
        decayed = [tensor for name, tensor in weights.items() if self.specified[name].decayed]
        others = [tensor for name, tensor in weights.items() if not self.specified[name].decayed]
        groups = [
            {"params": decayed, "weight_decay": declared.weight_decay},
            {"params": others, "weight_decay": 0.0},
        ]
        groups = [group for group in groups if group["params"]]
        # compiled, a rate that changes has to be a tensor: a number would be compiled in anew
        as_tensor = declared.schedule is not None and self.stack.compiled
        for group in groups:
            group["lr"] = torch.tensor(declared.lr, dtype=torch.float64) if as_tensor else declared.lr
        if isinstance(declared, SGD):
            return torch.optim.SGD(
                groups, momentum=declared.momentum, dampening=0.0, nesterov=declared.nesterov
            )
        return torch.optim.AdamW(groups, betas=(declared.beta1, declared.beta2), eps=declared.epsilon)

    def _forward(self) -> Any:
        task = self.job.case.task
        if task == "prefill":
            return self.file.prefill
        function = getattr(self.file, task, getattr(self.file, "predict", None))
        return functools.partial(function, self.model) if function else self.model

    def _loss(self, *inputs: Tensor) -> Tensor:
        with torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self.mixed):
            loss: Tensor = self.file.loss(self.model, *inputs)
            return loss

    def feed(self, batches: Mapping[str, np.ndarray]) -> None:
        self.stream: Stream | Loaded
        if self.job.workload.files:
            self.stream, self.start = Loaded(loader(self.job, batches), self._placed), []
            return
        inputs = [self._on_device(name, batches[name]) for name in self.job.work.inputs]
        self.stream = Stream(list(zip(*inputs, strict=True)))
        self.start = [self._on_device(name, batches[name])[0] for name in self.job.work.start]

    def _on_device(self, name: str, batches: np.ndarray) -> list[Tensor]:
        """(N, B, ...) -> N tensors, images in PyTorch's order of axes and the contender's memory format."""
        if self.job.workload.is_image(name):
            batches = np.ascontiguousarray(np.moveaxis(batches, -1, 2))  # (N, B, C, H, W)
        tensors = [torch.from_numpy(np.asarray(batch, order="C")).to(self.device) for batch in batches]
        if tensors[0].is_floating_point():
            tensors = [tensor.to(self.dtype) for tensor in tensors]
        if tensors[0].ndim == 4:
            tensors = [tensor.contiguous(memory_format=self.memory_format) for tensor in tensors]
        return tensors

    def _placed(self, batch: Sequence[Tensor]) -> list[Tensor]:
        """A batch from a loader, in PyTorch's order of axes already."""
        return [
            tensor.to(self.device, self.dtype, memory_format=self.memory_format)
            if tensor.ndim == 4
            else tensor.to(self.device)
            for tensor in batch
        ]

    # --- stepping --------------------------------------------------------------------------------

    def run(self, n: int) -> Any:
        step = self._train_step if self.training else self._infer_step
        for inputs in itertools.islice(self.stream, n):
            output = step(*inputs)
        return output

    def _train_step(self, *inputs: Tensor) -> Tensor:
        self.optimizer.zero_grad(set_to_none=True)
        loss: Tensor = self.forward_loss(*inputs)
        loss.backward()  # type: ignore[no-untyped-call]
        if self.schedule is not None:
            self._set_rate(self.job.workload.optimizer.lr * self.schedule.factor(self.stream.taken - 1))
        self.update()
        return loss.detach()

    def _set_rate(self, rate: float) -> None:
        for group in self.optimizer.param_groups:
            if isinstance(group["lr"], Tensor):
                group["lr"].fill_(rate)
            else:
                group["lr"] = rate

    @torch.inference_mode()
    def _infer_step(self, *inputs: Tensor) -> Any:
        if self.job.case.task == "decode":
            return self.decode(self.model, self.cache, *inputs)
        if self.job.case.task == "prefill":
            return self.forward(self.model, self.cache, *inputs)
        return self.forward(*inputs)

    # --- asked outside the clock -----------------------------------------------------------------

    def outputs(self, output: Any) -> dict[str, np.ndarray]:
        parts = output if isinstance(output, tuple) else (output,)
        arrays = [self.stack.to_host(part) for part in parts]
        return {
            name: np.moveaxis(array, 1, -1) if self.job.workload.is_image(name) else array
            for name, array in zip(self.job.work.outputs, arrays, strict=True)
        }

    def penalty(self) -> float:
        """PyTorch adds the penalty to the gradient, never to the loss."""
        return 0.0

    def state(self) -> State:
        tensors = {name: self._canonical(name, tensor) for name, tensor in self.tensors.items()}
        for name, one in self.specified.items():
            if one.averages and self.training and self.stream.taken:
                tensors[name] = self._biased(name, one.averages * self.job.batch, tensors[name])
        slots: dict[str, dict[str, np.ndarray]] = {}
        if self.training:
            for name, tensor in self.tensors.items():
                for own, slot in self.optimizer.state.get(tensor, {}).items():
                    if own in SLOTS and slot is not None:
                        slots.setdefault(SLOTS[own], {})[name] = self._canonical(name, slot)
        return State(tensors, slots, self._counted())

    def _canonical(self, name: str, tensor: Tensor) -> np.ndarray:
        array = self.stack.to_host(tensor)
        return np.array(
            array.transpose(to_canonical(array.ndim)) if name in self.transposed else array, order="C"
        )

    def _biased(self, name: str, values: int, variance: np.ndarray) -> np.ndarray:
        """PyTorch averages n / (n - 1) times the variance of n values; what it started from stays as it was."""
        norm = self._norm_of(name)
        kept = (1.0 - norm.momentum) ** self.stream.taken * self.start_of[name].astype(np.float64)
        return np.asarray(kept + (variance - kept) * (values - 1) / values).astype(variance.dtype)

    def _norm_of(self, name: str) -> Any:
        """The BatchNorm whose moving variance this is."""
        return next(
            module
            for module in self.model.modules()
            if getattr(module, "running_var", None) is self.tensors[name]
        )

    def _counted(self) -> int | None:
        """Adam counts its steps, BatchNorm its batches; plain SGD counts nothing."""
        if not self.training:
            return None
        for slots in self.optimizer.state.values():
            if "step" in slots:
                return int(slots["step"])
        for module in self.model.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm) and module.num_batches_tracked is not None:
                return int(module.num_batches_tracked)
        return None

    def steps_done(self) -> int:
        counted = self._counted()
        return self.stream.taken if counted is None else counted

    @torch.no_grad()
    def reset(self, tensors: Mapping[str, np.ndarray]) -> None:
        for name, tensor in self.tensors.items():
            array = tensors[name]
            array = array.transpose(from_canonical(array.ndim)) if name in self.transposed else array
            tensor.copy_(torch.from_numpy(np.ascontiguousarray(array)))
        for module in self.model.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm) and module.num_batches_tracked is not None:
                module.num_batches_tracked.zero_()
        if self.training:
            for slots in self.optimizer.state.values():
                for slot in slots.values():
                    slot.zero_() if isinstance(slot, Tensor) else None
        self.start_of, self.stream.taken = dict(tensors), 0
        if self.job.case.task in ("prefill", "decode"):
            self.cache = self.file.empty_cache(self.model, self.job.batch)
        if self.start:
            with torch.inference_mode():
                self.file.prefill(self.model, self.cache, *self.start)


def _is_frozen(tensor: Tensor) -> bool:
    return isinstance(tensor, nn.Parameter) and not tensor.requires_grad


def to_canonical(ndim: int) -> tuple[int, ...]:
    """OIHW -> HWIO, (out, in) -> (in, out); kernels of other convolutions alike."""
    return (*range(2, ndim), 1, 0)


def from_canonical(ndim: int) -> tuple[int, ...]:
    """The way back."""
    return (ndim - 1, ndim - 2, *range(ndim - 2))


def _is_tied(module: nn.Module, model: nn.Module) -> bool:
    """A dense kernel that is an embedding too keeps the embedding's order of axes."""
    return any(
        isinstance(other, nn.Embedding) and other.weight is getattr(module, "weight", None)
        for other in model.modules()
    )


def build(job: Job, stack: Stack) -> Driver:
    return LoadDriver(job, stack, channels_first=True) if job.case.task == "load" else TorchDriver(job, stack)
