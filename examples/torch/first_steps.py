"""A small network in PyTorch: trained in ten passes over 1024 rows, then tested on 256 new ones."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

random = np.random.default_rng(0)
x = random.normal(size=(1280, 8)).astype(np.float32)
y = x[:, :3].argmax(axis=1)  # the class: which of the first three numbers is the largest
x_train, x_test = torch.from_numpy(x[:1024]), torch.from_numpy(x[1024:])
y_train, y_test = torch.from_numpy(y[:1024]), torch.from_numpy(y[1024:])

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 3))
optimizer = torch.optim.SGD(model.parameters(), lr=0.5)

for start in 10 * [*range(0, 1024, 64)]:
    rows = slice(start, start + 64)
    loss = F.cross_entropy(model(x_train[rows]), y_train[rows])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

with torch.no_grad():
    accuracy = (model(x_test).argmax(dim=1) == y_test).float().mean()
print(f"accuracy {accuracy:.3f}")
