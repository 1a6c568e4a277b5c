"""What a record says about one GPU: its metrics over the timed window, sorted by what they are."""

from __future__ import annotations

from msgspec.structs import replace

from harness.record import GpuTelemetry, Metric, Refusal
from harness.telemetry.energy import energy
from harness.telemetry.nvml_metrics import ENERGY, PROCESSES
from harness.telemetry.source import Capability
from harness.telemetry.window import Window

Rests = tuple[Window | None, Window | None]


def gpu_telemetry(
    uuid_sha256: str,
    source: int,
    capabilities: dict[str, Capability],
    window: Window,
    rests: Rests,
    samples: int | None,
    lost: str | None,
) -> GpuTelemetry:
    """GPU ``source`` of the sampler over the window; ``rests`` are the windows at rest before and after it."""
    metrics: dict[str, Metric] = {}
    gpm: dict[str, float] = {}
    limited: dict[str, float] = {}
    held_back: dict[str, int] = {}
    refused: dict[tuple[str, str], list[str]] = {}
    for name, how in capabilities.items():
        if how.support == "ok" and name in (ENERGY, PROCESSES):  # they have fields of their own
            continue
        metric = window.metric(source, name, how)
        if metric.support != "ok":
            refused.setdefault((metric.support, metric.reason or "no reason given"), []).append(name)
        elif how.kind == "window" and metric.mean is not None:
            gpm[name.removeprefix("gpm_")] = metric.mean
        elif how.unit == "ns" and metric.delta is not None:
            held_back[name] = int(metric.delta)
        elif how.unit == "share" and metric.mean is not None:
            limited[name.removesuffix("_limited")] = metric.mean
        elif metric.minimum == metric.maximum:
            metrics[name] = replace(metric, minimum=None, maximum=None)
        else:
            metrics[name] = metric
    return GpuTelemetry(
        uuid_sha256=uuid_sha256,
        metrics=metrics,
        gpm=gpm,
        limited_share=limited,
        held_back_ns=held_back,
        refused=[
            Refusal(support=support, reason=reason, metrics=names)  # type: ignore[arg-type]
            for (support, reason), names in refused.items()
        ],
        energy=energy(window, source, capabilities, rests, samples),
        processes=_processes((window, *rests), source),
        rest_utilization=_rest_utilization(rests, source, capabilities),
        lost=lost,
    )


def _processes(windows: tuple[Window | None, ...], source: int) -> int | None:
    """The most processes that were ever seen on the GPU."""
    edges = [edge for window in windows if window is not None for edge in window.edges]
    counts = [edge["values"][source].get(PROCESSES) for edge in edges]
    return max((count for count in counts if count is not None), default=None)


def _rest_utilization(rests: Rests, source: int, capabilities: dict[str, Capability]) -> float | None:
    how = capabilities.get("utilization")
    if how is None:
        return None
    means = [rest.metric(source, "utilization", how).mean for rest in rests if rest is not None]
    return max((mean for mean in means if mean is not None), default=None)
