"""Numbers as a reader should see them: as many digits as their uncertainty carries, never a made-up zero."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

NONE = "–"


def significant(value: float | None, digits: int = 3) -> str:
    """``value`` with ``digits`` significant digits and thousands separated by a thin space; – when null.

    What would have more than fifteen digits before or after the point is written as ``1.23e+40``.
    """
    if value is None or not math.isfinite(value):
        return NONE
    if value == 0:
        return "0"
    if not 1e-15 <= abs(value) < 1e15:
        return f"{value:.{digits - 1}e}"
    decimals = max(0, digits - 1 - math.floor(math.log10(abs(value))))
    return _grouped(value, decimals)


def whole(count: int) -> str:
    """``12 345``."""
    return _grouped(count, 0)


def with_interval(value: float, low: float | None, high: float | None) -> tuple[str, str]:
    """The value and its 95 % interval with the same decimals; the latter is empty where there is none.

    Decimals reach the first digit of the half-width, and at least the value's third digit.
    """
    if low is None or high is None or not math.isfinite(low) or not math.isfinite(high):
        return significant(value), ""
    half = (high - low) / 2
    decimals = 2 - math.floor(math.log10(abs(value))) if value else 2
    if half > 0:
        decimals = max(decimals, -math.floor(math.log10(half)))
    decimals = min(6, max(0, decimals))
    return _grouped(value, decimals), f"{_grouped(low, decimals)}\u2009–\u2009{_grouped(high, decimals)}"


def duration(nanoseconds: float | None) -> str:
    """Nanoseconds in the unit that suits: ``850 µs``, ``12.3 ms``, ``4.56 s``, ``3 min 20 s``."""
    if nanoseconds is None:
        return NONE
    if nanoseconds == 0:
        return "0 s"
    seconds = nanoseconds / 1e9
    if seconds >= 120:
        return f"{int(seconds // 60)} min {int(seconds % 60)} s"
    scale, unit = unit_of_time(seconds)
    return f"{significant(seconds * scale)} {unit}"


def duration_with_interval(nanoseconds: float, low: float | None, high: float | None) -> str:
    """``12.3 µs (12.1 – 12.5)``: both in the unit that suits the time; without an interval the time alone."""
    if low is None or high is None:
        return duration(nanoseconds)
    scale, unit = unit_of_time(nanoseconds / 1e9)
    value, interval = with_interval(*(one / 1e9 * scale for one in (nanoseconds, low, high)))
    return f"{value} {unit} ({interval})"


def size(count: int | None) -> str:
    """Bytes in binary units: ``412 MiB``."""
    if count is None:
        return NONE
    amount = float(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if abs(amount) < 1024 or unit == "GiB":
            break
        amount /= 1024
    return f"{significant(amount)} {unit}"


def percent(share: float | None, digits: int = 2) -> str:
    """A share as per cent: ``0.031`` → ``3.1 %``."""
    return NONE if share is None else f"{significant(share * 100, digits)} %"


def flops(count: float | None) -> str:
    """Floating-point operations with a prefix: ``1.23 GFLOP``."""
    if count is None:
        return NONE
    for scale, prefix in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(count) >= scale:
            return f"{significant(count / scale)} {prefix}FLOP"
    return f"{significant(count)} FLOP"


def flops_rate(rate: float | None) -> str:
    """FLOP/s with a prefix: ``1.23 TFLOP/s``."""
    return NONE if rate is None else f"{flops(rate)}/s"


def bytes_rate(rate: float | None) -> str:
    """Bytes per second in decimal units, as memory makers count: ``12.3 GB/s``."""
    return NONE if rate is None else f"{significant(rate / 1e9)} GB/s"


def ratio(value: float | None) -> str:
    """A ratio with a times sign: ``1.25×``."""
    return NONE if value is None else f"{significant(value)}×"


def span(values: Iterable[float | None], written: Callable[[float], str]) -> str:
    """From the least to the greatest, ``12.1 – 12.6 ms``, once where both read the same; – where there is none."""
    known = [value for value in values if value is not None]
    if not known:
        return NONE
    low, high = written(min(known)), written(max(known))
    if low == high:
        return low
    number, _space, unit = low.partition(" ")
    if unit and high.partition(" ")[2] == unit:
        low = number
    return f"{low}\u2009–\u2009{high}"


def unit_of_time(seconds: float) -> tuple[float, str]:
    """What suits a time: what to multiply seconds with, and what that is called."""
    for scale, unit in ((1.0, "s"), (1e3, "ms"), (1e6, "µs")):
        if seconds * scale >= 1:
            return scale, unit
    return 1e9, "ns"


def _grouped(value: float, decimals: int) -> str:
    return f"{value:,.{decimals}f}".replace(",", "\u202f")
