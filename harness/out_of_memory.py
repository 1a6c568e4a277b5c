"""Whether an exception says that memory did not suffice, the machine's or the GPU's: a result like any other.

Each framework raises a type of its own: PyTorch ``torch.OutOfMemoryError``, TensorFlow ``ResourceExhaustedError``, XLA
a ``JaxRuntimeError`` whose message begins with ``RESOURCE_EXHAUSTED``, ONNX Runtime a ``Fail``. The same types are used
for other resources too (shared memory of a kernel), so what decides are the words.
"""

from __future__ import annotations

from harness.frameworks import shortened

WORDS = (
    "out of memory",  # CUDA, PyTorch, XLA
    "oom when allocating",  # TensorFlow
    "can't allocate memory",  # PyTorch's allocator on a CPU
    "cannot allocate memory",  # the kernel's ENOMEM
    "failed to allocate memory",  # ONNX Runtime
    "bad_alloc",  # C++
    "cublas_status_alloc_failed",
    "cudnn_status_alloc_failed",
)


def said_by(error: BaseException) -> str | None:
    """What it says about memory, in a sentence; null if it is about something else."""
    if isinstance(error, MemoryError):
        return shortened(str(error)) or "out of memory"
    for line in str(error).splitlines():
        if any(words in line.lower() for words in WORDS):
            return shortened(line.strip())
    return None
