"""PyTorch: each operation leaves a node behind as it runs.

backward() walks the nodes, from the result to x.
"""

import torch

x = torch.tensor(2.0, requires_grad=True)
y = torch.sin(x) * x

node = y.grad_fn
print(node.name(), "←", [one.name() for one, _ in node.next_functions])

y.backward()
print(f"{x.grad:.4f}")
