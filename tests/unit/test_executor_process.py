"""Real child processes under the supervisor: every way a trial can end, and nothing left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import msgspec
import psutil
import pytest
from msgspec.structs import replace

from framebench.executors import Failure, process
from framebench.executors.process import SUPERVISOR, TrialProcess
from harness.record import Outcome, OwnBuild, Record, TrialSpec, encode
from tests.record_factory import answering, make_record

Run = Callable[..., Record | Failure]


def make_spec(**changes: object) -> TrialSpec:
    record = make_record(executor="system")
    case = msgspec.structs.replace(record.case, cores=1)
    spec = TrialSpec(
        kind="timing",
        trial_id=record.trial_id,
        campaign_id=record.campaign_id,
        round=1,
        seed=1,
        case=case,
        contender=record.contender,
        protocol=record.protocol,
        image=record.image,
        provenance=record.provenance,
        timeout_s=120.0,
    )
    return msgspec.structs.replace(spec, **changes)


@pytest.fixture
def trials() -> TrialProcess:
    return TrialProcess()


@pytest.fixture
def run(trials: TrialProcess, tmp_path: Path) -> Run:
    """Runs a text as the package ``harness`` of a trial; ``record`` in it is a valid record's JSON."""

    def run_as_harness(script: str, spec: TrialSpec | None = None, log: Callable[[str], None] = print):
        record = tmp_path / "record.json"
        record.write_bytes(encode(answering(spec or make_spec())))
        package = tmp_path / "harness"
        package.mkdir(exist_ok=True)
        head = f"import os, signal, sys, time\nrecord = open({str(record)!r}).read()\n"
        (package / "__main__.py").write_text(head + textwrap.dedent(script))
        return trials.run(
            Path(sys.executable),
            spec or make_spec(),
            tmp_path / "cache",
            {"PYTHONPATH": str(tmp_path)},
            log,
        )

    return run_as_harness


def failed(answer: Record | Failure) -> Outcome:
    assert isinstance(answer, Failure)
    assert answer.duration_ns > 0
    return answer.outcome


def gone(pid: int) -> bool:
    """Whether the process ended within a minute (a zombie has ended)."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.02)
    return False


def test_a_valid_record_comes_back_and_stderr_is_logged_line_by_line(run: Run) -> None:
    lines: list[str] = []
    answer = run("print('one\\ntwo', file=sys.stderr); print(record)", log=lines.append)
    assert isinstance(answer, Record)
    assert lines == ["one", "two"]


@pytest.mark.parametrize(
    ("lie", "field"),
    [
        ("document['image']['config_digest'] = 'sha256:' + 64 * '0'", "image.config_digest"),
        ("document['provenance']['host_id'] = 'amd-epyc-64c-512g-000000'", "provenance.host_id"),
        ("document['contender']['variant'] = 'faster'", "contender.slug"),
        ("document['case']['batch'] = 7", "case.path"),
        ("document['round'] = 9", "round"),
    ],
)
def test_a_record_that_contradicts_what_the_trial_was_told_is_a_crash(run: Run, lie: str, field: str) -> None:
    answer = run(f"import json; document = json.loads(record); {lie}; print(json.dumps(document))")
    outcome = failed(answer)
    assert outcome.status == "crashed"
    assert f"the record says {field} is " in (outcome.reason or "")


def test_stderr_is_logged_while_the_trial_runs(run: Run, trials: TrialProcess) -> None:
    def stop_at_the_first_line(line: str) -> None:
        assert line == "compiling"
        trials.stop()

    answer = run("print('compiling', file=sys.stderr); time.sleep(60)", log=stop_at_the_first_line)
    assert failed(answer).status == "interrupted"


def test_a_spec_of_100_kb_arrives_whole_also_at_a_slow_reader(run: Run) -> None:
    plain, build = make_spec(), OwnBuild(distribution="x" * 500, version="1", file="x.whl", sha256="0" * 64)
    spec = replace(plain, image=replace(plain.image, own_builds=(build,) * 200))
    answer = run(
        """
        import json
        print("y" * 200_000, file=sys.stderr, flush=True)  # more than a pipe holds, before reading
        time.sleep(0.2)
        spec = json.load(sys.stdin)
        assert len(spec["image"]["own_builds"]) == 200
        print(record)
        """,
        spec,
    )
    assert isinstance(answer, Record)


def test_the_trial_sees_its_cores_and_none_of_the_hosts_variables(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    seen = tmp_path / "seen.json"
    answer = run(
        f"""
        import json
        spec = json.load(sys.stdin)
        seen = dict(cores=sorted(os.sched_getaffinity(0)), home=os.listdir(os.environ["HOME"]),
                    omp=os.environ.get("OMP_NUM_THREADS"), cache=spec["cache_dir"])
        json.dump(seen, open({str(seen)!r}, "w"))
        print(record)
        """
    )
    assert isinstance(answer, Record)
    assert json.loads(seen.read_text()) == {
        "cores": sorted(os.sched_getaffinity(0))[:1],
        "home": [],
        "omp": None,
        "cache": str(tmp_path / "cache"),
    }


def test_a_cold_start_gets_a_fresh_cache_that_is_removed(run: Run, tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "compiled").touch()
    answer = run(
        f"""
        import json
        spec = json.load(sys.stdin)
        assert spec["cache_state"] == "cold" and os.listdir(spec["cache_dir"]) == []
        open({str(seen)!r}, "w").write(spec["cache_dir"])
        print(record)
        """,
        make_spec(kind="cold-start"),
    )
    assert isinstance(answer, Record)
    assert not Path(seen.read_text()).exists()
    assert (tmp_path / "cache" / "compiled").exists()


def test_more_cores_than_the_machine_allows_is_unsupported(run: Run) -> None:
    case = msgspec.structs.replace(make_spec().case, cores=4096)
    answer = run("print(record)", make_spec(case=case))
    assert isinstance(answer, Failure)
    assert answer.outcome.status == "unsupported"
    assert "4096 cores" in (answer.outcome.reason or "")


def test_timeout_kills_the_trial_and_its_descendants_in_other_sessions(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pids, ahead = tmp_path / "pids", [0.0]
    clock = SimpleNamespace(monotonic=lambda: time.monotonic() + ahead[0], monotonic_ns=time.monotonic_ns)
    monkeypatch.setattr(process, "time", clock)

    def time_is_up(line: str) -> None:
        ahead[0] = 120.0

    answer = run(
        f"""
        import subprocess
        sleep = [sys.executable, "-c", "import time; time.sleep(120)"]
        child = subprocess.Popen(sleep, start_new_session=True)
        open({str(pids)!r}, "w").write(f"{{os.getpid()}} {{child.pid}}")
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        print("both run", file=sys.stderr, flush=True)
        time.sleep(120)
        """,
        log=time_is_up,
    )
    outcome = failed(answer)
    assert outcome.status == "timeout"
    assert outcome.reason == "killed after 120 s"
    assert all(gone(int(pid)) for pid in pids.read_text().split())


def test_a_child_left_behind_is_killed_and_does_not_delay_the_answer(run: Run, tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    answer = run(
        f"""
        import subprocess
        sleep = [sys.executable, "-c", "import time; time.sleep(120)"]
        open({str(pid)!r}, "w").write(str(subprocess.Popen(sleep, start_new_session=True).pid))
        print(record)
        """
    )
    assert isinstance(answer, Record)
    assert gone(int(pid.read_text()))


def test_stop_from_another_thread_interrupts(run: Run, trials: TrialProcess) -> None:
    threading.Timer(0.5, trials.stop).start()
    assert failed(run("time.sleep(120)")).status == "interrupted"


def test_stop_from_a_signal_handler_interrupts_one_trial_only(run: Run, trials: TrialProcess) -> None:
    before = signal.signal(signal.SIGALRM, lambda number, frame: trials.stop())
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.5)
        assert failed(run("time.sleep(120)")).status == "interrupted"
    finally:
        signal.signal(signal.SIGALRM, before)
    assert isinstance(run("print(record)"), Record)


def test_an_exception_on_the_host_leaves_no_process(run: Run, tmp_path: Path) -> None:
    pid = tmp_path / "pid"

    def interrupt(line: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(
            f"""
            open({str(pid)!r}, "w").write(str(os.getpid()))
            print("line", file=sys.stderr, flush=True)
            time.sleep(120)
            """,
            log=interrupt,
        )
    assert gone(int(pid.read_text()))


def test_the_trial_dies_with_a_host_that_was_killed(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    script = f"""
import os, time
open({str(pid) + ".new"!r}, "w").write(str(os.getpid()))
os.rename({str(pid) + ".new"!r}, {str(pid)!r})
time.sleep(120)
"""
    host = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import os, subprocess, sys\n"
            f"command = [sys.executable, '-I', '-S', {str(SUPERVISOR)!r}, str(os.getpid()), '0',"
            f" sys.executable, '-c', {script!r}]\n"
            "subprocess.Popen(command, start_new_session=True).wait()",
        ]
    )
    deadline = time.monotonic() + 120
    while not pid.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    host.kill()
    host.wait()
    assert gone(int(pid.read_text()))


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGABRT, signal.SIGTERM])
def test_a_signal_is_named(run: Run, number: signal.Signals) -> None:
    outcome = failed(run(f"os.kill(os.getpid(), {int(number)})"))
    assert (outcome.status, outcome.signal, outcome.exit_code) == ("crashed", number.name, None)


def test_a_kill_that_is_not_ours_speaks_of_memory(run: Run) -> None:
    outcome = failed(run("os.kill(os.getpid(), signal.SIGKILL)"))
    assert (outcome.status, outcome.signal) == ("crashed", "SIGKILL")
    assert "memory" in (outcome.reason or "")


def test_a_crash_keeps_exit_code_and_the_last_fifty_lines(run: Run) -> None:
    outcome = failed(run("for n in range(80): print('line', n, file=sys.stderr)\nsys.exit(3)"))
    assert (outcome.status, outcome.exit_code, outcome.signal) == ("crashed", 3, None)
    assert outcome.stderr_tail == [f"line {n}" for n in range(30, 80)]


def test_a_long_line_without_an_end_is_logged_in_pieces_and_cut_in_the_tail(run: Run) -> None:
    lines: list[str] = []
    outcome = failed(run("sys.stderr.write('x' * 1_000_000); sys.exit(1)", log=lines.append))
    assert sum(map(len, lines)) == 1_000_000
    assert max(map(len, outcome.stderr_tail)) == 400


WITH_SIDECAR = """
import base64, gzip, hashlib, json, os
def made(data):
    inline = None if data is None else base64.b64encode(data).decode()
    held = {"sha256": hashlib.sha256(data or b"").hexdigest(), "inline": inline}
    return json.dumps(json.loads(record) | {"sidecar": held})
"""


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("pass", "without a record"),
        ("print('hello')", "not a valid record"),
        ("print(record[:-20])", "not a valid record"),
        ("print(record, record)", "not a valid record"),
        ('print(record.replace(\'"round"\', \'"unheard_of":1,"round"\', 1))', "`unheard_of`"),
        ("print(record.replace('\"record_version\":3', '\"record_version\":99'))", "record_version is 99"),
        (
            "import json; print(json.dumps({**json.loads(record), 'trial_id': 'other'}))",
            "another trial, other",
        ),
        ("sys.stdout.buffer.write(bytes(range(256)))", "not a valid record"),
        ("[sys.stdout.write('x' * 2**20) for _ in range(70)]", "longer than"),
        ("print('{\"x\": ' + '[' * 100_000)", "not a valid record"),
        (f"{WITH_SIDECAR}\nprint(made(gzip.compress(bytes(100 << 20))))", "whole gzip of at most 16 MiB"),
        (f"{WITH_SIDECAR}\nprint(made(os.urandom(100)))", "sidecar.inline is no gzip"),
        (f"{WITH_SIDECAR}\nprint(made(gzip.compress(os.urandom(2 << 20))))", "at most 1048576 are kept"),
        (f"{WITH_SIDECAR}\nprint(made(None))", "names a sidecar and does not bring it"),
        (
            "print(record.replace('\"flags\":[]', '\"flags\":[' + ','.join(['\"f\"'] * (5 << 20)) + ']'))",
            "at most 16777216 can be read",
        ),
    ],
)
def test_an_answer_that_is_no_record_of_this_trial_is_a_crash(run: Run, script: str, words: str) -> None:
    outcome = failed(run(script))
    assert (outcome.status, outcome.exit_code) == ("crashed", 0)
    assert words in (outcome.reason or "")


def test_a_command_that_cannot_be_started_is_a_crash(trials: TrialProcess, tmp_path: Path) -> None:
    outcome = failed(trials.run(tmp_path / "python", make_spec(), tmp_path / "cache", {}, print))
    assert (outcome.status, outcome.exit_code) == ("crashed", 127)
    assert outcome.stderr_tail == [f"{tmp_path / 'python'}: No such file or directory"]
