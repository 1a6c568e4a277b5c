"""framebench as a ReFrame test: some cases of a suite, or one shard of it, on a node of its own.

``reframe -c framebench_test.py -r`` runs it in the clone that this file lies in; site/docs/clusters/reframe.md
says how to choose cases, split a suite and set references.
"""

import json
import shlex
import statistics
from collections import defaultdict
from pathlib import Path

import reframe as rfm
import reframe.utility.sanity as sn
from reframe.core.builtins import run_before, sanity_function, variable
from reframe.core.exceptions import SanityError
from reframe.utility import osext

RECORDS = "records"


@rfm.simple_test
class FramebenchTest(rfm.RunOnlyRegressionTest):
    """Passes if ``framebench check`` refuses no record, every contender ran, and no throughput is below its reference.

    Performance variables are named ``workload/case/contender``; their unit is that of the task, such as ``images/s``.
    """

    clone = variable(str, value=str(Path(__file__).resolve().parents[2]))
    suite = variable(str, value="smoke")
    case = variable(str, value="*")  # a pattern of cases' paths
    contender = variable(str, value="*")
    shard = variable(str, value="1/1")
    executor = variable(str, value="auto")

    descr = "throughput of deep learning frameworks"
    valid_systems = ["*"]
    valid_prog_environs = ["*"]
    exclusive_access = True  # another process on the node would be in the numbers
    time_limit = "4h"
    keep_files = [RECORDS]

    @property
    def program(self):
        return f"{self.clone}/.venv/bin/framebench"

    @run_before("run")
    def choose(self):
        options = [
            *(
                "--suite",
                self.suite,
                "--case",
                self.case,
                "--contender",
                self.contender,
                "--shard",
                self.shard,
            ),
            *("--executor", self.executor, "--budget", "none", "--results", RECORDS),
        ]
        self.executable = shlex.quote(self.program)
        self.executable_opts = ["run", *map(shlex.quote, options)]

    @sanity_function
    def sound(self):
        ends = [(name, record["outcome"]) for name, record in self.records()]
        if not ends:
            said = Path(self.stagedir, str(sn.evaluate(self.stderr))).read_text().strip()
            raise SanityError(f"framebench run left no record: {said}")
        failures = [
            f"{name}: {end['status']}, {end.get('reason', 'without a reason')}"
            for name, end in ends
            if end["status"] not in ("ok", "unsupported")
        ]
        if all(end["status"] != "ok" for _, end in ends):
            failures.append("nothing was measured")
        checked = osext.run_command([self.program, "check", RECORDS])
        if checked.returncode:
            failures.append(f"framebench check: {checked.stdout}{checked.stderr}")
        if failures:
            raise SanityError("; ".join(failures))
        return True

    @run_before("performance")
    def throughputs(self):
        """As on a result's page: over rounds the geometric mean, of each round the median block."""
        steps, units = defaultdict(list), {}
        for name, record in self.records():
            timing = record["timing"]
            if record["kind"] == "timing" and record["outcome"]["status"] == "ok":
                steps[name].append(statistics.median(wall / count for count, wall, *_ in timing["blocks"]))
                units[name] = timing["units_per_step"], timing["unit"]
        for name, times in steps.items():
            per_step, unit = units[name]
            throughput = sn.defer(per_step * 1e9 / statistics.geometric_mean(times))
            self.perf_variables[name] = sn.make_performance_function(throughput, f"{unit}/s")

    def records(self):
        """``(workload/case/contender, record)`` of each trial; a record's folders are named so."""
        for file in sorted(Path(self.stagedir, RECORDS).rglob("*.json")):
            name = "/".join(file.parts[-4:-1]).partition("--")[0]  # after it: the image
            yield name, json.loads(file.read_text())
