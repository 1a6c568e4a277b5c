"""A trial that tries to get out of its container, and what comes back from one that means harm.

Everything is tried from inside, in one container, by the program that a trial is; each attempt is a test.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import docker
import psutil
import pytest

from framebench.executors import Failure
from framebench.executors.docker import DockerExecutor
from harness.record import Record
from tests.integration import tiny_image

pytestmark = pytest.mark.docker

IMAGE = f"framebench-test-break-out:{os.getpid()}"
ATTEMPTS = """
import ctypes, errno, re, shutil, socket, stat, time
libc = ctypes.CDLL(None, use_errno=True)

def call(function, *arguments):
    "A call of the kernel, whose refusal is an OSError."
    ctypes.set_errno(0)
    if getattr(libc, function)(*arguments) == -1:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))

def reach(family, address):
    with socket.socket(family) as connection:
        connection.settimeout(3)
        connection.connect(address)

def write(path):
    with open(path, "w") as file:
        file.write("x")

def replaced_cache():
    "The folder that the host fills before each trial leads somewhere else from now on."
    os.rename("/cache/compile", "/cache/aside")
    os.symlink("/etc", "/cache/compile")

def processes():
    "More than a trial may have; they end with the attempt."
    started = []
    try:
        for _ in range(1000):
            if (child := os.fork()) == 0:
                time.sleep(600)
            started.append(child)
    finally:
        for child in started:
            os.kill(child, 9)
            os.waitpid(child, 0)

NEW_USER_NAMESPACE, NEW_MOUNTS, REMOUNT = 0x10000000, 0x00020000, 32
attempts = {
    "a port of the host": lambda: reach(socket.AF_INET, (host["address"], host["port"])),
    "a port of the host on loopback": lambda: reach(socket.AF_INET, ("127.0.0.1", host["port"])),
    "a nameless socket of the host": lambda: reach(socket.AF_UNIX, "\\0" + host["socket"]),
    "the network beyond": lambda: reach(socket.AF_INET, ("192.0.2.1", 443)),
    "raw packets": lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP),
    "the root folder": lambda: write("/new"),
    "the harness": lambda: write("/opt/framebench/harness/__main__.py"),
    "the kernel's settings": lambda: write("/proc/sys/kernel/hostname"),
    "the kernel's triggers": lambda: write("/proc/sysrq-trigger"),
    "the control groups": lambda: os.mkdir("/sys/fs/cgroup/new"),
    "a mount": lambda: call("mount", b"none", b"/tmp", b"tmpfs", 0, None),
    "a writable root": lambda: call("mount", b"none", b"/", b"none", REMOUNT, None),
    "a root of its own": lambda: os.chroot("/tmp"),
    "namespaces of its own": lambda: call("unshare", NEW_MOUNTS),
    "capabilities in a namespace of users": lambda: call("unshare", NEW_USER_NAMESPACE),
    "becoming root": lambda: os.setuid(0),
    "a device of its own": lambda: os.mknod("/tmp/disk", 0o600 | stat.S_IFBLK, os.makedev(*host["disk"])),
    "a higher priority": lambda: os.nice(-5),
    "another host name": lambda: call("sethostname", b"mine", 4),
    "a process of the host": lambda: os.kill(host["process"], 0),
    "the memory of a process of the host": lambda: open(f"/proc/{host['process']}/mem", "rb"),
    "a file of the host by its process": lambda: os.listdir(f"/proc/{host['process']}/root"),
    "another way through its own root": lambda: open("/proc/1/root/../../" + host["file"]),
    "a file of the host": lambda: open(host["file"]),
    "a file of the host by a symbolic link": lambda: (os.symlink(host["file"], "/tmp/link"), open("/tmp/link")),
    "the cache that the host fills": replaced_cache,
    "a thousand processes": processes,
}
answers = {}
for name, attempt in attempts.items():
    try:
        attempt()
        answers[name] = "done"
    except OSError as error:
        answers[name] = errno.errorcode.get(error.errno, str(error))
lines = open("/proc/self/status").read().splitlines()
status = dict(line.split(":\\t", 1) for line in lines if ":\\t" in line)
nodes = [node for name in os.listdir("/dev") if os.path.exists(node := os.path.join("/dev", name))]
sockets = [os.path.join(folder, name) for folder, _, names in os.walk("/") for name in names
           if not folder.startswith(("/proc", "/sys")) and stat.S_ISSOCK(os.lstat(os.path.join(folder, name)).st_mode)]
print(json.dumps({
    "attempts": answers,
    "capabilities": {name: int(status[name], 16) for name in status if re.fullmatch("Cap(Prm|Eff|Bnd|Amb)", name)},
    "processes": [name for name in os.listdir("/proc") if name.isdigit()],
    "disks": [node for node in nodes if stat.S_ISBLK(os.stat(node).st_mode)],
    "nodes": [os.path.basename(node) for node in nodes if stat.S_ISCHR(os.stat(node).st_mode)],
    "mounts": sorted({line.split()[1] for line in open("/proc/mounts")}),
    "sockets": sockets,
    "variables": dict(os.environ),
}), file=sys.stderr)
print(record)
"""
REFUSED = {
    "a port of the host": {"ENETUNREACH"},
    "a port of the host on loopback": {"ECONNREFUSED"},
    "a nameless socket of the host": {"ECONNREFUSED"},
    "the network beyond": {"ENETUNREACH"},
    "raw packets": {"EPERM"},
    "the root folder": {"EROFS"},
    "the harness": {"EROFS"},
    "the kernel's settings": {"EROFS", "EACCES"},
    "the kernel's triggers": {"EROFS", "EACCES", "ENOENT"},
    "the control groups": {"EROFS", "EACCES"},
    "a mount": {"EPERM"},
    "a writable root": {"EPERM"},
    "a root of its own": {"EPERM"},
    "namespaces of its own": {"EPERM"},
    "capabilities in a namespace of users": {"EPERM"},
    "becoming root": {"EPERM"},
    "a device of its own": {"EPERM"},
    "a higher priority": {"EPERM", "EACCES"},
    "another host name": {"EPERM"},
    "a process of the host": {"ESRCH"},
    "the memory of a process of the host": {"ENOENT"},
    "a file of the host by its process": {"ENOENT"},
    "another way through its own root": {"ENOENT", "EACCES"},
    "a file of the host": {"ENOENT"},
    "a file of the host by a symbolic link": {"ENOENT"},
    "the cache that the host fills": {"EACCES", "done"},  # the next trial finds folders all the same
    "a thousand processes": {"EAGAIN"},
}
NODES = {
    "null",
    "zero",
    "full",
    "random",
    "urandom",
    "tty",
    "ptmx",
    "console",
    "stdin",
    "stdout",
    "stderr",
    "core",
}
MOUNTS = ("/", "/proc", "/dev", "/sys", "/tmp", "/cache", "/sbin/docker-init", "/run/podman-init")
FILES_OF_THE_ENGINE = {"/etc/resolv.conf", "/etc/hostname", "/etc/hosts"}


@pytest.fixture(scope="module")
def engine() -> Iterator[docker.DockerClient]:
    yield from tiny_image.in_an_engine(IMAGE)


@pytest.fixture(scope="module")
def executor(engine: docker.DockerClient, tmp_path_factory: pytest.TempPathFactory) -> DockerExecutor:
    executor = DockerExecutor(tmp_path_factory.mktemp("clone"))
    executor.adopt(tiny_image.make_spec(engine, IMAGE).image, IMAGE)
    return executor


@contextmanager
def host(secret: Path) -> Iterator[dict[str, Any]]:
    """What there is to reach: a port, a socket without a name, a process, a file and a disk."""
    secret.write_text("a secret")
    nameless = f"framebench-test-{os.getpid()}"
    addresses = [
        one.address
        for card in psutil.net_if_addrs().values()
        for one in card
        if one.family == socket.AF_INET and not one.address.startswith("127.")
    ]
    disk = Path("/").stat().st_dev
    with socket.create_server(("0.0.0.0", 0)) as port, socket.socket(socket.AF_UNIX) as local:
        local.bind(f"\0{nameless}")
        local.listen()
        process = subprocess.Popen(["sleep", "600"])
        try:
            yield {
                "address": (addresses or ["192.0.2.2"])[0],
                "port": port.getsockname()[1],
                "socket": nameless,
                "process": process.pid,
                "file": str(secret),
                "disk": [os.major(disk), os.minor(disk)],
            }
        finally:
            process.kill()
            process.wait()


@pytest.fixture(scope="module")
def found(
    engine: docker.DockerClient, executor: DockerExecutor, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Any]:
    """What a trial came to that tried everything."""
    lines: list[str] = []
    with host(tmp_path_factory.mktemp("host") / "secret") as there:
        answer = executor.run(
            tiny_image.make_spec(engine, IMAGE, f"host = {there!r}{ATTEMPTS}"), lines.append
        )
    assert isinstance(answer, Record), (answer, lines)
    return dict(json.loads(lines[-1]))


@pytest.mark.parametrize("attempt", REFUSED)
def test_an_attempt_is_refused(attempt: str, found: dict[str, Any], engine: docker.DockerClient) -> None:
    filtered = any("seccomp" in one for one in engine.info()["SecurityOptions"])
    if attempt == "capabilities in a namespace of users" and not filtered:
        pytest.skip("this engine filters no calls of the kernel")
    assert found["attempts"][attempt] in REFUSED[attempt]


def test_nothing_else_was_tried(found: dict[str, Any]) -> None:
    assert set(found["attempts"]) == set(REFUSED)


def test_there_is_no_capability_and_nobody_else_and_no_disk(found: dict[str, Any]) -> None:
    assert set(found["capabilities"].values()) == {0}
    assert len(found["processes"]) == 2  # the engine's init, and the trial
    assert found["disks"] == [] and set(found["nodes"]) <= NODES


def test_nothing_of_the_host_is_mounted_and_no_engine_can_be_asked(found: dict[str, Any]) -> None:
    strange = [
        place
        for place in found["mounts"]
        if place not in MOUNTS
        and place not in FILES_OF_THE_ENGINE
        and not place.startswith(("/proc/", "/sys/", "/dev/"))
    ]
    assert strange == []
    assert found["sockets"] == [] and "DOCKER_HOST" not in found["variables"]


def test_what_a_trial_has_done_to_the_cache_hurts_no_later_one(
    found: dict[str, Any], engine: docker.DockerClient, executor: DockerExecutor
) -> None:
    script = """
open(spec["cache_dir"] + "/new", "w").close()
assert not os.path.islink(spec["cache_dir"])
print(record)
"""
    assert isinstance(executor.run(tiny_image.make_spec(engine, IMAGE, script), print), Record)


def test_a_record_of_a_gigabyte_is_never_held(engine: docker.DockerClient, executor: DockerExecutor) -> None:
    script = """
out = sys.stdout.buffer
out.write(record.replace('"flags":[]', '"flags":["').encode()[:-2])
for _ in range(1024):
    print("a mebibyte more", file=sys.stderr, flush=True)
    out.write(b"f" * (1 << 20))
"""
    before = most = psutil.Process().memory_info().rss
    heard = 0

    def watched(line: str) -> None:
        nonlocal most, heard
        heard += 1
        most = max(most, psutil.Process().memory_info().rss)

    answer = executor.run(tiny_image.make_spec(engine, IMAGE, script, timeout_s=1200.0), watched)
    assert isinstance(answer, Failure)
    assert answer.outcome.reason == "standard output is longer than 67108864 bytes"
    assert heard > 64 and most < before + (256 << 20)
