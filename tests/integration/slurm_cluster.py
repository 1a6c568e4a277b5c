"""A real Slurm on this machine: its controller, and a daemon for each of several nodes that share the processor."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "sacct", "scontrol")


def missing() -> str:
    """Why none can be started here; empty if one can."""
    absent = [name for name in PROGRAMS if shutil.which(name) is None]
    if absent:
        return f"not installed: {', '.join(absent)} (Debian: slurm-wlm munge)"
    return "" if os.geteuid() == 0 else "only root can start slurmctld and slurmd"


class Cluster:
    """``nodes`` by name; ``kill`` is a power cut of one."""

    def __init__(self, folder: Path, nodes: int) -> None:
        self.folder = folder
        self.nodes = [f"n{number}" for number in range(1, nodes + 1)]
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.environment = os.environ | {"SLURM_CONF": str(folder / "slurm.conf")}

    def start(self) -> None:
        folder = self.folder
        key = folder / "munge.key"
        key.write_bytes(secrets.token_bytes(128))
        key.chmod(0o400)
        (folder / "slurm.conf").write_text(self._configuration())
        options = [f"--{name}={folder / file}" for name, file in (
            ("key-file", "munge.key"), ("socket", "munge.socket"), ("pid-file", "munge.pid"),
            ("log-file", "munge.log"), ("seed-file", "munge.seed"),
        )]  # fmt: skip
        self._start("munged", "--foreground", "--force", *options)
        _until(lambda: (folder / "munge.socket").exists(), "munged")
        self._start("slurmctld", "-D", "-c")
        for node in self.nodes:
            self.revive(node)
        _until(self._all_idle, "idle nodes", 180)

    def _all_idle(self) -> bool:
        try:
            return self.states().count("idle") == len(self.nodes)
        except AssertionError:  # the controller does not answer yet
            return False

    def revive(self, node: str) -> None:
        self._start("slurmd", "-D", "-N", node, key=node)

    def kill(self, node: str) -> None:
        """The daemon, and first those who would still report of the node's jobs, then these; all at once."""
        daemon = self.processes.pop(node)
        in_jobs = [one for one in psutil.process_iter() if _node_of(one) == node]
        parents = {parent for one in in_jobs if (parent := one.parent()) and parent.name() == "slurmstepd"}
        daemon.kill()
        for one in [*parents, *in_jobs]:
            with contextlib.suppress(psutil.NoSuchProcess):
                one.kill()
        daemon.wait()

    def stop(self) -> None:
        for node in [*self.nodes]:
            if node in self.processes:
                self.kill(node)
        for process in self.processes.values():
            process.terminate()
            process.wait(30)

    def run(self, *command: str, cwd: Path | None = None) -> str:
        answer = subprocess.run(command, env=self.environment, cwd=cwd, capture_output=True, text=True)
        assert answer.returncode == 0, answer.stdout + answer.stderr
        return answer.stdout

    def states(self) -> list[str]:
        return self.run("sinfo", "--noheader", "--Node", "--format=%T").split()

    def jobs(self) -> dict[str, tuple[str, str]]:
        """Of the jobs that have not ended: (state, node) by id."""
        lines = self.run("squeue", "--noheader", "--array", "--format=%i %T %N").splitlines()
        return {line.split(maxsplit=2)[0]: (line.split()[1], " ".join(line.split()[2:])) for line in lines}

    def wait(self, timeout_s: float) -> None:
        """Until no job is left."""
        _until(lambda: not self.jobs(), "the end of all jobs", timeout_s)

    def _start(self, program: str, *options: str, key: str = "") -> None:
        with (self.folder / f"{key or program}.out").open("ab") as output:
            self.processes[key or program] = subprocess.Popen(
                [program, *options], env=self.environment, stdout=output, stderr=output
            )

    def _configuration(self) -> str:
        ports = _free_ports(1 + len(self.nodes))
        lines = [
            "ClusterName=one_machine",
            f"SlurmctldHost={socket.gethostname()}(127.0.0.1)",
            f"SlurmctldPort={ports[0]}",
            "SlurmUser=root",
            "AuthType=auth/munge",
            f"AuthInfo=socket={self.folder}/munge.socket,cred_expire=5",  # a requeued job waits for as long
            "CredType=cred/munge",
            f"StateSaveLocation={self.folder}/state",
            f"SlurmdSpoolDir={self.folder}/spool-%n",
            f"SlurmdPidFile={self.folder}/%n.pid",
            f"SlurmctldPidFile={self.folder}/slurmctld.pid",
            "ProctrackType=proctrack/linuxproc",
            "TaskPlugin=task/none",
            "SelectType=select/cons_tres",
            "SelectTypeParameters=CR_Core",
            "SlurmdParameters=config_overrides",
            "SlurmdTimeout=5",
            "MessageTimeout=60",
            "KillWait=5",
            "ReturnToService=2",
            "SchedulerParameters=sched_interval=1,batch_sched_delay=0",
            "MpiDefault=none",
        ]
        lines += [
            f"NodeName={node} NodeHostname={socket.gethostname()} NodeAddr=127.0.0.1 Port={port} CPUs=2 RealMemory=2000"
            for node, port in zip(self.nodes, ports[1:], strict=True)
        ]
        lines.append(f"PartitionName=all Nodes={','.join(self.nodes)} Default=YES State=UP MaxTime=INFINITE")
        return "\n".join(lines) + "\n"


@contextmanager
def cluster(folder: Path, nodes: int) -> Iterator[Cluster]:
    """Started and idle; gone at the end, with all of its jobs."""
    (folder / "state").mkdir(parents=True)
    one = Cluster(folder, nodes)
    try:
        one.start()
        yield one
    finally:
        one.stop()


def _node_of(process: psutil.Process) -> str | None:
    """The node in whose job a process runs."""
    try:
        return process.environ().get("SLURMD_NODENAME")
    except psutil.Error:
        return None


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def _until(true: object, what: str, timeout_s: float = 60.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not true():  # type: ignore[operator]
        assert time.monotonic() < deadline, f"waited {timeout_s:g} s for {what}"
        time.sleep(0.2)
