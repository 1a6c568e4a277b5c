"""Which GPUs are asked for, and what is said before the run, with the fake driver and a real Docker engine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from framebench import images
from framebench.errors import UserError
from framebench.executors.drivers import minimum_drivers, too_old
from framebench.executors.gpu import device_request, refusal
from tests.fake_nvml import GPU, MIG, SECOND_GPU, build

ROOT = Path(__file__).parents[2]
CHOOSE = """
import json, sys
from framebench.executors.gpu import choose
from harness.frameworks import Unsupported
try:
    print(json.dumps(choose(int(sys.argv[1]))))
except Unsupported as refused:
    print(json.dumps([refused.reason, refused.mend]))
"""


NAMED = """
import json, sys
from framebench.errors import UserError
from framebench.executors.cards import named
try:
    print(json.dumps(named(sys.argv[1])))
except UserError as refused:
    print(json.dumps(str(refused)))
"""
REMARKS = """
from framebench.executors.cards import facts, remarks
for one in facts(1):
    for line in remarks(one):
        print(line)
"""


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("driver"))


def chosen(driver: Path | None, count: int, **variables: str) -> list[object]:
    """What ``choose`` answers in a process that has the fake driver from its start: driver and UUIDs, or a reason."""
    answer: list[object] = json.loads(asked(driver, CHOOSE, str(count), **variables))
    return answer


def asked(driver: Path | None, program: str, *arguments: str, **variables: str) -> str:
    """What a program prints that has the fake driver from its start."""
    environment = {name: value for name, value in os.environ.items() if name != "CUDA_VISIBLE_DEVICES"}
    environment |= {"LD_LIBRARY_PATH": str(driver)} if driver else {}
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        cwd=ROOT,
        env=environment | variables,
        capture_output=True,
        check=True,
        text=True,
    )
    return done.stdout


def test_the_first_gpus_are_asked_for_by_uuid(driver: Path) -> None:
    assert chosen(driver, 1, FAKE_DEVICES="2") == ["580.82.07", [GPU]]
    assert chosen(driver, 2, FAKE_DEVICES="2") == ["580.82.07", [GPU, SECOND_GPU]]
    assert chosen(driver, 3, FAKE_DEVICES="2") == ["the case wants 3 GPUs, this machine has 2", None]


@pytest.mark.parametrize("dead", [0, 1])
def test_a_lost_gpu_is_left_out_and_named_and_the_other_one_is_used(driver: Path, dead: int) -> None:
    two = {"FAKE_DEVICES": "2", "FAKE_DEAD": str(dead)}
    healthy = [SECOND_GPU, GPU][dead]
    assert chosen(driver, 1, **two)[1] == [healthy]
    assert chosen(driver, 1, CUDA_VISIBLE_DEVICES=healthy, **two)[1] == [healthy]
    reason, mend = chosen(driver, 2, **two)
    assert f"this machine has 1; GPU number {dead} does not answer: GPU is lost" in str(reason)
    assert "--gpu-reset" in str(mend)
    said = asked(driver, "from harness.environment import gpus; print([gpu.name for gpu in gpus()])", **two)
    assert said.strip() == f"['Fake GPU {1 - dead}']"
    doctor = "from framebench.commands.doctor import _gpus\nfor one in _gpus(): print(one.possible, one.text)"
    lines = asked(driver, doctor, **two).splitlines()
    assert f"True Fake GPU {1 - dead}" in lines
    assert any(line.startswith(f"False GPU number {dead}: GPU is lost; it is left out") for line in lines)


@pytest.mark.parametrize(
    ("code", "mend"),
    [(18, "reboot, or unload"), (9, "modprobe nvidia"), (4, "/dev/nvidia"), (999, "nvidia-smi")],
    ids=["library and kernel of two versions", "not loaded", "no permission", "unknown"],
)
def test_each_cause_has_its_own_mend(driver: Path, code: int, mend: str) -> None:
    reason, said = chosen(driver, 1, FAKE_FAIL=f"nvmlInitWithFlags={code}")
    assert (
        "NVML did not start" in str(reason) and mend in str(said) and "install" not in str(said).split(",")[0]
    )


def test_of_a_gpu_that_is_cut_up_an_instance_is_asked_for(driver: Path) -> None:
    assert chosen(driver, 1, FAKE_MIG="1") == ["580.82.07", [MIG]]
    assert chosen(driver, 2, FAKE_MIG="1", FAKE_DEVICES="2") == ["580.82.07", [MIG, SECOND_GPU]]


def test_the_user_may_name_gpus_by_uuid_and_not_by_number(driver: Path) -> None:
    two = {"FAKE_DEVICES": "2"}
    assert chosen(driver, 1, CUDA_VISIBLE_DEVICES=SECOND_GPU, **two)[1] == [SECOND_GPU]
    assert chosen(driver, 1, CUDA_VISIBLE_DEVICES="GPU-a1", **two)[1] == [SECOND_GPU]
    reason, mend = chosen(driver, 1, CUDA_VISIBLE_DEVICES="1", **two)
    assert "names GPUs by number" in str(reason) and "nvidia-smi -L" in str(mend)
    assert "none of this machine's GPUs" in str(chosen(driver, 1, CUDA_VISIBLE_DEVICES="GPU-ff", **two)[0])


def test_a_machine_without_a_driver_is_told_what_to_install() -> None:
    reason, mend = chosen(None, 1, LD_LIBRARY_PATH="")
    if reason != "the case wants a GPU, and this machine shows none: no NVIDIA library":
        pytest.skip("this machine has NVML")
    assert mend == "install NVIDIA's driver (its package brings libnvidia-ml.so.1)"


def test_a_card_is_named_by_uuid_by_its_beginning_by_number_or_all_of_them(driver: Path) -> None:
    def named(wish: str, **variables: str) -> object:
        return json.loads(asked(driver, NAMED, wish, **variables))

    two = {"FAKE_DEVICES": "2"}
    assert named("all", **two) == [GPU, SECOND_GPU]
    assert named("1", **two) == named(SECOND_GPU, **two) == named("GPU-a1", **two) == [SECOND_GPU]
    assert named("0", FAKE_MIG="1", **two) == [MIG] and named("all", FAKE_MIG="1", **two) == [MIG, SECOND_GPU]
    assert str(named("2", **two)).startswith(
        "--gpu 2: none of this machine's GPUs is called so; its GPUs are GPU-a0"
    )
    for wish in (str(2**32), "9" * 5000, "-1", "²", "GPU-nobody"):  # the driver counts in 32 bits
        assert "none of this machine's GPUs is called so" in str(named(wish, **two))
    assert str(named("")).startswith("--gpu '': none of this machine's GPUs is called so")
    assert "--gpu GPU-: 2 of this machine's GPUs is called so" in str(named("GPU-", **two))
    assert "GPU number 1 does not answer: GPU is lost" in str(named("1", FAKE_DEAD="1", **two))
    assert named("all", FAKE_DEAD="1", **two) == [GPU]
    lost = str(named("all", FAKE_FAIL="nvmlInitWithFlags=18"))
    assert lost.startswith("--gpu all: the case wants a GPU") and "reboot, or unload" in lost


def test_what_is_to_be_known_of_a_card_is_said_before_anything_runs(driver: Path) -> None:
    def said(**variables: str) -> list[str]:
        return asked(driver, REMARKS, **variables).splitlines()

    assert said(FAKE_PROCESSES="0") == []
    (shared,) = said(FAKE_PROCESSES="2")
    assert shared.startswith("Fake GPU 0 is not free: 2 other processes (4000000, 4000001) hold it,")
    assert "end them, or name another GPU with --gpu" in shared
    (slow,) = said(FAKE_PROCESSES="0", FAKE_PERSISTENCE="0")
    assert "persistence mode is off" in slow and "sudo nvidia-smi -pm 1" in slow
    (instance,) = said(FAKE_PROCESSES="0", FAKE_MIG="1")
    assert instance.startswith("Fake GPU 0 is cut up (MIG), and one instance of it is measured")
    assert said(FAKE_PROCESSES="0", FAKE_LIMIT_W="450") == [
        "Fake GPU 0 is limited to 450 W of 600 W; its records say so"
    ]


def test_a_driver_that_does_not_answer_is_a_sentence(driver: Path) -> None:
    reason, _ = chosen(driver, 1, FAKE_FAIL="nvmlDeviceGetCount_v2=999")
    assert str(reason).startswith("the case wants a GPU, and NVML does not list them: ")
    reason, _ = chosen(driver, 1, FAKE_FAIL="nvmlInitWithFlags=9")
    assert str(reason).startswith("the case wants a GPU, and this machine shows none: NVML did not start")


def test_a_driver_too_old_is_said_with_the_image_that_fits(driver: Path) -> None:
    told = str(chosen(driver, 1, FAKE_DRIVER="550.54.14")[0])
    assert too_old(ROOT, told, "torch-2.13.0-cu130-py313", "torch", "13.0.96") == (
        "driver 550.54.14 is too old for CUDA 13.0 in torch-cu130, which needs 580.65.06; torch-cu128 fits"
    )
    assert too_old(ROOT, told, "torch-2.7.1-cu126-py313", "torch", "12.6.77") is None
    told = str(chosen(driver, 1, FAKE_DRIVER="470.256.02")[0])
    assert too_old(ROOT, told, "torch-2.7.1-cu126-py313", "torch", "12.6.77") == (
        "driver 470.256.02 is too old for CUDA 12.6 in torch-cu126, which needs 525.60.13;"
        " no image of torch is for it, so update the driver"
    )


@pytest.mark.parametrize(
    ("driver_version", "runs"),
    [("580.65.06", True), ("580.65.05", False), ("580.126", True), ("1000.1", True), ("99.80", False)],
)
def test_versions_are_compared_as_numbers(driver_version: str, runs: bool) -> None:
    assert (too_old(ROOT, driver_version, "x", "torch", "13.2.86") is None) is runs


def test_a_cuda_that_the_table_does_not_know_is_a_sentence() -> None:
    with pytest.raises(UserError, match=r"drivers\.toml has no row for CUDA 14\.1 of image x; add one"):
        too_old(ROOT, "580.65.06", "x", "torch", "14.1")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, "drivers.toml does not exist"),
        ("[[cuda]]\nmajor = 12\n", "Object missing required field `driver`"),
        ('[[cuda]]\nmajor = 12\ndriver = "new"\nsource = ""\n', "key cuda[0].driver"),
        ("[[cuda]", "is not valid TOML"),
    ],
)
def test_a_broken_table_of_drivers_is_a_sentence(tmp_path: Path, text: str | None, expected: str) -> None:
    (tmp_path / "containers").mkdir()
    if text is not None:
        (tmp_path / "containers" / "drivers.toml").write_text(text)
    with pytest.raises(UserError) as error:
        minimum_drivers(tmp_path)
    assert expected in str(error.value)
    assert str(tmp_path / "containers" / "drivers.toml") in str(error.value)


def test_the_table_has_every_cuda_of_the_matrix() -> None:
    oldest = minimum_drivers(ROOT)
    for row in images.load_matrix(ROOT).rows:
        if row.accelerator != "cpu":
            assert int(row.accelerator.removeprefix("cu")[:-1]) in oldest, row.name


def test_the_request_is_for_these_gpus_and_for_computing_only() -> None:
    assert device_request([GPU], None) == {
        "Driver": "nvidia",
        "Count": 0,
        "DeviceIDs": [GPU],
        "Capabilities": [["gpu", "compute", "utility"]],
        "Options": {},
    }


def test_an_engine_that_has_found_the_gpus_by_cdi_is_asked_in_its_words() -> None:
    found = [{"Source": "cdi", "ID": f"nvidia.com/gpu={name}"} for name in ("all", "0", GPU)]
    request = device_request([GPU], found)
    assert (request["Driver"], request["DeviceIDs"]) == ("cdi", [f"nvidia.com/gpu={GPU}"])
    assert device_request([GPU, SECOND_GPU], found)["Driver"] == "nvidia"


def test_a_stale_cdi_specification_has_a_mend_and_other_words_have_none() -> None:
    said = "CDI device injection failed: unresolvable CDI devices nvidia.com/gpu=GPU-1"
    assert "sudo nvidia-ctk cdi generate" in (refusal(said) or "")
    assert refusal("no space left on device") is None
