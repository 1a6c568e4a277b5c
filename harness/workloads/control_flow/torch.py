"""control_flow in PyTorch: Python's own ``if`` and ``while`` op by op; compiled, ``torch.cond`` and
``torch.while_loop``, since Dynamo makes no graph of a decision that needs a value."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from harness.workloads.control_flow.spec import Preset


class EarlyExit(nn.Module):
    def __init__(self, preset: Preset) -> None:
        super().__init__()
        self.enough = preset.enough
        self.blocks = nn.ModuleList(nn.Linear(preset.width, preset.width) for _ in range(preset.blocks))
        self.classifier = nn.Linear(preset.width, preset.classes)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:  # (B, width) -> (B, classes), (B,)
        if torch.compiler.is_compiling():
            return self.compiled(x)
        taken = 0
        for block in self.blocks:
            if x.square().mean() >= self.enough:  # reads the value back
                break
            x = x + torch.tanh(block(x))
            taken += 1
        return self.classifier(x), torch.full(x.shape[:1], taken, device=x.device)

    def compiled(self, x: Tensor) -> tuple[Tensor, Tensor]:
        taken = torch.zeros(x.shape[:1], dtype=torch.int64, device=x.device)
        for block in self.blocks:

            def deeper(x: Tensor, taken: Tensor, block: nn.Module = block) -> tuple[Tensor, Tensor]:
                return x + torch.tanh(block(x)), taken + 1

            def out(x: Tensor, taken: Tensor) -> tuple[Tensor, Tensor]:
                return x.clone(), taken.clone()

            x, taken = torch.cond(x.square().mean() < self.enough, deeper, out, (x, taken))
        return self.classifier(x), taken


class Converge(nn.Module):
    def __init__(self, preset: Preset) -> None:
        super().__init__()
        self.enough, self.passes = preset.enough, preset.passes
        self.layer = nn.Linear(preset.width, preset.width)
        self.classifier = nn.Linear(preset.width, preset.classes)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:  # (B, width) -> (B, classes), (B,)
        if torch.compiler.is_compiling():
            return self.compiled(x)
        z, change, taken = torch.zeros_like(x), torch.inf, 0
        while change >= self.enough and taken < self.passes:
            new = torch.tanh(self.layer(z) + x)
            change, z, taken = (new - z).abs().max().item(), new, taken + 1
        return self.classifier(z), torch.full(x.shape[:1], taken, device=x.device)

    def compiled(self, x: Tensor) -> tuple[Tensor, Tensor]:
        def going(z: Tensor, change: Tensor, taken: Tensor) -> Tensor:
            return (change >= self.enough) & (taken[0] < self.passes)

        def once(z: Tensor, change: Tensor, taken: Tensor) -> tuple[Tensor, Tensor, Tensor]:
            new = torch.tanh(self.layer(z) + x)
            return new, (new - z).abs().max(), taken + 1

        start = torch.full((), torch.inf, dtype=x.dtype, device=x.device)
        none = torch.zeros(x.shape[:1], dtype=torch.int64, device=x.device)
        z, _, taken = torch.while_loop(going, once, (torch.zeros_like(x), start, none))
        return self.classifier(z), taken


class Tree(nn.Module):
    def __init__(self, preset: Preset) -> None:
        super().__init__()
        self.leaves = preset.leaves
        self.embedding = nn.Embedding(preset.vocabulary, preset.width)
        self.join = nn.Linear(2 * preset.width, preset.width)
        self.classifier = nn.Linear(preset.width, preset.classes)

    def forward(self, tokens: Tensor, left: Tensor, right: Tensor, joints: Tensor) -> Tensor:
        leaves = self.embedding(tokens)  # (B, leaves, width)
        nodes = torch.cat((leaves, leaves.new_zeros(leaves[:, 1:].shape)), 1)  # room for the joints
        every = torch.arange(len(tokens), device=tokens.device)[:, None]
        if torch.compiler.is_compiling():
            return self.compiled(nodes, every, left, right, joints)
        for joint in range(int(joints)):
            pair = nodes[every, torch.stack((left[:, joint], right[:, joint]), 1)]  # (B, 2, width)
            nodes[:, self.leaves + joint] = torch.tanh(self.join(pair.flatten(1)))  # (B, width)
        result: Tensor = self.classifier(nodes[:, self.leaves + int(joints) - 1])  # (B, classes)
        return result

    def compiled(self, nodes: Tensor, every: Tensor, left: Tensor, right: Tensor, joints: Tensor) -> Tensor:
        def going(joint: Tensor, nodes: Tensor) -> Tensor:
            return joint < joints

        def once(joint: Tensor, nodes: Tensor) -> tuple[Tensor, Tensor]:
            pair = nodes[every, torch.cat([one.index_select(1, joint[None]) for one in (left, right)], 1)]
            new = torch.tanh(self.join(pair.flatten(1)))  # (B, width)
            return joint + 1, nodes.index_copy(1, (self.leaves + joint)[None], new[:, None])

        start = torch.zeros((), dtype=torch.int64, device=nodes.device)
        _, nodes = torch.while_loop(going, once, (start, nodes))
        root = nodes.index_select(1, (self.leaves + joints - 1)[None])[:, 0]
        result: Tensor = self.classifier(root)
        return result


def model(preset: Preset) -> nn.Module:
    return {"early_exit": EarlyExit, "converge": Converge, "tree": Tree}[preset.form](preset)
