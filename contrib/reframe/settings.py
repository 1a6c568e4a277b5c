"""A system for ReFrame (``-C settings.py``): copy it, give it your names, delete the partition that you lack."""

site_configuration = {
    "systems": [
        {
            "name": "ours",
            "descr": "a machine, and a cluster that it submits to",
            "hostnames": [".*"],
            "partitions": [
                {
                    "name": "here",
                    "descr": "this machine",
                    "scheduler": "local",
                    "launcher": "local",
                    "environs": ["as-it-is"],
                    "max_jobs": 1,  # a second test would wait until the first has measured, its time limit running
                },
                {
                    "name": "nodes",
                    "descr": "whole nodes of Slurm; untried",
                    "scheduler": "slurm",
                    "launcher": "local",  # framebench starts in the job by itself
                    "access": ["--mem=0"],  # your site's words too: --partition=..., --account=...
                    "environs": ["as-it-is"],
                    "max_jobs": 4,
                },
            ],
        }
    ],
    "environments": [{"name": "as-it-is"}],
}
