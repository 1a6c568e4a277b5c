"""The workloads as each framework's own tutorials write and step them, apart from ``harness/``.

A file per framework offers ``MODELS``, what it has by workload, and ``loop(job, model) -> run``, where ``model`` is one
of them or of ``benchmarks/well_known/``: ``run(n)`` does n steps of the job's task and gives back what has to be waited
for. A job is only asked for sizes, batches and the declared
optimizer; weights start as the framework draws them, and every setting is the framework's default.
"""
