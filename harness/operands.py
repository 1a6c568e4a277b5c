"""Operands of the products that canaries and ceilings time: the same on every machine."""

from __future__ import annotations

import numpy as np

# Operands are uniform in +-2^-20 and +-2^15. With the 8 bits of exponent of fp32, TF32 and bf16 that changes
# nothing; fp16 keeps numbers below 2^-14 to 2^-24 only, so that its error differs from that of TF32, whose
# 10 bits of mantissa it shares. Neither overflows fp16's 65504.
SCALES = (2.0**-20, 2.0**15)


def operands(size: int) -> tuple[np.ndarray, np.ndarray]:
    """Two (size, size) fp32 arrays, uniform in [-2^-20, 2^-20) and [-2^15, 2^15), the same on every machine."""
    words = np.random.Philox(key=size).random_raw(size * size)  # 64 bits: two numbers
    values = (words.view(np.uint32) >> np.uint32(8)).astype(np.float32)
    values *= np.float32(2.0**-23)
    values -= np.float32(1)
    a, b = values.reshape(2, size, size)
    a *= np.float32(SCALES[0])
    b *= np.float32(SCALES[1])
    return a, b
