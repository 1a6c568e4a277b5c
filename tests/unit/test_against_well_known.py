"""What libraries' models are held to before they are timed: no more and no less work than specified."""

from __future__ import annotations

import itertools

import pytest

from benchmarks.well_known import Known, Work, unequal_work
from harness import workloads
from harness.workloads.specification import Workload

BATCH = 4


def right(workload: Workload) -> Work:
    """A network of dense layers by hand: (in, out) kernels, biases, two FLOPs for each weight of a kernel."""
    widths = workload.presets["smoke"].widths
    kernels = sum(n_in * n_out for n_in, n_out in itertools.pairwise(widths))
    return Work(parameters=kernels + sum(widths[1:]), flops=2 * BATCH * kernels)


@pytest.fixture
def workload() -> Workload:
    return workloads.get("mlp")


KNOWN = Known(build=list, says="made up")


def fault(workload: Workload, work: Work, known: Known = KNOWN) -> str | None:
    return unequal_work(workload, workload.presets["smoke"], BATCH, known, work)


def test_the_specified_work_passes_counted_or_not(workload: Workload) -> None:
    assert fault(workload, right(workload)) is None
    assert fault(workload, right(workload)._replace(flops=None)) is None


def test_a_parameter_too_many_is_named_unless_it_is_declared(workload: Workload) -> None:
    work = right(workload)
    larger = work._replace(parameters=work.parameters + 7)
    assert fault(workload, larger) == f"{larger.parameters:,} trained parameters, not {work.parameters:,}"
    declared = KNOWN._replace(more=lambda preset: 7)
    assert fault(workload, larger, declared) is None
    assert fault(workload, work, declared) is not None


def test_a_product_too_few_is_named(workload: Workload) -> None:
    work = right(workload)
    less = work._replace(flops=(work.flops or 0) - 2)
    assert fault(workload, less) == f"{less.flops:,} FLOPs in a forward pass, not {work.flops:,}"
