"""A timing trial: one fresh process, first steps, warm-up, blocks."""

from __future__ import annotations

import math

import msgspec
import numpy as np

from harness import calibration, canaries, environment, flags, protocol, steadiness, thread_pools
from harness.draft import Draft
from harness.record import Outcome, Timing
from harness.telemetry.recorder import Telemetry
from harness.trials.first_output import check_first_output
from harness.trials.learning import learn
from harness.trials.stage import build, import_and_configure, pin


def timing_trial(draft: Draft) -> Outcome:
    """Build, first steps, checks, warm-up, blocks, latencies, learning; fills the draft as it goes."""
    spec = draft.spec
    case, rules = spec.case, spec.protocol
    pin(case.cores)
    machine_before = calibration.kernel(rules.calibration_ms) if rules.calibration_ms > 0 else None
    with Telemetry(rules.telemetry_hz) as telemetry:
        stack = import_and_configure(draft, spec.cache_dir)
        assert draft.settings is not None
        stage = build(draft, stack, case, spec.seed)
        run, barrier = stage.work.run, stack.barrier
        with draft.phase("first_step"):
            output = barrier(run(1))
        draft.first_output_check = check_first_output(stage, case, spec.seed, stack.to_host(output))
        if draft.first_output_check is not None and not draft.first_output_check.passed:
            return Outcome(status="not_comparable", reason="the first output is not the specified one")
        with draft.phase("second_step"):
            barrier(run(1))
        draft.settings = msgspec.structs.replace(
            draft.settings, threads=draft.settings.threads | thread_pools.read_back()
        )
        with draft.phase("canaries"):
            draft.canaries = canaries.check(stack, draft.settings, case)
        if failed := [canary.name for canary in draft.canaries if canary.passed is False]:
            return Outcome(status="invalid", reason=f"canary failed: {', '.join(failed)}")

        with draft.phase("warm_up"):
            warmup = protocol.warm_up(run, barrier, rules, stack.compile_events)
        with draft.phase("block_size"):
            size = protocol.block_size(run, barrier, rules, warmup.steps_per_block)
        with draft.phase("blocks"), telemetry.window():
            blocks, output = protocol.measure(run, barrier, rules, size.steps)
        latencies: list[int] = []
        if case.task == "infer" and rules.latency_steps > 0:
            with draft.phase("latencies"):
                latencies = protocol.latencies(run, barrier, rules.latency_steps)
            draft.series["latencies_ns"] = latencies

        block_ns = float(np.median([block.wall_ns for block in blocks]))
        overhead = size.call_overhead_ns
        draft.timing = Timing(
            warmup=warmup,
            blocks=blocks,
            steady_class=steadiness.classify([block.wall_ns for block in blocks]),
            samples_per_step=case.batch,
            flops_per_step=stage.workload.flops(case.preset, case.batch, case.task),
            barrier_ns=size.barrier_ns,
            call_overhead_ns=overhead,
            call_overhead_share=None if overhead is None else overhead / block_ns,
            latency=protocol.percentiles(latencies) if latencies else None,
        )
        draft.settings = msgspec.structs.replace(
            draft.settings, compile=draft.settings.compile | stack.compile_facts()
        )
        draft.telemetry = telemetry.record()
        if series := telemetry.series():
            draft.series["telemetry"] = series
        draft.flags = _flags(draft.timing, size, telemetry, environment.cores_online())

    if machine_before is not None:
        machine_after = calibration.kernel(rules.calibration_ms)
        draft.calibration = calibration.compare(machine_before, machine_after)
        draft.flags += flags.drift(draft.calibration)
    if not math.isfinite(float(np.sum(stack.to_host(output)))):
        return Outcome(status="invalid", reason="the last timed output is not finite")
    if case.task == "train" and rules.learning_epochs > 0 and stage.workload.target_accuracy is not None:
        with draft.phase("learning"):
            draft.learning = learn(stage, case, rules.learning_epochs)
    return Outcome(status="ok")


def _flags(timing: Timing, size: protocol.BlockSize, telemetry: Telemetry, cores: int) -> list[str]:
    """What a reader must know beside the figures."""
    found = flags.noise(telemetry.record(), cores)
    found += flags.steadiness(timing.warmup, timing.steady_class)
    if size.overhead_is_sure:
        found.append(flags.CALL_OVERHEAD)
    block_ns = float(np.median([block.wall_ns for block in timing.blocks]))
    if size.barrier_ns > protocol.BARRIER_SHARE * block_ns:
        found.append(flags.BARRIER_OVERHEAD)
    if telemetry.reason is not None:
        found.append(flags.NO_TELEMETRY)
    return found
