"""KerasHub: Keras' own stack, with KerasHub imported beside it."""

from __future__ import annotations

from typing import Any

from harness.frameworks import StackInfo
from harness.frameworks.keras.stack import KerasStack
from harness.record import Case, Contender, Settings


def load(info: StackInfo) -> KerasHubStack:
    return KerasHubStack(info)


class KerasHubStack(KerasStack):
    """``own_loop``: KerasHub's loop generates, not one of ours around the model's step."""

    def __init__(self, info: StackInfo) -> None:
        super().__init__(info)
        import keras_hub

        self.keras_hub: Any = keras_hub
        self.own_loop = False

    def configure(self, case: Case, contender: Contender, seed: int) -> Settings:
        settings = super().configure(case, contender, seed)
        self.own_loop, self.loop = self.loop, False  # Keras' driver takes a loop for fit or predict
        return settings

    def versions(self) -> dict[str, str]:
        return {"kerashub": str(self.keras_hub.__version__)} | super().versions()
