"""``framebench profile``: what is asked and refused, how costs are counted, what is written; the harness is played."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Any

import msgspec
import pytest
from rich.console import Console

from framebench.campaign import suites
from framebench.commands import profile as command
from framebench.errors import UserError
from framebench.executors import Failure, StackOn, Unavailable
from framebench.executors.machine import this_machine
from framebench.records import reading, store
from framebench.records.work_tokens import files
from harness import frameworks, workloads
from harness.draft import sidecar
from harness.profiling import Event, costs, keep_hlo, of
from harness.record import ImageRef, Outcome, OwnBuild, Record, TrialSpec
from tests.record_factory import make_record, sha

ROOT = Path(__file__).resolve().parents[2]
PROFILE = {
    "steps": 5,
    "files": {
        "trace.json": {"text": "{}", "open": "the time line; open it in a browser"},
        **{f"code/graph{number}.py": {"text": "x = 1\n", "open": "code"} for number in range(6)},
        "plugins/host.pb": {"base64": base64.b64encode(b"\xff\x00").decode(), "open": "see FOLDER"},
    },
    "operations": 40,
    "self_ns": 1_000_000,
    "costliest": [["matmul", 10, 600_000], ["copy", 5, 100_000]],
}


def ask(case: str, stack: str = "torch", **changes: Any) -> command.ProfileRequest:
    fields = {"mode": None, "variant": None, "executor": "venv", "wheels": ()} | changes
    return command.ProfileRequest(case=case, stack=stack, **fields)


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("mlp", "mlp/smoke-train-b32-fp32-cpu1-c1"),
        ("mlp/smoke", "mlp/smoke-train-b32-fp32-cpu1-c1"),
        ("mlp/cpu-infer", "mlp/cpu-infer-b32-fp32-cpu1-c1"),
        ("mlp/smoke-b8", "mlp/smoke-train-b8-fp32-cpu1-c1"),
        ("convstack/cpu-train-b16-bf16-gpu1-c2", "convstack/cpu-train-b16-bf16-gpu1-c2"),
        (
            "fasterrcnn/cpu-trained-infer-b2",
            "fasterrcnn/cpu-trained-infer-b2-fp32-cpu1-c1",
        ),  # a preset with a dash
    ],
)
def test_a_case_is_a_whole_path_or_the_beginning_of_one(text: str, path: str) -> None:
    assert command.what(ask(text))[0].path == path


@pytest.mark.parametrize(
    ("request_", "says"),
    [
        (ask("nothing/smoke"), "no workload 'nothing'"),
        (ask("mlp/enormous"), "no preset 'enormous'"),
        (ask("mlp/smoke-decode"), "no task 'decode'"),
        (ask("mlp/"), "names no case"),
        (ask("mlp/smoke", "pytorch"), "no stack 'pytorch'"),
        (ask("mlp/smoke", "torch", mode="eager", variant="sideways"), "sideways"),
        (
            ask("mlp/smoke", "onnxruntime-torch"),
            "runs what torch exported and has no profiler here; profile torch",
        ),
    ],
)
def test_what_no_machine_could_profile_is_one_sentence(request_: command.ProfileRequest, says: str) -> None:
    with pytest.raises(UserError, match=says):
        command.what(request_)


def test_every_framework_that_is_compared_has_a_profiler_and_no_work_holds_it() -> None:
    for name, info in frameworks.stacks().items():
        computes = info.backend or info.framework
        if (
            name == frameworks.SELF_TEST
            or not (ROOT / "harness/frameworks" / computes / "driver.py").exists()
        ):
            continue
        for workload in workloads.names():
            assert not [file for file in files(ROOT, name, workload) if "profil" in file]
    for name in ("torch", "keras-torch", "tensorflow", "keras-tensorflow", "jax", "keras-jax"):
        assert {"environment", "profile", "OPEN"} <= set(dir(of(frameworks.info(name))))
    with pytest.raises(frameworks.Unsupported, match="has no profiler here"):
        of(frameworks.info("onnxruntime-torch"))


def test_self_time_leaves_out_what_an_operation_called() -> None:
    whole, part, beside = Event("loop", 0, 100), Event("body", 10, 30), Event("other", 200, 5)
    again = Event("body", 50, 20)
    found = {cost.operation: cost for cost in costs([[again, whole, part, beside], [Event("body", 0, 1)]])}
    assert (found["loop"].calls, found["loop"].self_ns) == (1, 50)
    assert (found["body"].calls, found["body"].self_ns) == (3, 51)
    assert found["other"].self_ns == 5


def test_of_the_compilers_files_those_of_modules_that_ran_stay(tmp_path: Path) -> None:
    names = {
        "module_1.jit_train.before_optimizations.txt": True,
        "module_1.jit_train.cpu_after_optimizations.txt": True,
        "module_1.jit_train.cpu_after_optimizations-buffer-assignment.txt": False,
        "module_2.jit_other.cpu_after_optimizations.txt": False,
        "module_1.jit_train/module.mlir": False,
    }
    for name in names:
        path = tmp_path / "hlo" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("HloModule")
    keep_hlo(tmp_path, {"jit_train"})
    assert {path.name for path in (tmp_path / "hlo").iterdir()} == {
        name for name, kept in names.items() if kept
    }


class Played:
    """An executor whose trial answers with ``PROFILE``, or with how it failed."""

    name = "venv"
    rows = None

    def __init__(self, outcome: Outcome, image: ImageRef | Unavailable) -> None:
        self.outcome, self.image = outcome, image
        self.specs: list[TrialSpec] = []

    machine = staticmethod(this_machine)

    def refusal(self, wanted: StackOn, count: int = 1) -> Unavailable | None:
        return None

    def prepare(self, wanted: list[StackOn], progress: Any) -> dict[StackOn, ImageRef | Unavailable]:
        return dict.fromkeys(wanted, self.image)

    def run(self, spec: TrialSpec, log: Any) -> Record | Failure:
        self.specs.append(spec)
        if self.outcome.status == "crashed":
            return Failure(self.outcome, 1)
        record = make_record(executor="venv")
        held = sidecar({"profile": PROFILE}) if self.outcome.status == "ok" else None
        return msgspec.structs.replace(record, kind="profile", outcome=self.outcome, sidecar=held)


def profile(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    outcome: Outcome | None = None,
    image: ImageRef | Unavailable | None = None,
) -> tuple[int, str, Played]:
    played = Played(outcome or Outcome(status="ok"), image or ImageRef(name="torch-2.13.0-cpu-py311"))
    monkeypatch.setattr(command, "choose", lambda *arguments, **named: played)
    console = Console(file=io.StringIO(), width=200)
    code = command.run(tmp_path, ask("mlp/smoke"), console)
    return code, console.file.getvalue(), played  # type: ignore[attr-defined]


def test_the_files_are_written_and_said_with_the_costliest_operations(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = f"mlp/smoke-train-b32-fp32-cpu1-c{this_machine().cores_allowed}"
    folder = tmp_path / "build" / "profiles" / case / "torch-eager"
    (folder / "old").mkdir(parents=True)
    code, said, played = profile(tmp_path, monkeypatch)
    assert code == 0
    files = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert files == set(PROFILE["files"])  # type: ignore[call-overload]
    assert (folder / "plugins" / "host.pb").read_bytes() == b"\xff\x00"
    lines = [line.split() for line in said.splitlines()]
    assert ["matmul", "2", "120.0", "µs", "60.0%"] in lines and ["copy", "1", "20.0", "µs", "10.0%"] in lines
    assert "of 40 operations" in said and "no measurement" in said
    assert ["trace.json", "0.0", "kB"] in lines and f"see {folder}" in said
    assert "code/graph0.py and 5 more like it" in said
    (spec,) = played.specs
    assert (spec.kind, spec.cache_state) == ("profile", "cold")  # what is compiled is seen only then
    assert not [path for path in tmp_path.rglob("*") if "results" in path.name]


@pytest.mark.parametrize("name", ["../../../escaped", "/tmp/escaped", "a/../../escaped", "", "./x", "x\0y"])
def test_a_file_that_would_lie_elsewhere_is_refused_and_nothing_is_written(tmp_path: Path, name: str) -> None:
    """The names come out of a container, whose code may be anybody's."""
    folder = tmp_path / "profiles" / "torch-eager"
    (folder / "old").mkdir(parents=True)
    files = {"trace.json": {"text": "{}", "open": ""}, name: {"text": "x", "open": ""}}
    with pytest.raises(UserError, match="no name below a folder; nothing was written"):
        list(command.written(folder, {"files": files}))
    assert [path.name for path in tmp_path.rglob("*")] == ["profiles", "torch-eager", "old"]


def test_an_own_build_has_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    build = OwnBuild(distribution="torch", version="2", file="torch-2-x.whl", sha256=sha("wheel"))
    _, said, _ = profile(tmp_path, monkeypatch, image=ImageRef(name="torch-2-own-1", own_builds=(build,)))
    assert "/torch-eager--torch-2-own-1:" in said


@pytest.mark.parametrize("status", ["crashed", "unsupported"])
def test_a_trial_that_fails_is_said_and_writes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: Any
) -> None:
    outcome = Outcome(status=status, reason="for a reason", mend="a mend", stderr_tail=["the last line"])
    code, said, _ = profile(tmp_path, monkeypatch, outcome)
    assert code == 1 and f"{status}: for a reason; a mend" in said and "the last line" in said
    assert not (tmp_path / "build").exists()


def test_an_image_that_cannot_be_had_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match="no lock yet; make one"):
        profile(tmp_path, monkeypatch, image=Unavailable("no lock yet", "make one"))


def test_a_profile_among_records_is_refused(tmp_path: Path) -> None:
    path = store.write(msgspec.structs.replace(make_record(), kind="profile"), tmp_path)
    with pytest.raises(reading.Fault, match="a profile is no measurement"):
        reading.read(path)


def test_a_suite_cannot_ask_for_profiles(tmp_path: Path) -> None:
    text = (ROOT / "suites" / "smoke.toml").read_text()
    (tmp_path / "suites").mkdir()
    (tmp_path / "suites" / "smoke.toml").write_text(text.replace('"memory"', '"profile"'))
    with pytest.raises(UserError, match=r"kinds.*'profile'"):
        suites.load(tmp_path, "smoke")


def test_of_a_long_name_both_ends_are_shown() -> None:
    name = "StatefulPartitionedCall/" + "x" * 100 + "/MatMul:_MklMatMul"
    *_, line = command.table(PROFILE | {"costliest": [[name, 5, 1000]]})
    shown = line.split()[0]
    assert (
        len(shown) == command.NAME_WIDTH
        and shown.startswith("Stateful")
        and shown.endswith("MatMul:_MklMatMul")
    )


@pytest.mark.parametrize(
    ("case", "named"),
    [
        ("mlp/smoke-train-b32-fp32-cpu1-c2", True),
        ("mlp/smoke-train-b32-fp32-cpu1", False),
        ("lstm/cpu-padded", False),
        ("convstack/cpu", False),
        ("lstm/cpu-padded-infer-b4-fp32-cpu1-c1", True),
    ],
)
def test_a_device_is_no_number_of_cores(case: str, named: bool) -> None:
    assert command.names_cores(case) is named
