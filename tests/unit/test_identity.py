"""What makes two trials the same: edits that change no work orphan nothing, edits that do give another result."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from framebench.records import identity, work_tokens
from framebench.records.work_tokens import files, gate_hash, tokens_sha256, work_hash
from harness import frameworks, workloads
from harness.frameworks.exported import source_of
from harness.frameworks.library import base_of
from harness.record import Protocol

ROOT = Path(__file__).resolve().parents[2]
STACK, WORKLOAD, PRESET = "keras-jax", "mlp", "smoke"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of ``harness/`` to edit."""
    shutil.copytree(ROOT / "harness", tmp_path / "harness", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def edited(checkout: Path, name: str, edit: Callable[[str], str]) -> bool:
    """Whether the work hash of ``STACK`` is another after this edit."""
    path = checkout / "harness" / name
    before = work_hash(checkout, STACK, WORKLOAD, PRESET)
    text = path.read_text()
    path.write_text(edit(text))
    assert path.read_text() != text, "the edit changed nothing"
    work_tokens.work_hash.cache_clear()
    return work_hash(checkout, STACK, WORKLOAD, PRESET) != before


def comment(text: str) -> str:
    return text.replace("\nfrom __future__", "\n# a remark\nfrom __future__", 1) + "\n# and another\n"


def docstring(text: str) -> str:
    start = text.index('"""')
    return text[:start] + '"""Something else.' + text[text.index('"""', start + 3) :]


def layout(text: str) -> str:
    return text.replace("\n\n\n", "\n\n\n\n\n")


def constant(text: str) -> str:
    return text + "\nANOTHER = 1\n"


MINE = (
    "frameworks/keras/driver.py",
    "frameworks/keras/stack.py",
    "frameworks/jax/stack.py",
    "workloads/mlp/keras.py",
    "workloads/mlp/spec.py",
    "workloads/specification.py",
    "workloads/philox.py",
    "protocol.py",
    "trials/timing.py",
)
OTHERS = (
    "frameworks/torch/driver.py",
    "frameworks/torch/stack.py",
    "frameworks/jax/driver.py",
    "workloads/mlp/torch.py",
    "workloads/convstack/keras.py",
    "workloads/convstack/spec.py",
    "telemetry/sampler.py",
    "telemetry/nvml.py",
    "flags.py",
    "canaries.py",
    "record.py",
    "gate/parts.py",
    "trials/memory.py",
)


@pytest.mark.parametrize("name", MINE)
@pytest.mark.parametrize("edit", [comment, docstring, layout])
def test_a_comment_a_docstring_and_layout_change_nothing(
    checkout: Path, name: str, edit: Callable[[str], str]
) -> None:
    if edit is layout and "\n\n\n" not in (checkout / "harness" / name).read_text():
        pytest.skip("no blank lines to add to")
    assert not edited(checkout, name, edit)


@pytest.mark.parametrize("name", MINE)
def test_a_constant_in_what_is_run_gives_another_result(checkout: Path, name: str) -> None:
    assert edited(checkout, name, constant)


@pytest.mark.parametrize("name", OTHERS)
def test_what_is_not_run_changes_nothing(checkout: Path, name: str) -> None:
    assert not edited(checkout, name, constant)


def test_the_presets_numbers_are_part_of_the_work(checkout: Path) -> None:
    presets = list(workloads.get(WORKLOAD).presets)
    assert len({work_hash(checkout, STACK, WORKLOAD, preset) for preset in presets}) == len(presets)


def test_every_parameter_of_the_protocol_counts() -> None:
    plain = Protocol(name="p")
    assert identity.protocol_hash(plain) == identity.protocol_hash(Protocol(name="p"))
    for field in Protocol.__struct_fields__:
        value = getattr(plain, field)
        other = f"{value}x" if isinstance(value, str) else value + 1
        changed = msgspec.structs.replace(plain, **{field: other})
        assert identity.protocol_hash(changed) != identity.protocol_hash(plain), field


def test_a_gate_that_is_mended_is_passed_again(checkout: Path) -> None:
    before = gate_hash(checkout, WORKLOAD)
    path = checkout / "harness" / "gate" / "parts.py"
    path.write_text(comment(path.read_text()))
    work_tokens.gate_hash.cache_clear()
    assert gate_hash(checkout, WORKLOAD) == before
    path.write_text(constant(path.read_text()))
    work_tokens.gate_hash.cache_clear()
    assert gate_hash(checkout, WORKLOAD) != before


def test_every_stack_has_files_in_every_workload_and_no_other_frameworks() -> None:
    for stack, info in frameworks.stacks().items():
        if stack == frameworks.SELF_TEST:
            continue
        for workload in workloads.names():
            names = files(ROOT, stack, workload)
            assert f"workloads/{workload}/spec.py" in names and "protocol.py" in names
            folders = {
                name.split("/")[1]
                for name in names
                if name.startswith("frameworks/") and name.count("/") == 2
            }
            source = source_of(info)
            steps = base_of(info).framework
            assert folders == {info.framework, source.framework, source.backend, steps} - {""}
            exporters = [name for name in names if "/from_" in name]
            own = f"frameworks/{info.framework}/from_{source.framework}.py"
            assert exporters == ([own] if (ROOT / "harness" / own).is_file() else [])
            assert ("frameworks/libtorch/package.cpp" in names) == (info.framework == "libtorch")


def test_f_strings_count_as_they_stand() -> None:
    assert tokens_sha256('x = f"{a} {{b}}"\n') == tokens_sha256('x   =  f"{a} {{b}}"  # c\n')
    assert tokens_sha256('x = f"{a} {{b}}"\n') != tokens_sha256('x = f"{a} {{c}}"\n')
    assert tokens_sha256('x = f"{a!r:>{w}}"\n') != tokens_sha256('x = f"{a!r:<{w}}"\n')
    assert tokens_sha256('"""doc"""\nx = "kept"\n') == tokens_sha256('x = "kept"\n')
    assert tokens_sha256('x = "one"\n') != tokens_sha256('x = "two"\n')
