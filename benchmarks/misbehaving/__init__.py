"""A workload whose steps do what no step should; ``benchmarks.faults`` puts it into a clone's ``harness/workloads``."""
