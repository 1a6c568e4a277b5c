"""Facts come from the machine that measures: this one, or the one that the engine says it is on."""

from __future__ import annotations

import sys
from pathlib import Path
from platform import machine, release
from types import SimpleNamespace
from typing import Any

import msgspec
import psutil
import pytest

from framebench.campaign.request import Request, for_each_card, parse_budget, resolve
from framebench.checking import History, machines, surroundings
from framebench.checking.known import Known
from framebench.errors import UserError
from framebench.executors import Failure, StackOn, Unavailable, gpu
from framebench.executors import docker as docker_executor
from framebench.executors.docker import DockerExecutor
from framebench.executors.machine import Card, Machine, model_in, on_cards, this_machine
from framebench.executors.process import TrialProcess
from framebench.executors.rows import Rows
from harness import environment
from harness.record import Gpu, ImageRef
from tests.record_factory import CASE, gpu_telemetry, make_record, sha, telemetry
from tests.unit.test_executor_process import make_spec

ROOT = Path(__file__).resolve().parents[2]
CPUINFO = (
    b"processor\t: 0\nvendor_id\t: GenuineIntel\nmodel name\t: Intel(R) Xeon(R) Gold 6230 CPU @ 2.10GHz\n"
)


class Engine:
    """A Docker engine that says of its machine what it is told to say, and runs ``cat /proc/cpuinfo``."""

    def __init__(self, url: str = "http+docker://localhost", **said: Any) -> None:
        self.api = SimpleNamespace(base_url=url)
        self.said = {
            "NCPU": psutil.cpu_count(),
            "MemTotal": psutil.virtual_memory().total,
            "KernelVersion": release(),
            "Architecture": machine(),
        } | said
        self.containers = self
        self.images = self
        self.looked_in: list[str] = []

    def info(self) -> dict[str, Any]:
        return self.said

    def version(self) -> dict[str, Any]:
        return {"Arch": "amd64", "Version": "27.2.0"}

    def get(self, name: str) -> Any:
        return SimpleNamespace(attrs={"Id": name, "Architecture": "amd64", "Config": {}})

    def run(self, image: str, **options: Any) -> bytes:
        assert options["entrypoint"] == ["cat", "/proc/cpuinfo"] and options["network_mode"] == "none"
        self.looked_in.append(image)
        return CPUINFO


def executor(monkeypatch: pytest.MonkeyPatch, engine: Engine) -> DockerExecutor:
    monkeypatch.setattr(docker_executor, "connect", lambda: engine)
    return DockerExecutor(ROOT)


def test_an_engine_on_this_machine_measures_on_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    assert executor(monkeypatch, Engine()).machine() == this_machine()


@pytest.mark.parametrize(
    "elsewhere",
    [
        Engine("http://10.0.0.7:2375"),
        Engine(KernelVersion="6.6.1-linuxkit"),
        Engine(NCPU=64),
        Engine(MemTotal=2 << 30),
    ],
    ids=["tcp", "another kernel", "other cores", "less memory"],
)
def test_an_engine_elsewhere_or_in_a_virtual_machine_tells_its_own_facts(
    monkeypatch: pytest.MonkeyPatch, elsewhere: Engine
) -> None:
    docker = executor(monkeypatch, elsewhere)
    before = docker.machine()
    assert before.cpu_model is None and before.cores == before.cores_allowed == elsewhere.said["NCPU"]
    image = ImageRef(name="torch-1", config_digest=f"sha256:{sha('torch')}")
    docker.adopt(image, "an image that is there")
    after = docker.machine()
    assert after.cpu_model == "Intel(R) Xeon(R) Gold 6230 CPU @ 2.10GHz"
    assert (
        after.host_id.startswith(f"intel-xeon-gold-{after.cores}c-")
        and after.host_id != this_machine().host_id
    )
    docker.machine()
    assert elsewhere.looked_in == ["an image that is there"]  # once


@pytest.mark.parametrize(
    ("said", "called"), [("amd64", "x86_64"), ("aarch64", "aarch64"), ("arm64", "aarch64")]
)
def test_an_engine_elsewhere_may_call_its_processor_as_images_do(
    monkeypatch: pytest.MonkeyPatch, said: str, called: str
) -> None:
    assert executor(monkeypatch, Engine(NCPU=64, Architecture=said)).machine().architecture == called


# Answers of ours: neither Docker Desktop nor Colima has been asked. Debian's Docker and Podman are, in
# test_executor_docker.py.
@pytest.mark.parametrize(
    ("said", "called"),
    [
        ({"OperatingSystem": "Docker Desktop", "Name": "docker-desktop"}, "Docker 27.2.0 on Docker Desktop"),
        (
            {"OperatingSystem": "Ubuntu 24.04 LTS", "Name": "colima-x86"},
            "Docker 27.2.0 on Ubuntu 24.04 LTS in Colima",
        ),
        ({"OperatingSystem": "a\nb" + "c" * 900}, None),
    ],
    ids=["Docker Desktop", "Colima", "too long"],
)
def test_an_engine_is_called_by_what_it_says_of_itself(
    monkeypatch: pytest.MonkeyPatch, said: dict[str, str], called: str | None
) -> None:
    found = executor(monkeypatch, Engine(NCPU=64, **said)).engine
    assert found == called or (called is None and len(found) == 200 and "\n" not in found)


def test_a_client_with_more_cores_than_the_engine_gets_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    docker = executor(monkeypatch, Engine(NCPU=1))
    assert docker.machine().cores_allowed == 1
    two = msgspec.structs.replace(make_spec().case, cores=2)
    failed = docker.run(make_spec(case=two), print)
    assert isinstance(failed, Failure) and "the engine's machine has 1" in (failed.outcome.reason or "")


def test_a_gpu_cannot_be_asked_for_where_it_is_not_this_machine_s(monkeypatch: pytest.MonkeyPatch) -> None:
    docker = executor(monkeypatch, Engine("http://10.0.0.7:2375"))
    refused = docker.refusal(StackOn("torch", "gpu"))
    assert refused is not None and "not on this machine" in refused.reason
    assert docker.refusal(StackOn("torch")) is None


def test_an_engine_with_another_processor_builds_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Engine, "version", lambda self: {"Arch": "arm64"})
    docker = executor(monkeypatch, Engine(Architecture="aarch64"))
    monkeypatch.setattr(docker, "_has", lambda device: {})
    monkeypatch.setattr(docker, "remove_leftovers", lambda: None)
    refused = docker.refusal(StackOn("torch"))
    assert refused is not None and "is for amd64 processors" in refused.reason
    assert docker.prepare([StackOn("torch")], print) == {StackOn("torch"): refused}


def test_equal_hardware_has_an_equal_id_and_other_hardware_another() -> None:
    one = Machine("AMD EPYC 7763 64-Core Processor", 2, 2, 24 << 30, "x86_64")
    assert one.host_id == one._replace(cores_allowed=1).host_id
    others = {one.host_id, one._replace(cores=4).host_id, one._replace(architecture="aarch64").host_id}
    assert len(others) == 3
    assert Machine("AMD EPYC", 2, 2, 25276502016, "x86_64").host_id == "amd-epyc-2c-24g-36621e"


def test_each_card_is_a_host_of_its_own() -> None:
    host, one, other = "amd-epyc-2c-24g-36621e", Card("NVIDIA H200", sha("1")), Card("NVIDIA H200", sha("2"))
    assert on_cards(host, []) == host
    assert on_cards(host, [one]).startswith(f"{host}-h200-") and on_cards(host, [one]) != on_cards(
        host, [other]
    )
    assert on_cards(host, [one, other]) == on_cards(host, [other, one]) != on_cards(host, [one])
    assert f"{host}-h200-x2-" in on_cards(host, [one, other])
    assert on_cards(host, [Card("NVIDIA GeForce RTX 4090", sha("1"))]).startswith(f"{host}-geforce-rtx-4090-")
    assert on_cards(host, [Card(None, sha("1"))]).startswith(f"{host}-gpu-")


def test_a_record_of_a_card_names_the_host_that_its_hardware_makes() -> None:
    cards = [Gpu(name="NVIDIA H200", uuid_sha256=sha(f"gpu {number}")) for number in range(2)]
    plain = make_record(case=msgspec.structs.replace(CASE, device="gpu"))
    hardware = msgspec.structs.replace(plain.hardware, gpus=cards)
    watching = msgspec.structs.replace(telemetry(), gpus=[gpu_telemetry(1)], gpu_reason=None)
    base = Machine("AMD EPYC", 2, 2, 8 << 30, "x86_64").host_id
    names = [on_cards(base, [Card(card.name, card.uuid_sha256)]) for card in cards]

    def refused(host_id: str, watched: bool) -> bool:
        record = make_record(
            case=plain.case,
            hardware=hardware,
            telemetry=watching if watched else telemetry(),
            host_id=host_id,
        )
        known = Known(History(ROOT), {record.trial_id: record}, {record.trial_id: ROOT}, ROOT)
        return any(doubt.field == "provenance.host_id" for doubt in machines.doubts(record, known))

    assert [refused(name, watched=True) for name in (*names, base)] == [True, False, True]
    assert [refused(name, watched=False) for name in (*names, base)] == [False, False, True]


def test_many_cards_that_nobody_watched_are_not_tried_in_every_way() -> None:
    cards = [Gpu(name="NVIDIA H200", uuid_sha256=sha(f"gpu {number}")) for number in range(60)]
    record = make_record(case=msgspec.structs.replace(CASE, device="gpu", device_count=30))
    record = msgspec.structs.replace(record, hardware=msgspec.structs.replace(record.hardware, gpus=cards))
    known = Known(History(ROOT), {record.trial_id: record}, {record.trial_id: ROOT}, ROOT)
    (doubt,) = [one for one in machines.doubts(record, known) if one.field == "provenance.host_id"]
    assert len(str(doubt)) < 1000


@pytest.mark.parametrize(("executor", "refused"), [("docker", False), ("venv", True), ("system", True)])
def test_only_containers_have_an_engine(executor: str, refused: bool) -> None:
    record = make_record(executor=executor)
    record = msgspec.structs.replace(record, engine="Docker 27.2.0 on Debian GNU/Linux 13 (trixie)")
    known = Known(History(ROOT), {record.trial_id: record}, {record.trial_id: ROOT}, ROOT)
    named = [doubt.field for doubt in surroundings.doubts(record, known) if doubt.refused]
    assert ("engine" in named) == refused


def test_cores_may_be_fewer_and_never_more(tmp_path: Path) -> None:
    request = Request(ROOT, "smoke", "none", "venv", (), (), tmp_path)
    said: list[str] = []
    assert {case.cores for case in resolve(request._replace(cores=1), said.append).cases} == {1}
    with pytest.raises(UserError, match=r"--cores 999: the machine that measures lets trials use 1 to"):
        resolve(request._replace(cores=999), said.append)


def test_a_gpu_suite_without_a_gpu_is_planned_with_the_reason(tmp_path: Path) -> None:
    resolved = resolve(Request(ROOT, "gpu-smoke", "none", "venv", (), (), tmp_path), lambda line: None)
    assert resolved.nothing_here and resolved.stacks and not resolved.ready
    assert any("this machine shows none" in one.cause.reason for one in resolved.unsupported)


def test_a_card_for_cases_that_want_none_or_where_there_is_none_is_a_sentence(tmp_path: Path) -> None:
    request = Request(ROOT, "smoke", "none", "venv", (), (), tmp_path, gpu="0")
    with pytest.raises(
        UserError, match="--gpu 0: no case of suite smoke that was asked for wants a GPU; leave it out"
    ):
        resolve(request, lambda line: None)
    if gpu.refusal_of(1) is not None:
        with pytest.raises(UserError, match="--gpu 0: the case wants a GPU, and this machine shows none"):
            next(for_each_card(request._replace(suite="gpu-smoke")))
    assert [*for_each_card(request._replace(gpu=None))] == [request._replace(gpu=None)]


@pytest.mark.parametrize("budget", ["300h", "999999h", "20m", "0.01s"])
def test_each_card_has_its_part_of_any_budget(
    budget: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("framebench.executors.cards.named", lambda wish: ["GPU-1", "GPU-2"])
    request = Request(ROOT, "gpu", budget, "venv", (), (), tmp_path, gpu="all")
    whole = parse_budget(budget)
    parts = [parse_budget(one.budget) for one in for_each_card(request)]
    assert whole is not None and parts == [pytest.approx(whole / 2, rel=1e-3)] * 2


def test_an_image_for_a_device_that_no_case_wants_is_refused(tmp_path: Path) -> None:
    request = Request(ROOT, "smoke", "none", "venv", (), (), tmp_path, image_names=("torch-cu126",))
    with pytest.raises(UserError, match="is for a GPU, and no case of suite smoke wants one"):
        resolve(request, lambda line: None)


def test_a_stack_without_an_image_for_a_device_is_said_and_stops_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = Rows(ROOT)
    monkeypatch.setattr(gpu, "driver", lambda: "470.256.02")
    refused = rows.refusal(StackOn("torch", "gpu"))
    assert refused is not None and "driver 470.256.02 is too old for CUDA" in refused.reason
    missing = rows.refusal(StackOn("mxnet"))
    assert isinstance(missing, Unavailable) and "no default image of mxnet for a CPU" in missing.reason
    assert rows.refusal(StackOn("torch")) is None


def test_the_image_s_base_is_in_its_reference(monkeypatch: pytest.MonkeyPatch) -> None:
    docker = executor(monkeypatch, Engine())
    row = docker.rows.on("cpu")["torch"]
    image = docker_executor.images.LocalImage(
        name=row.name,
        tag="framebench/torch:1",
        config_digest=f"sha256:{sha('torch')}",
        lock_sha256=sha("lock"),
        compiler=None,
        inputs_sha256=sha("inputs"),
    )
    reference = docker._adopt_local(row, image, {})
    assert reference.base_sha256 == docker_executor.images.base_sha256(ROOT, row)


def test_a_case_for_the_cpu_sees_no_gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-a")
    monkeypatch.setattr(gpu, "choose", lambda count: gpu.Gpus("580.82.07", ["GPU-a1"]))
    package = tmp_path / "harness"
    package.mkdir()
    (package / "__main__.py").write_text(
        "import os, sys; print(repr(os.environ['CUDA_VISIBLE_DEVICES']), file=sys.stderr)"
    )
    lines: list[str] = []
    for device in ("cpu", "gpu"):
        case = msgspec.structs.replace(make_spec().case, device=device)
        TrialProcess().run(
            Path(sys.executable), make_spec(case=case), tmp_path, {"PYTHONPATH": str(tmp_path)}, lines.append
        )
    assert lines == ["''", "'GPU-a1'"]


@pytest.mark.parametrize(
    "last", ["Model\t\t: Raspberry Pi 5 Model B Rev 1.0", "Hardware\t: BCM2835", "Revision\t: 1"]
)
def test_a_board_is_called_as_its_trials_call_it(last: str, monkeypatch: pytest.MonkeyPatch) -> None:
    text = f"processor\t: 0\nBogoMIPS\t: 108.00\nmodel name\t:\nCPU part\t: 0xd0b\n\n{last}\n"
    monkeypatch.setattr(environment, "read", lambda path: text)
    assert model_in(text) == environment.cpu_model()
    assert (model_in(text) is None) == last.startswith("Revision")
