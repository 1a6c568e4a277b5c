"""A timing trial: one fresh process, first steps, warm-up, blocks."""

from __future__ import annotations

import time

import msgspec
import numpy as np

from harness import calibration, canaries, environment, flags, protocol, steadiness, thread_pools
from harness.draft import Draft
from harness.record import Outcome, Timing
from harness.record import Telemetry as TelemetryRecord
from harness.telemetry.devices import cuda_devices
from harness.telemetry.recorder import REST_AFTER, REST_BEFORE, Telemetry
from harness.trials.learning import learn
from harness.trials.observer import observer_effect
from harness.trials.prepare import build, import_and_configure, pin
from harness.trials.timed_shape import check_shape


def timing_trial(draft: Draft) -> Outcome:
    """One contender against the clock, watched by the sampler; a GPU that went away makes the trial invalid."""
    case, rules = draft.spec.case, draft.spec.protocol
    with Telemetry(rules.telemetry_hz) as telemetry:
        pin(case.cores)
        machine_before = calibration.kernel(rules.calibration_ms) if rules.calibration_ms > 0 else None
        try:
            outcome = _time(draft, telemetry)
        except Exception as error:
            if (lost := telemetry.gpu_lost()) is None:
                raise
            return _gpu_lost(f"{lost} ({type(error).__name__}: {error})")
        finally:  # whatever happened: what was sampled so far
            if draft.telemetry is None and telemetry.started:
                draft.telemetry = telemetry.record()
            if series := telemetry.series():
                draft.series["telemetry"] = series
        if (lost := telemetry.gpu_lost()) is not None:
            draft.telemetry = telemetry.record()
            return _gpu_lost(lost)
    if machine_before is not None and draft.timing is not None:
        draft.calibration = calibration.compare(machine_before, calibration.kernel(rules.calibration_ms))
        draft.flags += flags.drift(draft.calibration)
    return outcome


def _gpu_lost(words: str) -> Outcome:
    return Outcome(
        status="invalid",
        reason=f"gpu_lost: {words}",
        mend="look for XID errors in the kernel log of the host",
    )


def _time(draft: Draft, telemetry: Telemetry) -> Outcome:
    """Build, first steps, checks, warm-up, blocks, latencies, learning; fills the draft as it goes."""
    spec = draft.spec
    case, rules = spec.case, spec.protocol
    stack = import_and_configure(draft, spec.cache_dir)
    assert draft.settings is not None
    telemetry.start(*(cuda_devices(case.device_count) if case.device == "gpu" else ()))
    prepared = build(draft, stack)
    driver, job, barrier = prepared.driver, prepared.job, stack.barrier
    with draft.phase("first_step"):
        barrier(driver.run(1))
    with draft.phase("second_step"):
        barrier(driver.run(1))
    with draft.phase("shape_before"):
        draft.shape_before, outcome = check_shape(draft, prepared)
    if outcome.status != "ok":
        return outcome
    driver.reset(job.weights)
    run = Counted(driver.run)
    draft.settings = msgspec.structs.replace(
        draft.settings, threads=draft.settings.threads | thread_pools.read_back()
    )
    with draft.phase("canaries"):
        draft.canaries = canaries.check(stack, draft.settings, case)
    if failed := [canary.name for canary in draft.canaries if canary.passed is False]:
        return Outcome(status="invalid", reason=f"canary failed: {', '.join(failed)}")

    rests = rules.idle_s > 0 and bool(telemetry.gpus)
    if rests:
        with draft.phase("rest_before"), telemetry.window(REST_BEFORE):
            time.sleep(rules.idle_s)
    with draft.phase("warm_up"):
        warmup = protocol.warm_up(run, barrier, rules, stack.compile_events)
    with draft.phase("block_size"):
        size = protocol.block_size(run, barrier, rules, warmup.steps_per_block)
    observer = None
    if rules.observer_blocks > 0:
        few = msgspec.structs.replace(rules, measure_blocks=rules.observer_blocks, measure_s=0.0)
        with draft.phase("observer"):
            observer = observer_effect(
                lambda: protocol.measure(run, barrier, few, size.steps, wait_clock=protocol.waited_ns)[0],
                telemetry,
                spec,
            )
    with draft.phase("blocks"), telemetry.window():
        blocks, output = protocol.measure(run, barrier, rules, size.steps)
    if rests:
        with draft.phase("rest_after"), telemetry.window(REST_AFTER):
            time.sleep(rules.idle_s)
    latencies: list[int] = []
    if case.task == "infer" and rules.latency_steps > 0:
        with draft.phase("latencies"):
            latencies = protocol.latencies(run, barrier, rules.latency_steps)
        draft.series["latencies_ns"] = latencies

    miscounted = run.steps - driver.steps_done()
    last = driver.outputs(output)
    with draft.phase("shape_after"):
        draft.shape_after, outcome = check_shape(draft, prepared)

    block_ns = float(np.median([block.wall_ns for block in blocks]))
    overhead = size.call_overhead_ns
    causal = job.workload.flops_causal
    draft.timing = Timing(
        warmup=warmup,
        blocks=blocks,
        steady_class=steadiness.classify([block.wall_ns for block in blocks]),
        units_per_step=job.work.units(job.preset, job.batch),
        unit=job.work.unit,
        flops_per_step=job.workload.flops(job.preset, job.batch, case.task),
        flops_causal_per_step=causal(job.preset, job.batch, case.task) if causal else None,
        barrier_ns=size.barrier_ns,
        call_overhead_ns=overhead,
        call_overhead_share=None if overhead is None else overhead / block_ns,
        latency=protocol.percentiles(latencies) if latencies else None,
        observer=observer,
    )
    draft.settings = msgspec.structs.replace(
        draft.settings, compile=draft.settings.compile | stack.compile_facts()
    )
    draft.kernels = stack.kernels()
    units = draft.timing.units_per_step * sum(block.steps for block in blocks)
    draft.telemetry = telemetry.record(samples=units)
    draft.flags += _flags(draft.timing, size, draft.telemetry, environment.cores_online())

    if miscounted:
        return Outcome(
            status="invalid",
            reason=f"{run.steps} steps were asked for, the framework counted {run.steps - miscounted}",
        )
    if faster := faster_than_the_machine(draft, block_ns / blocks[0].steps):
        return Outcome(status="invalid", reason=faster)
    if not all(np.isfinite(array).all() for array in last.values()):
        return Outcome(status="not_comparable", reason="non-finite: the last timed output")
    if outcome.status != "ok":
        return outcome
    if case.task == "train" and rules.learning_epochs > 0 and job.workload.learning is not None:
        with draft.phase("learning"):
            draft.learning = learn(prepared, rules.learning_epochs, spec.seed)
    return Outcome(status="ok")


class Counted:
    """``run``, and how many steps were asked of it."""

    def __init__(self, run: protocol.Run) -> None:
        self.run, self.steps = run, 0

    def __call__(self, n: int) -> object:
        self.steps += n
        return self.run(n)


def faster_than_the_machine(draft: Draft, step_ns: float) -> str | None:
    """A sentence if the declared FLOPs over the time of a step are more than this machine can do."""
    assert draft.timing is not None and draft.settings is not None
    rate = draft.timing.flops_per_step / step_ns * 1e9
    bound = canaries.flops_bound(draft.settings, draft.spec.case.device)
    if rate <= bound:
        return None
    return (
        f"faster than the machine: {rate / 1e9:,.0f} GFLOP/s, and no machine like this does more than "
        f"{bound / 1e9:,.0f}: steps that were counted were not done"
    )


def _flags(timing: Timing, size: protocol.BlockSize, telemetry: TelemetryRecord, cores: int) -> list[str]:
    """What a reader must know beside the figures."""
    found = flags.noise(telemetry, cores) + flags.gpu(telemetry)
    found += flags.steadiness(timing.warmup, timing.steady_class)
    if size.overhead_is_sure:
        found.append(flags.CALL_OVERHEAD)
    block_ns = float(np.median([block.wall_ns for block in timing.blocks]))
    if size.barrier_ns > protocol.BARRIER_SHARE * block_ns:
        found.append(flags.BARRIER_OVERHEAD)
    if telemetry.reason is not None:
        found.append(flags.NO_TELEMETRY)
    if telemetry.hz < flags.FULL_HZ:
        found.append(flags.SLOW_SAMPLER)
    return found
