"""Real containers, in the image of this interpreter whose harness runs a text that comes in the spec."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import shutil
import socket
import subprocess
import sys
import tarfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import docker
import msgspec
import pytest
from docker.models.containers import Container

from framebench.errors import UserError
from framebench.executors import Failure, engine_away
from framebench.executors.choose import choose
from framebench.executors.confinement import PROCESSES
from framebench.executors.docker import DockerExecutor
from framebench.executors.ownership import LABEL, OWNER_LABEL, ROOT_LABEL, root_label
from harness.record import Outcome, Record, TrialSpec
from tests.fake_nvml import build
from tests.integration import tiny_image
from tests.record_factory import make_record
from tests.requirement import require

pytestmark = pytest.mark.docker

ROOT = Path(__file__).parents[2]
IMAGE = f"framebench-test-executor:{os.getpid()}"
Run = Callable[..., Record | Failure]


@pytest.fixture(scope="module")
def engine() -> Iterator[docker.DockerClient]:
    yield from tiny_image.in_an_engine(IMAGE)


@pytest.fixture
def executor(engine: docker.DockerClient, tmp_path: Path) -> Iterator[DockerExecutor]:
    executor = DockerExecutor(tmp_path)
    executor.adopt(make_spec(engine).image, IMAGE)
    yield executor
    assert [c for c in engine.containers.list(all=True, ignore_removed=True) if c.image.tags == [IMAGE]] == []


@pytest.fixture
def run(executor: DockerExecutor, engine: docker.DockerClient) -> Run:
    def run_in_container(script: str, log: Callable[[str], None] = print, **changes: object):
        return executor.run(make_spec(engine, script, **changes), log)

    return run_in_container


def make_spec(engine: docker.DockerClient, script: str = "", **changes: object) -> TrialSpec:
    return tiny_image.make_spec(engine, IMAGE, script, **changes)


def test_the_engine_is_named(executor: DockerExecutor, engine: docker.DockerClient) -> None:
    assert executor.engine == f"Docker {engine.version()['Version']} on {engine.info()['OperatingSystem']}"


def test_podman_is_named_where_it_takes_docker_s_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    require("podman", shutil.which("podman") is not None, "podman is not installed")
    address = f"unix://{tmp_path}/podman.sock"
    service = subprocess.Popen(
        ["podman", "system", "service", "--time=0", address], stderr=subprocess.DEVNULL
    )
    try:
        monkeypatch.setenv("DOCKER_HOST", address)
        deadline = time.monotonic() + 60
        while not Path(tmp_path, "podman.sock").exists():
            assert service.poll() is None and time.monotonic() < deadline
            time.sleep(0.1)
        version = subprocess.run(["podman", "--version"], capture_output=True, text=True, check=True).stdout
        assert (DockerExecutor(tmp_path).engine or "").startswith(f"Podman {version.split()[-1]} on ")
    finally:
        service.terminate()
        service.wait()


class Relay:
    """A socket that passes everything on to the engine until it is closed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        self._open: list[socket.socket] = [self._listener]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self.path.unlink()
        for connection in self._open:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.socket(socket.AF_UNIX)
                server.connect("/var/run/docker.sock")
                self._open += [client, server]
                for source, target in ((client, server), (server, client)):
                    threading.Thread(target=self._pass_on, args=(source, target), daemon=True).start()

    @staticmethod
    def _pass_on(source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)


def failed(answer: Record | Failure) -> Outcome:
    assert isinstance(answer, Failure), answer
    return answer.outcome


def test_a_record_comes_back_and_stderr_is_logged_line_by_line(run: Run) -> None:
    lines: list[str] = []
    answer = run("print('one\\ntwo', file=sys.stderr); print(record)", lines.append)
    assert isinstance(answer, Record), answer
    assert lines == ["one", "two"]


def test_trials_side_by_side_do_not_fill_a_new_cache_at_once(
    run: Run, engine: docker.DockerClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two mkdirs of the engine that meet fail, in one of twenty tries: here every overlap is seen."""
    within, most = 0, 0
    whole = Container.put_archive

    def watched(container: Container, *arguments: object) -> bool:
        nonlocal within, most
        within += 1
        most = max(most, within)
        time.sleep(0.3)
        done = whole(container, *arguments)
        within -= 1
        return bool(done)

    monkeypatch.setattr(Container, "put_archive", watched)
    with contextlib.suppress(docker.errors.NotFound):
        engine.volumes.get(
            f"framebench-cache-{engine.images.get(IMAGE).id.removeprefix('sha256:')[:12]}"
        ).remove()
    with ThreadPoolExecutor(3) as pool:
        answers = list(pool.map(run, ["print(record)"] * 3))
    assert all(isinstance(answer, Record) for answer in answers), answers
    assert most == 1


def test_a_spec_of_100_kb_and_a_record_of_1_mb_pass_whole(run: Run) -> None:
    script = """
print("z" * 200_000, file=sys.stderr)
assert len(given["script"]) > 100_000
print(record.replace('"flags":[]', '"flags":' + json.dumps(["f" * 500] * 2000)))
"""
    answer = run(script + "#" * 100_000)
    assert isinstance(answer, Record), answer
    assert answer.flags == ["f" * 500] * 2000


def test_stderr_is_logged_while_the_trial_runs_and_stop_interrupts(
    run: Run, executor: DockerExecutor
) -> None:
    def stop_at_the_first_line(line: str) -> None:
        assert line == "compiling"
        executor.stop()

    answer = run("print('compiling', file=sys.stderr, flush=True); time.sleep(120)", stop_at_the_first_line)
    assert failed(answer).status == "interrupted"


def test_stop_holds_when_the_trial_has_closed_its_outputs(run: Run, executor: DockerExecutor) -> None:
    threading.Timer(3, executor.stop).start()
    answer = run("[os.close(fd) for fd in (0, 1, 2)]; time.sleep(120)")
    assert failed(answer).status == "interrupted"


def test_timeout_kills(run: Run) -> None:
    outcome = failed(run("signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(120)", timeout_s=2.0))
    assert (outcome.status, outcome.reason) == ("timeout", "killed after 2 s")


def test_endless_output_is_ended_and_the_engine_answers_the_next(run: Run) -> None:
    flood = "while True: os.write(2, b'x' * 65536)"
    for _ in range(2):
        assert failed(run(flood, timeout_s=4.0)).status == "timeout"
    assert isinstance(run("print(record)"), Record)


def test_the_memory_limit_is_an_oom(run: Run, executor: DockerExecutor) -> None:
    executor.memory_bytes = 64 << 20
    outcome = failed(run("x = b'x' * (200 << 20); print(record)"))
    assert outcome.status == "oom"


def test_the_memory_limit_is_an_oom_also_when_a_child_was_killed(run: Run, executor: DockerExecutor) -> None:
    executor.memory_bytes = 64 << 20
    child = """
import subprocess, time
subprocess.run([sys.executable, "-S", "-c", "b'x' * (200 << 20)"])
time.sleep(1)  # the engine hears of it by another way than of the exit
print(record)
"""
    outcome = failed(run(child))
    assert (outcome.status, outcome.exit_code) == ("oom", 0)


@pytest.mark.parametrize("name", ["SIGSEGV", "SIGABRT", "SIGKILL", "SIGTERM"])
def test_a_signal_is_named(run: Run, name: str) -> None:
    outcome = failed(run(f"os.kill(os.getpid(), signal.{name})"))
    assert (outcome.status, outcome.signal, outcome.exit_code) == ("crashed", name, None)


def test_an_abort_is_named(run: Run) -> None:
    outcome = failed(run("os.abort()"))
    assert (outcome.status, outcome.signal) == ("crashed", "SIGABRT")


def test_a_crash_keeps_exit_code_and_the_last_fifty_lines(run: Run) -> None:
    outcome = failed(run("[print('line', n, file=sys.stderr) for n in range(80)]; sys.exit(3)"))
    assert (outcome.status, outcome.exit_code) == ("crashed", 3)
    assert outcome.stderr_tail == [f"line {n}" for n in range(30, 80)]


@pytest.mark.parametrize("script", ["print('rubbish')", "pass", "print(record[:-9])"])
def test_an_answer_that_is_no_record_is_a_crash(run: Run, script: str) -> None:
    outcome = failed(run(script))
    assert (outcome.status, outcome.exit_code) == ("crashed", 0)
    assert "record" in (outcome.reason or "")


def test_the_container_is_closed_in(run: Run, executor: DockerExecutor) -> None:
    lines: list[str] = []
    answer = run(
        """
import socket
lines = open("/proc/self/status").read().splitlines()
status = dict(line.split(":\\t", 1) for line in lines if ":\\t" in line)
facts = dict(uid=os.getuid(), gid=os.getgid(), capabilities=int(status["CapEff"], 16),
             no_new_privileges=status["NoNewPrivs"].strip(), cores=sorted(os.sched_getaffinity(0)),
             network=os.listdir("/sys/class/net"), host_variables=sorted(os.environ))
for name, path in dict(root="/new", tmp="/tmp/new", cache="/cache/compile/new", pyc="/cache/pyc/new").items():
    try:
        open(path, "w").close()
        os.remove(path)
        facts[name] = "writable"
    except OSError as error:
        facts[name] = error.strerror
facts["tmp_options"] = next(line.split()[3] for line in open("/proc/mounts") if line.split()[1] == "/tmp")
group = lambda v1, v2: next(int(open(path).read()) for path in (
    "/sys/fs/cgroup/" + v1, "/sys/fs/cgroup/" + v2) if os.path.exists(path))
facts["pids"] = group("pids/pids.max", "pids.max")
facts["memory"] = group("memory/memory.limit_in_bytes", "memory.max")
facts["swap"] = group("memory/memory.memsw.limit_in_bytes", "memory.swap.max")
facts["shm"] = os.statvfs("/dev/shm").f_blocks * os.statvfs("/dev/shm").f_bsize
print(json.dumps(facts), file=sys.stderr)
print(record)
""",
        lines.append,
    )
    assert isinstance(answer, Record), answer
    facts = json.loads(lines[0])
    assert (facts["uid"], facts["gid"], facts["capabilities"], facts["no_new_privileges"]) == (
        1000,
        1000,
        0,
        "1",
    )
    assert facts["cores"] == sorted(os.sched_getaffinity(0))[:1]
    assert facts["network"] == ["lo"]
    assert facts["root"] == "Read-only file system"
    assert {facts["tmp"], facts["cache"], facts["pyc"]} == {"writable"}
    assert "noexec" not in facts["tmp_options"]
    assert facts["shm"] == 1 << 30
    assert facts["pids"] == PROCESSES
    assert facts["memory"] == executor.memory_bytes & -4096  # the kernel counts pages
    assert facts["swap"] in (facts["memory"], 0)  # v1 counts memory and swap together
    assert not any(name.startswith(("OMP_", "TF_", "XLA_")) for name in facts["host_variables"])


@pytest.mark.parametrize("kind", ["timing", "cold-start"])
def test_what_a_trial_compiles_can_be_loaded_from_its_cache_and_from_tmp(run: Run, kind: str) -> None:
    """A file there is mapped as a shared library is, which Inductor, XLA, Triton and numba need for what they make."""
    script = """
import mmap
for folder in (spec["cache_dir"], "/tmp"):
    with open(folder + "/made.so", "w+b") as file:
        file.write(bytes(4096))
        file.flush()
        mmap.mmap(file.fileno(), 4096, flags=mmap.MAP_PRIVATE, prot=mmap.PROT_READ | mmap.PROT_EXEC)
    os.remove(folder + "/made.so")
    print("loaded from", folder, file=sys.stderr)
print(record)
"""
    lines: list[str] = []
    assert isinstance(run(script, lines.append, kind=kind), Record), lines
    assert len(lines) == 2


def test_the_compile_cache_is_kept_for_warm_trials_and_empty_for_cold_ones(run: Run) -> None:
    look = """
print(sorted(os.listdir(spec["cache_dir"])), spec["cache_state"], file=sys.stderr)
open(spec["cache_dir"] + "/made", "w").close()
print(record)
"""
    lines: list[str] = []
    for kind in ("timing", "timing", "cold-start", "cold-start"):
        assert isinstance(run(look, lines.append, kind=kind), Record)
    assert lines[1:] == ["['made'] warm", "[] cold", "[] cold"]


def test_python_keeps_its_byte_code_in_the_volume(run: Run) -> None:
    lines: list[str] = []
    script = (
        "import wave; print(wave.__cached__, os.path.exists(wave.__cached__), file=sys.stderr); print(record)"
    )
    assert isinstance(run(script, lines.append), Record)
    assert lines[0].startswith("/cache/pyc/")
    assert lines[0].endswith(" True")


def test_an_exception_on_the_host_leaves_no_container(run: Run) -> None:
    def interrupt(line: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):  # the fixture looks for containers afterwards
        run("print('line', file=sys.stderr, flush=True); time.sleep(120)", interrupt)


def test_more_cores_than_there_are_is_unsupported(run: Run, engine: docker.DockerClient) -> None:
    case = msgspec.structs.replace(make_spec(engine).case, cores=4096)
    assert failed(run("print(record)", case=case)).status == "unsupported"


RUNNING = "print('running', file=sys.stderr, flush=True); time.sleep(300)"


@pytest.fixture
def relayed(
    engine: docker.DockerClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Relay, DockerExecutor, list[str]]]:
    """An executor whose way to the engine can be cut, and what it says."""
    relay = Relay(tmp_path / "relay.sock")
    monkeypatch.setenv("DOCKER_HOST", f"unix://{relay.path}")
    said: list[str] = []
    executor = DockerExecutor(tmp_path, say=said.append)
    executor.adopt(make_spec(engine).image, IMAGE)
    yield relay, executor, said
    for container in engine.containers.list(all=True, ignore_removed=True):
        if container.image.tags == [IMAGE]:
            container.remove(force=True)


def test_an_engine_that_does_not_come_back_is_waited_for_and_said(
    engine: docker.DockerClient,
    relayed: tuple[Relay, DockerExecutor, list[str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    relay, executor, said = relayed
    monkeypatch.setattr(engine_away, "WAIT_S", 1.2)
    with pytest.raises(UserError, match=r"has not come back within .* and the same command carries on"):
        executor.run(make_spec(engine, RUNNING), lambda line: relay.close())
    (sentence,) = said
    assert f"{relay.path} (named by DOCKER_HOST) does not answer: waiting up to 0.02 minutes" in sentence


def test_an_engine_that_comes_back_costs_one_trial_and_keeps_no_container(
    engine: docker.DockerClient, relayed: tuple[Relay, DockerExecutor, list[str]]
) -> None:
    relay, executor, said = relayed

    def come_back() -> None:
        while not said:
            time.sleep(0.1)
        Relay(relay.path)

    def cut(line: str) -> None:
        relay.close()
        threading.Thread(target=come_back, daemon=True).start()

    outcome = failed(executor.run(make_spec(engine, RUNNING), cut))
    assert (outcome.status, outcome.reason) == ("invalid", "container_lost: the Docker engine went away")
    assert len(said) == 2 and said[1].startswith("the Docker engine answers again after ")
    assert [c for c in engine.containers.list(all=True, ignore_removed=True) if c.image.tags == [IMAGE]] == []
    assert isinstance(executor.run(make_spec(engine, "print(record)"), print), Record)


def test_the_wait_for_an_engine_can_be_stopped(
    engine: docker.DockerClient, relayed: tuple[Relay, DockerExecutor, list[str]]
) -> None:
    relay, executor, _ = relayed
    threading.Timer(4, executor.stop).start()
    outcome = failed(executor.run(make_spec(engine, RUNNING), lambda line: relay.close()))
    assert (outcome.status, outcome.reason) == ("interrupted", "stopped by the user")


def test_a_container_that_somebody_removes_is_an_accident(
    engine: docker.DockerClient, run: Run, tmp_path: Path
) -> None:
    def remove(line: str) -> None:
        (mine,) = engine.containers.list(filters={"label": f"{ROOT_LABEL}={root_label(tmp_path)}"})
        mine.remove(force=True)

    outcome = failed(run(RUNNING, remove))
    assert outcome.signal == "SIGKILL" or str(outcome.reason).startswith(
        "container_lost: somebody removed it"
    )


def test_a_credential_helper_that_is_not_there_keeps_nobody_from_measuring(
    engine: docker.DockerClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "config.json").write_text('{"credsStore": "left-behind-by-an-uninstalled-desktop"}')
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    executor = DockerExecutor(tmp_path)
    executor.adopt(make_spec(engine).image, IMAGE)
    assert isinstance(executor.run(make_spec(engine, "print(record)"), print), Record)


def test_docker_is_given_where_an_engine_answers(engine: docker.DockerClient, tmp_path: Path) -> None:
    said: list[str] = []
    assert choose(tmp_path, "docker", said.append).name == "docker"
    assert said == ["executor: docker, as asked"]


def test_auto_without_an_image_that_could_be_made_is_venv_and_says_why(
    engine: docker.DockerClient, tmp_path: Path
) -> None:
    said: list[str] = []
    assert choose(tmp_path, "auto", said.append).name == "venv"  # this clone has no matrix of images
    assert "images.toml" in said[0]


def test_an_image_that_was_not_prepared_is_refused(engine: docker.DockerClient, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="framebench build"):
        DockerExecutor(tmp_path).run(make_spec(engine), print)


def test_an_image_that_the_engine_lacks_is_refused(engine: docker.DockerClient, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no image framebench-test-absent"):
        DockerExecutor(tmp_path).adopt(make_spec(engine).image, "framebench-test-absent:1")


def test_leftovers_of_a_killed_run_are_removed_and_those_of_a_living_one_kept(
    engine: docker.DockerClient, executor: DockerExecutor, tmp_path: Path
) -> None:
    """A host process is killed in mid-trial; the next start of the same clone cleans up."""
    script = (
        "from pathlib import Path; import docker\n"
        "from framebench.executors.docker import DockerExecutor\n"
        "from tests.integration.test_executor_docker import make_spec, IMAGE\n"
        "import tests.integration.test_executor_docker as test\n"
        f"test.IMAGE = {IMAGE!r}\n"
        f"executor = DockerExecutor(Path({str(tmp_path)!r}))\n"
        "run_on = 'print(\"running\", file=sys.stderr, flush=True); time.sleep(300)'\n"
        "spec = make_spec(docker.from_env(), run_on)\n"
        "executor.adopt(spec.image, test.IMAGE)\n"
        "executor.run(spec, lambda line: print(line, flush=True))\n"
    )
    host = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert host.stdout and host.stdout.readline() == "running\n"

    def left() -> list[str]:
        mine = [
            c
            for c in engine.containers.list(all=True, ignore_removed=True)
            if c.labels.get(LABEL) and c.image.tags == [IMAGE]
        ]
        assert all({ROOT_LABEL, OWNER_LABEL} <= set(c.labels) for c in mine)
        return [c.status for c in mine]

    executor.remove_leftovers()
    assert left() == ["running"]
    host.kill()
    host.wait()
    executor.remove_leftovers()
    deadline = time.monotonic() + 60
    while left() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert left() == []


# --- GPUs, and other processors ------------------------------------------------------------------

GPU_TRIAL = """
import sys
from pathlib import Path
import docker, msgspec
from framebench.errors import UserError
from framebench.executors.docker import DockerExecutor
import tests.integration.test_executor_docker as test
test.IMAGE = sys.argv[1]
spec = test.make_spec(docker.from_env(), "print(record)")
spec = msgspec.structs.replace(spec, case=msgspec.structs.replace(spec.case, device="gpu"))
executor = DockerExecutor(Path(sys.argv[2]))
executor.adopt(spec.image, test.IMAGE)
try:
    print(executor.run(spec, print).outcome.reason)
except UserError as error:
    print(error)
"""


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("driver"))


def gpu_trial(driver: Path, image: str = "", **variables: str) -> str:
    """What becomes of a trial on a GPU whose driver is the fake one."""
    done = subprocess.run(
        [sys.executable, "-c", GPU_TRIAL, image or IMAGE, str(ROOT)],
        env=os.environ | {"LD_LIBRARY_PATH": str(driver)} | variables,
        capture_output=True,
        check=True,
        text=True,
    )
    return done.stdout.strip()


@pytest.mark.usefixtures("engine")
def test_a_driver_too_old_for_the_images_cuda_is_found_before_the_run(driver: Path) -> None:
    said = gpu_trial(driver, FAKE_DRIVER="470.256.02")
    assert said == (
        "driver 470.256.02 is too old for CUDA 13.0 in torch-cpu, which needs 580.65.06;"
        " no image of test is for it, so update the driver"
    )


def test_an_engine_without_the_toolkit_is_asked_and_its_refusal_has_a_mend(
    engine: docker.DockerClient, driver: Path
) -> None:
    if "nvidia" in engine.info()["Runtimes"]:
        pytest.skip("this engine has NVIDIA's container toolkit")
    said = gpu_trial(driver)
    assert said.startswith("The Docker engine cannot hand out GPUs (could not select device driver"), said
    assert "[[gpu compute utility]]" in said
    assert "install NVIDIA's container toolkit (package nvidia-container-toolkit)" in said


def image_for(architecture: str, tag: str) -> bytes:
    """What ``docker load`` takes: the files of the test's image under another architecture."""
    layer = tiny_image.python_tree()
    config = {
        "architecture": architecture,
        "os": "linux",
        "config": {
            "Entrypoint": [str(Path(sys.executable).resolve()), "-m", "harness"],
            "Env": ["PYTHONPATH=/opt/framebench"],
        },
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"]},
    }
    manifest = [{"Config": "config.json", "RepoTags": [tag], "Layers": ["layer.tar"]}]
    files = {"manifest.json": json.dumps(manifest).encode(), "config.json": json.dumps(config).encode()}
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for name, content in (files | {"layer.tar": layer}).items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return archive.getvalue()


@pytest.fixture
def foreign(engine: docker.DockerClient) -> Iterator[str]:
    """The same image, said to be made for another processor, and without CUDA."""
    name = f"framebench-test-foreign:{os.getpid()}"
    other = "arm64" if engine.version()["Arch"] != "arm64" else "amd64"
    engine.images.load(image_for(other, name))
    assert engine.images.get(name).attrs["Architecture"] == other
    yield name
    digest = engine.images.get(name).id.removeprefix("sha256:")
    engine.images.remove(name, force=True)
    with contextlib.suppress(docker.errors.NotFound):
        engine.volumes.get(f"framebench-cache-{digest[:12]}").remove()


def test_a_trial_in_an_image_for_another_processor_knows_that_it_is_emulated(
    engine: docker.DockerClient, foreign: str, tmp_path: Path
) -> None:
    executor = DockerExecutor(tmp_path)
    lines: list[str] = []
    for name in (foreign, IMAGE):
        spec = make_spec(
            engine, 'print(os.environ.get("FRAMEBENCH_EMULATED"), file=sys.stderr); print(record)'
        )
        image = msgspec.structs.replace(spec.image, config_digest=engine.images.get(name).id)
        executor.adopt(image, name)
        assert isinstance(executor.run(msgspec.structs.replace(spec, image=image), lines.append), Record)
    assert lines == ["1", "None"]


def test_a_case_on_a_gpu_in_an_image_without_cuda_is_unsupported(driver: Path, foreign: str) -> None:
    image = make_record().image.name
    assert gpu_trial(driver, foreign) == f"the case wants a GPU, and {image} is an image without CUDA"
