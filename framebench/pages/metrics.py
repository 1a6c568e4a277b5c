"""What contenders can be compared by on the compare page: how each metric is called and written, and what is better."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Literal, NamedTuple

from framebench.dataset import Result
from framebench.dataset.drawbacks import peak_memory
from framebench.dataset.energy import joules_per_unit
from framebench.dataset.prices import Price, cost_per_million
from framebench.language import _
from framebench.statistics.interval import Estimate

Figure = tuple[float | None, float | None, float | None]
"""A value with the ends of its 95 % interval; null what there is not."""

NOTHING: Figure = (None, None, None)


class Metric(NamedTuple):
    """``key`` is its word in an address, ``column`` its name in a download.

    ``kind`` is what the value is: a rate per second, ns, bytes, a share of 1, or an amount of ``unit``. ``higher`` is
    better, or lower. ``notes`` are sentences that a reader must know.
    """

    key: str
    column: str
    name: str
    kind: Literal["rate", "ns", "bytes", "share", "amount"]
    higher: bool
    unit: str
    of: Callable[[Result], Figure]
    notes: str = ""


def metrics(results: Iterable[Result], prices: Mapping[str, Price]) -> list[Metric]:
    """Every metric that at least one of the results has, throughput first."""
    every = [*_measured(), *([_cost(prices)] if prices else [])]
    known = list(results)
    return [one for one in every if one.key == "throughput" or any(one.of(r)[0] is not None for r in known)]


def _measured() -> list[Metric]:
    return [
        Metric(
            "throughput", "units_per_s", _("Throughput"), "rate", True, "", lambda r: _estimate(r.throughput)
        ),
        *(_latency(quantile) for quantile in ("p50", "p90", "p95", "p99")),
        Metric(
            "first-step",
            "first_step_cold_ns",
            _("First step, cold compile cache"),
            "ns",
            False,
            "",
            lambda r: _point(r.first_steps.cold_ns if r.first_steps else None),
        ),
        Metric(
            "first-step-warm",
            "first_step_warm_ns",
            _("First step, warm compile cache"),
            "ns",
            False,
            "",
            lambda r: _point(r.first_steps.warm_ns if r.first_steps else None),
        ),
        Metric(
            "memory",
            "peak_memory_bytes",
            _("Peak memory"),
            "bytes",
            False,
            "",
            lambda r: _point(peak_memory(r)),
            _(
                "On a CPU what the process needed beyond the imported framework, on a GPU what the driver counted."
            ),
        ),
        Metric(
            "energy",
            "joules_per_unit",
            _("Energy per unit of work"),
            "amount",
            False,
            "J",
            lambda r: _point(joules_per_unit(r)),
            _("Of all GPUs of a trial; sensors are off by about ±5 % from card to card."),
        ),
        Metric(
            "mfu",
            "mfu",
            _("MFU, of the data sheet's peak"),
            "share",
            True,
            "",
            lambda r: _point(r.utilization.mfu if r.utilization else None),
        ),
    ]


def _latency(quantile: Literal["p50", "p90", "p95", "p99"]) -> Metric:
    return Metric(
        quantile,
        f"latency_{quantile}_ns",
        _("Latency, {quantile}").format(quantile=quantile),
        "ns",
        False,
        "",
        lambda result: _estimate(getattr(result.latency, quantile) if result.latency else None),
    )


def _cost(prices: Mapping[str, Price]) -> Metric:
    dates = sorted({price.date.isoformat() for price in prices.values()})
    return Metric(
        "cost",
        "cost_per_million_units",
        _("Cost per million units (derived)"),
        "amount",
        False,
        next(iter(prices.values())).currency,
        lambda result: _point(cost_per_million(result, prices.get(result.host_id))),
        _("Derived, not measured: the price of an hour ÷ throughput; prices looked up: {dates}.").format(
            dates=", ".join(dates)
        ),
    )


def _estimate(estimate: Estimate | None) -> Figure:
    return (estimate.value, estimate.low, estimate.high) if estimate else NOTHING


def _point(value: float | None) -> Figure:
    return value, None, None
