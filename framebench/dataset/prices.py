"""What an hour of a machine costs, from a dated table, and what a million units of work cost there: derived figures."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Annotated

import msgspec

from framebench.dataset.result import Result
from framebench.errors import UserError
from framebench.strict_toml import read_toml


class Price(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``per_hour`` of ``host`` in ``currency``, as ``source`` had it on ``date``; ``instance`` is what is rented."""

    host: str
    instance: str
    per_hour: Annotated[float, msgspec.Meta(gt=0)]
    currency: Annotated[str, msgspec.Meta(pattern="^[A-Z]{3}$")]
    date: datetime.date
    source: Annotated[str, msgspec.Meta(pattern="^https://")]


class _Prices(msgspec.Struct, forbid_unknown_fields=True):
    price: list[Price] = []


def read_prices(path: Path) -> dict[str, Price]:
    """The table by host; ``UserError`` where it cannot be read, names a host twice, or mixes currencies."""
    rows = read_toml(path, _Prices).price
    by_host = {row.host: row for row in rows}
    if len(by_host) < len(rows):
        twice = next(row.host for row in rows if rows.count(row) > 1 or by_host[row.host] is not row)
        raise UserError(f"{path}: key price.host: {twice} has two rows; leave one.")
    if len({row.currency for row in rows}) > 1:
        raise UserError(f"{path}: key price.currency: all rows must be in one currency.")
    return by_host


def cost_per_million(result: Result, price: Price | None) -> float | None:
    """Price of a million units of work, in the price's currency; null without a price or a throughput."""
    if price is None or result.throughput is None:
        return None
    return price.per_hour / 3600 / result.throughput.value * 1e6
