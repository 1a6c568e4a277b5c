"""``hq submit`` as far as our recipe uses it, by HyperQueue's Python interface: its wheel has no program ``hq``.

The server and the worker are real, and so are the tasks: those that the program would make of the same words. Waits for
them; exit code 1 if one failed. The server is that of ``HQ_SERVER_DIR``.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from hyperqueue import Client, Job
from hyperqueue.ffi.protocol import ResourceRequest
from hyperqueue.task.program import ExternalProgram


def main(words: list[str]) -> int:
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("submit", choices=["submit"])
    for option in ("--name", "--array", "--cpus"):
        parser.add_argument(option, required=True)
    end = words.index("--")
    asked = parser.parse_args(words[:end])
    first, last = map(int, asked.array.split("-"))
    job = Job(name=asked.name, max_fails=None)
    for number in range(first, last + 1):  # Job.program() would number them from 0
        task = ExternalProgram(
            number,
            args=words[end + 1 :],
            cwd=Path.cwd(),
            stdout="%{CWD}/job-%{JOB_ID}/%{TASK_ID}.stdout",
            stderr="%{CWD}/job-%{JOB_ID}/%{TASK_ID}.stderr",
            resources=ResourceRequest(cpus=asked.cpus),
        )
        job.tasks.append(task)
        job.task_map[task.task_id] = task
    client = Client(os.environ["HQ_SERVER_DIR"])
    return 0 if client.wait_for_jobs([client.submit(job)], raise_on_error=False) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
