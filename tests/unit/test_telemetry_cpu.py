"""CPU telemetry against the real /proc, and against made-up trees of /proc, /sys and control groups."""

from __future__ import annotations

import mmap
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from harness import flags
from harness.record import Metric, Telemetry
from harness.telemetry import cgroup, proc, rapl
from harness.telemetry.cpu import METRICS, CpuSource
from harness.telemetry.recorder import Telemetry as Recorder
from harness.telemetry.source import Capability

PID = 7
STAT = "7 (a name) with) blanks) S 1 7 7 0 -1 4194560 {minor} 0 {major} 0 {user} 20 0 0 20 0 2 0 5 9999 {rss} 1\n"

V1 = {
    "/proc/7/cgroup": "9:name=systemd:/\n2:cpu,cpuacct:/slurm/job3/step0\n0::/unified\n",
    "/proc/7/mountinfo": (
        "31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755\n"
        "32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:9 - cgroup cgroup rw,cpu,cpuacct\n"
        "41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n"
    ),
    "/sys/fs/cgroup/cpu,cpuacct/slurm/job3/step0/cpu.stat": (
        "nr_periods 10\nnr_throttled 2\nthrottled_time 5000000\n"
    ),
    "/sys/fs/cgroup/cpu,cpuacct/slurm/job3/cpu.stat": "nr_periods 9\nnr_throttled 1\nthrottled_time 2000000\n",
    "/sys/fs/cgroup/cpu,cpuacct/cpu.stat": "nr_periods 0\nnr_throttled 0\nthrottled_time 0\n",
}
V2 = {
    "/proc/7/cgroup": "0::/user.slice/run.scope\n",
    "/proc/7/mountinfo": "30 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n",
    "/sys/fs/cgroup/user.slice/run.scope/cpu.stat": "usage_usec 9\nnr_throttled 2\nthrottled_usec 5000\n",
    "/sys/fs/cgroup/user.slice/run.scope/cpu.pressure": (
        "some avg10=1.00 avg60=0.00 avg300=0.00 total=70\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=9\n"
    ),
    "/sys/fs/cgroup/user.slice/cpu.stat": "usage_usec 9\nnr_throttled 1\nthrottled_usec 2000\n",
    "/sys/fs/cgroup/cpu.stat": "usage_usec 99\nuser_usec 9\nsystem_usec 9\n",  # the root has no quota
}
V2_IN_A_CONTAINER = {
    "/proc/7/cgroup": "0::/\n",
    "/proc/7/mountinfo": "30 23 0:26 / /sys/fs/cgroup ro,nosuid - cgroup2 cgroup rw\n",
    "/sys/fs/cgroup/cpu.stat": "usage_usec 9\nnr_throttled 2\nthrottled_usec 7000\n",
}
V1_IN_A_CONTAINER = {  # the path is the host's, the mount shows this group alone
    "/proc/7/cgroup": "4:cpu,cpuacct:/docker/abc\n",
    "/proc/7/mountinfo": "32 31 0:29 /docker/abc /sys/fs/cgroup/cpu,cpuacct ro - cgroup cgroup rw,cpu,cpuacct\n",
    "/sys/fs/cgroup/cpu,cpuacct/cpu.stat": "nr_periods 10\nnr_throttled 2\nthrottled_time 7000000\n",
}
RAPL = {
    "/sys/class/powercap/intel-rapl:0/name": "package-0\n",
    "/sys/class/powercap/intel-rapl:0/energy_uj": "1000000\n",
    "/sys/class/powercap/intel-rapl:0/max_energy_range_uj": "5000000\n",
    "/sys/class/powercap/intel-rapl:1/name": "package-1\n",
    "/sys/class/powercap/intel-rapl:1/energy_uj": "4000000\n",
    "/sys/class/powercap/intel-rapl:1/max_energy_range_uj": "5000000\n",
    "/sys/class/powercap/intel-rapl:2/name": "psys\n",
    "/sys/class/powercap/intel-rapl:2/energy_uj": "77\n",
    "/sys/class/powercap/intel-rapl:0:0/name": "core\n",
    "/sys/class/powercap/intel-rapl:0:0/energy_uj": "77\n",
    "/sys/class/powercap/intel-rapl-mmio:0/name": "package-0\n",
}

Tree = dict[str, str]


@pytest.fixture
def tree(monkeypatch: pytest.MonkeyPatch) -> Tree:
    """Files by absolute path; nothing of the real machine is visible."""
    files: Tree = {}

    def names(folder: str) -> list[str]:
        inside = [path.removeprefix(folder + "/") for path in files if path.startswith(folder + "/")]
        return sorted({path.partition("/")[0] for path in inside})

    monkeypatch.setattr(proc, "read", lambda path: files.get(str(path)))
    monkeypatch.setattr(proc, "names", names)
    return files


def thread(tree: Tree, task: int, on_cpu: int, waiting: int, voluntary: int, involuntary: int) -> None:
    tree[f"/proc/7/task/{task}/schedstat"] = f"{on_cpu} {waiting} 12\n"
    tree[f"/proc/7/task/{task}/status"] = (
        f"Name:\tx\nvoluntary_ctxt_switches:\t{voluntary}\nnonvoluntary_ctxt_switches:\t{involuntary}\n"
    )


def whole(tree: Tree, group: Tree) -> None:
    tree |= group | RAPL
    tree["/proc/7/stat"] = STAT.format(minor=100, major=3, user=50, rss=1000)
    tree["/proc/7/status"] = "Name:\tx\nVmPeak:\t 999 kB\nVmHWM:\t  4096 kB\nVmRSS:\t 40 kB\n"
    tree["/proc/stat"] = "cpu  10 1 5 999 7 2 3 4 0 0\ncpu0 1 1 1 1\n"
    tree["/proc/pressure/cpu"] = "some avg10=0.00 avg60=0.00 avg300=0.00 total=30\n"
    thread(tree, 7, 1000, 100, 10, 1)
    thread(tree, 8, 2000, 200, 20, 2)


@pytest.mark.parametrize(("group", "psi"), [(V1, None), (V2, 70_000)], ids=["cgroup v1", "cgroup v2"])
def test_every_metric_from_a_made_up_machine(tree: Tree, group: Tree, psi: int | None) -> None:
    whole(tree, group)
    source = CpuSource(PID)
    found = source.probe()
    before = source.edge()

    tree["/proc/7/stat"] = STAT.format(minor=150, major=4, user=80, rss=2000)
    tree["/proc/7/status"] = "VmHWM:\t  8192 kB\n"
    tree["/proc/stat"] = "cpu  40 1 5 999 7 2 3 9 0 0\n"
    tree["/proc/pressure/cpu"] = "some avg10=0.00 avg60=0.00 avg300=0.00 total=50\n"
    thread(tree, 7, 1500, 160, 15, 2)
    thread(tree, 9, 40, 4, 3, 1)  # new; and thread 8 has ended
    for name in ("schedstat", "status"):
        del tree[f"/proc/7/task/8/{name}"]
    tree["/sys/class/powercap/intel-rapl:0/energy_uj"] = "3000000\n"
    tree["/sys/class/powercap/intel-rapl:1/energy_uj"] = "500000\n"  # wrapped
    after = source.edge()

    grown = {name: after[name] - before[name] for name in after}
    assert grown["cpu_time"] == 30 * proc.TICK_NS
    assert (grown["minor_faults"], grown["major_faults"]) == (50, 1)
    assert (grown["host_busy"], grown["steal"]) == (30 * proc.TICK_NS, 5 * proc.TICK_NS)
    assert grown["psi_cpu_some"] == 20_000
    assert (grown["on_cpu"], grown["run_queue_wait"]) == (540, 64)
    assert (grown["voluntary_switches"], grown["involuntary_switches"]) == (8, 2)
    assert grown["package_energy"] == pytest.approx(2.0 + 1.5)
    assert after["cgroup_throttled"] == 7_000_000  # the group's and that of those above it
    assert after.get("cgroup_psi_cpu_some") == psi
    assert (before["rss_peak"], after["rss_peak"]) == (4096 * 1024, 8192 * 1024)
    assert after["rss"] == 2000 * proc.PAGE
    absent = {name for name, capability in found.items() if capability.support != "ok"}
    assert absent == (set() if psi else {"cgroup_psi_cpu_some"})
    assert set(after) == set(found) - absent


@pytest.mark.parametrize("group", [V1_IN_A_CONTAINER, V2_IN_A_CONTAINER], ids=["v1", "v2"])
def test_a_containers_own_group_is_found(tree: Tree, group: Tree) -> None:
    tree |= group
    found = cgroup.of(PID)
    assert found is not None and found.throttled_ns() == 7_000_000


def test_ticks_open_no_file_of_a_thread_and_no_energy_counter(
    tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole(tree, V2)
    source = CpuSource(PID)
    source.probe()
    opened: list[str] = []
    read = proc.read
    monkeypatch.setattr(proc, "read", lambda path: opened.append(str(path)) or read(path))
    monkeypatch.setattr(proc, "names", lambda folder: pytest.fail(f"listed {folder}"))
    values = source.tick()
    assert not [path for path in opened if "/task/" in path or "powercap" in path or path.endswith("/status")]
    assert len(opened) == len(set(opened)) <= 7
    assert {"psi_cpu_some", "steal", "cgroup_throttled", "cpu_time", "rss"} <= set(values)


def test_nothing_readable_is_refused_with_a_reason_each(tree: Tree) -> None:
    source = CpuSource(PID)
    found = source.probe()
    assert set(found) == {*METRICS, "package_energy"}
    for capability in found.values():
        assert capability.support == "not supported"
        assert capability.reason
    assert source.tick() == source.edge() == {}


@pytest.mark.parametrize(
    ("gone", "support", "reason"),
    [
        ("energy_uj", "no permission", "only root may read energy_uj"),
        ("name", "no permission", "the container hides the RAPL counters"),
        ("", "not supported", "no RAPL in /sys/class/powercap"),
    ],
)
def test_energy_that_cannot_be_read_says_why(tree: Tree, gone: str, support: str, reason: str) -> None:
    tree |= {path: text for path, text in RAPL.items() if gone and not path.endswith(f"/{gone}")}
    packages = rapl.Packages()
    assert packages.probe() == (support, reason)
    assert packages.joules() is None


def test_energy_counter_that_goes_away_is_null(tree: Tree) -> None:
    tree |= RAPL
    packages = rapl.Packages()
    assert packages.probe() == ("ok", None)
    assert packages.joules() == 0.0
    del tree["/sys/class/powercap/intel-rapl:1/energy_uj"]
    assert packages.joules() is None
    tree |= RAPL
    assert packages.joules() is None  # what it counted meanwhile is not known


def test_a_wrap_without_a_known_range_is_null(tree: Tree) -> None:
    tree |= RAPL
    packages = rapl.Packages()
    packages.probe()
    del tree["/sys/class/powercap/intel-rapl:1/max_energy_range_uj"]
    tree["/sys/class/powercap/intel-rapl:1/energy_uj"] = "5\n"
    assert packages.joules() is None


@pytest.mark.parametrize(
    ("group", "throttled_file", "text"),
    [
        (V1, "/sys/fs/cgroup/cpu,cpuacct/slurm/job3/cpu.stat", "throttled_time {}\n"),
        (V2, "/sys/fs/cgroup/user.slice/cpu.stat", "throttled_usec {}\n"),
    ],
    ids=["cgroup v1", "cgroup v2"],
)
@pytest.mark.parametrize(
    ("milliseconds", "expected"), [(10, []), (50, [flags.NOISY]), (150, [flags.UNRANKED])]
)
def test_throttling_of_either_version_meets_the_contention_gate(
    tree: Tree, group: Tree, throttled_file: str, text: str, milliseconds: int, expected: list[str]
) -> None:
    """Held back for so long in a window of one second: quiet up to 2 %, noisy up to 10 %, then unranked."""
    whole(tree, group)
    source = CpuSource(PID)
    source.probe()
    before = source.edge()
    unit = 1_000_000 if group is V1 else 1000
    tree[throttled_file] = text.format(2 * unit + milliseconds * unit)
    tree["/proc/7/stat"] = STAT.format(minor=100, major=3, user=150, rss=1000)
    tree["/proc/stat"] = "cpu  110 1 5 999 7 2 3 4 0 0\n"
    thread(tree, 7, 1_000_000_000, 100, 10, 1)
    after = source.edge()
    metrics = {name: Metric(unit="ns", samples=2, delta=after[name] - before[name]) for name in after}
    window = Telemetry(hz=10.0, ticks=10, missed_ticks=0, window_ns=1_000_000_000, metrics=metrics)
    assert metrics["cgroup_throttled"].delta == milliseconds * 1_000_000
    assert flags.noise(window, cores=2) == expected


# --- the real machine ----------------------------------------------------------------------------


def test_a_trials_memory_peak_is_read_at_the_windows_end() -> None:
    with Recorder(hz=10.0) as recorder, recorder.window():
        held = np.ones((64 << 20) // 8)
    peak = recorder.record().metrics["rss_peak"]
    assert peak.mean is None and peak.delta is None
    assert peak.maximum is not None and peak.maximum >= held.nbytes


def test_real_machine_answers_or_says_why() -> None:
    source = CpuSource(os.getpid())
    for name, capability in source.probe().items():
        assert (capability.support == "ok") == (capability.reason is None), name
    assert {"cpu_time", "rss", "rss_peak", "steal", "voluntary_switches"} <= set(source.edge())


def grown(source: CpuSource, name: str, work: Callable[[], object]) -> float:
    before = source.edge()[name]
    work()
    return source.edge()[name] - before


def test_real_counters_count_what_is_done() -> None:
    source = CpuSource(os.getpid())
    assert source.probe()["minor_faults"] == Capability("counter", "")
    pages = 2000
    fresh = mmap.mmap(-1, pages * proc.PAGE)  # an allocator may hand out pages that were touched before
    touched = grown(source, "minor_faults", lambda: fresh.write(b"\1" * len(fresh)))
    assert touched >= pages / 512  # huge pages: 512 at a time
    sleeps = 25
    assert grown(source, "voluntary_switches", lambda: [time.sleep(1e-3) for _ in range(sleeps)]) >= sleeps


def test_real_peak_stays_when_memory_is_given_back() -> None:
    source = CpuSource(os.getpid())
    source.probe()
    held = source.tick()["rss"] + (64 << 20)
    np.ones((64 << 20) // 8).sum()
    values = source.edge()
    assert values["rss_peak"] >= held - (4 << 20)
    assert values["rss_peak"] >= values["rss"]


@pytest.mark.skipif(proc.task_times("self") is None, reason="this kernel counts no run-queue wait")
def test_real_threads_are_summed() -> None:
    """Three threads asleep for a moment after their work: all that they did is in the sum."""
    source = CpuSource(os.getpid())
    source.probe()
    before = source.edge()["on_cpu"]
    ready, done = threading.Barrier(4), threading.Event()

    def work() -> None:
        end = time.thread_time() + 0.05
        while time.thread_time() < end:
            pass
        ready.wait()
        done.wait()

    threads = [threading.Thread(target=work) for _ in range(3)]
    for one in threads:
        one.start()
    ready.wait()
    for one in threads:  # the kernel has counted all of a thread's time once it sleeps
        while (proc.read(f"/proc/self/task/{one.native_id}/stat") or "").rpartition(")")[2].split()[0] != "S":
            time.sleep(0.001)
    assert source.edge()["on_cpu"] - before >= 3 * 0.05e9
    done.set()
    for one in threads:
        one.join()


def test_real_group_has_folders() -> None:
    found = cgroup.of("self")
    if found is None:
        pytest.skip("no control groups are mounted here")
    assert all(Path(folder).is_dir() for folder in found.folders)


def test_the_processes_of_a_trial_are_read_together(tree: Tree) -> None:
    whole(tree, V2)
    alone = CpuSource(PID)
    alone.probe()
    one = alone.edge()
    for name in [name for name in tree if name.startswith("/proc/7/")]:
        tree[name.replace("/proc/7/", "/proc/70/").replace("/task/", "/task/1")] = tree[name]
    both = CpuSource(PID, 70)
    both.probe()
    two = both.edge()
    summed = ("cpu_time", "rss", "minor_faults", "major_faults", "rss_peak", "on_cpu", "run_queue_wait")
    assert all(two[name] == 2 * one[name] for name in summed)
    assert two["host_busy"] == one["host_busy"]
    del tree["/proc/70/stat"]  # it has ended: the sum of the others would be no sum
    assert "cpu_time" not in both.tick()
