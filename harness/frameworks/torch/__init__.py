"""PyTorch: the stack ``torch``; ``keras-torch`` stands on it too."""

from __future__ import annotations

from pathlib import Path

from harness.frameworks import StackInfo

REFUSALS = {"torch._dynamo.exc.Unsupported": "", "torch._dynamo.exc.UserError": ""}

STACKS = (
    StackInfo(
        name="torch",
        title="PyTorch",
        framework="torch",
        modes={"eager": ("", "channels-last"), "compiled": ("", "channels-last")},
        modules=("torch",),
        refusals=REFUSALS,
        words={"compiled": "torch.compile", "channels-last": "channels last"},
        about=(
            "Eager by default: each operation runs as Python reaches it, and the graph for the gradient is "
            "recorded on the way (a dynamic graph). `torch.compile` traces the forward pass and the loss into "
            "one graph, derives the backward pass from it ahead of time, and generates code for both; the "
            "optimizer's step is compiled apart, because this version does not accept it inside the same graph."
        ),
    ),
)


def environment(stack: str, cores: int, cache_dir: str | None) -> dict[str, str]:
    """Inductor reads its cache folder and its number of compile processes at import."""
    variables = {"TORCHINDUCTOR_COMPILE_THREADS": str(cores)}
    if cache_dir is not None:
        variables["TORCHINDUCTOR_CACHE_DIR"] = str(Path(cache_dir) / "inductor")
        variables["TRITON_CACHE_DIR"] = str(Path(cache_dir) / "triton")
    return variables
