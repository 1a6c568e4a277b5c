"""Telemetry of a trial: a child process samples, the parent keeps what lies inside the timed window.

``sampler`` is the child (standard library and, for NVIDIA GPUs, ``pynvml``; never a framework), ``cpu`` and
``nvml`` are its sources, ``recorder`` is the parent's side. Importing this package imports none of them.
"""
