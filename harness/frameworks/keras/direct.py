"""The compiled function that Keras' ``fit`` / ``predict`` call for every step, called without them.

The loss of ``run(n)`` is Keras' own, as in ``fit``: the mean over the n steps, because the tracker in the compiled step
keeps a running mean, which starts anew with each ``run``. With n = 1 it is the step's loss exactly; with n > 1 it still
depends on the last step.
"""

from __future__ import annotations

import itertools
from typing import Any, NamedTuple

import keras

from harness.frameworks import Stream
from harness.frameworks.loading import Loaded


class Pending(NamedTuple):
    """A step's output, and what the next step starts from: only both together cover all of its work."""

    output: Any
    carried: Any


class Direct:
    """TensorFlow: ``train_function`` takes an iterator, ``predict_function`` a list of one batch."""

    def __init__(self, model: keras.Model, training: bool) -> None:
        self.model, self.training = model, training
        if training:
            model.make_train_function()
        else:
            model.make_predict_function()

    @property
    def taken(self) -> int:
        return self.stream.taken

    def feed(self, batches: list[tuple[Any, ...]] | Loaded, start: tuple[Any, ...]) -> None:
        self.stream = batches if isinstance(batches, Loaded) else Stream(batches)

    def run(self, n: int) -> Any:
        if self.training:
            self.model.reset_metrics()
            for _ in range(n):
                logs = self.model.train_function(self.stream)
            return logs["loss"]
        for batch in itertools.islice(self.stream, n):
            output = self.model.predict_function([batch])
        return output

    def rewind(self) -> None:
        self.stream.taken = 0

    def synchronize(self) -> None:
        """The model's variables hold the truth."""


class DirectTorch(Direct):
    """PyTorch: both functions take a list of one batch, in a module that is told whether it trains."""

    def __init__(self, model: keras.Model, training: bool) -> None:
        super().__init__(model, training)
        model.train(training)

    def run(self, n: int) -> Any:
        if not self.training:
            return super().run(n)
        self.model.reset_metrics()
        for batch in itertools.islice(self.stream, n):
            logs = self.model.train_function([batch])
        return logs["loss"]


class DirectJax(Direct):
    """JAX: both functions take the state and give the new one back; the old one's buffers are given away."""

    state: tuple[list[Any], ...] | None = None  # null: the variables hold the truth

    def run(self, n: int) -> Pending:
        state = self._fresh_state()
        function = self.model.train_function if self.training else self.model.predict_function
        for _ in range(n):
            output, state = function(state, self.stream)
        self.state = state
        return Pending(output["loss"] if self.training else output, state)

    def _fresh_state(self) -> tuple[list[Any], ...]:
        """What the last run left, but new metrics; from the variables after a rewind."""
        owners = self._owners()
        kept = list(self.state or [[variable.value for variable in owner] for owner in owners])
        if self.training:
            self.model.reset_metrics()
            kept[-1] = [variable.value for variable in owners[-1]]
        return tuple(kept)

    def _owners(self) -> list[list[Any]]:
        """The variables whose values are the state, metrics last."""
        model = self.model
        owners = [model.trainable_variables, model.non_trainable_variables]
        return [*owners, model.optimizer.variables, model.metrics_variables] if self.training else owners

    def rewind(self) -> None:
        super().rewind()
        self.state = None

    def synchronize(self) -> None:
        """Give the variables the state's values; their own buffers are gone."""
        for owner, values in zip(self._owners(), self.state or (), strict=False):
            for variable, value in zip(owner, values, strict=True):
                variable.assign(value)
