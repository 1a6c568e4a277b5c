"""What the gate let pass and caught is stored by work, gate and packages, and done again only where one has changed."""

from __future__ import annotations

import io
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner
from rich.console import Console

from framebench import cli
from framebench.commands import prove
from framebench.commands.saying import Sayer
from framebench.errors import UserError
from framebench.executors.alone import alone
from framebench.pages import proofs as page
from framebench.records import work_tokens
from framebench.records.proofs import (
    Proof,
    cell_name,
    encode_proofs,
    proof_key,
    proofs_path,
    read_proofs,
    write_proofs,
)
from harness import workloads
from harness.record import Case, Contender

ROOT = Path(__file__).parents[2]
CASE = Case(workload="mlp", preset="smoke", task="train", batch=4, cores=1)
TORCH = Contender(stack="torch", mode="eager", variant="")
COMPILED = Contender(stack="torch", mode="compiled", variant="")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of what decides a key."""
    shutil.copytree(
        ROOT / "harness", tmp_path / "harness", ignore=shutil.ignore_patterns("__pycache__", "proofs.json")
    )
    return tmp_path


def key(tree: Path, lock: str = "a") -> str:
    for cached in (work_tokens.work_hash, work_tokens.gate_hash):
        cached.cache_clear()
    return proof_key(tree, CASE, TORCH, lock)


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("harness/workloads/mlp/torch.py", "CHANGED = 1"),
        ("harness/frameworks/torch/driver.py", "CHANGED = 1"),
        ("harness/gate/parts.py", "CHANGED = 1"),
        ("harness/workloads/mlp/mutants.py", "MUTANTS = ()"),
    ],
)
def test_a_changed_work_gate_or_fault_is_to_be_proven_again(tree: Path, file: str, line: str) -> None:
    before = key(tree)
    with (tree / file).open("a") as stream:
        stream.write(f"\n{line}\n")
    assert key(tree) != before


@pytest.mark.parametrize(
    "file", ["harness/workloads/mlp/jax.py", "harness/workloads/gpt/torch.py", "harness/telemetry/proc.py"]
)
def test_what_is_of_another_framework_workload_or_no_work_changes_nothing(tree: Path, file: str) -> None:
    before = key(tree)
    with (tree / file).open("a") as stream:
        stream.write("\nCHANGED = 1\n")
    assert key(tree) == before
    with (tree / "harness/workloads/mlp/torch.py").open("a") as stream:
        stream.write("\n# a comment\n")
    assert key(tree) == before


def test_other_packages_are_to_be_proven_again(tree: Path) -> None:
    assert key(tree, "a") != key(tree, "b")


def proof(**changes: object) -> Proof:
    return msgspec.structs.replace(
        Proof(
            contender=TORCH,
            key="0" * 16,
            day="2026-01-02",
            compared=40,
            caught={"optimizer": ["momentum left out"], "logic": ["one layer twice", "a sum for a mean"]},
            unseen={"it computes in fp32": ["epsilon 0.1 % off"]},
        ),
        **changes,
    )


def test_a_proof_is_read_as_it_was_written_and_a_broken_file_says_the_mend(tree: Path) -> None:
    written = {
        cell_name(CASE, TORCH): proof(),
        "jax-compiled smoke-train-b4-bf16": proof(unsupported="no", caught={}),
    }
    path = proofs_path(tree, "mlp")
    path.write_bytes(encode_proofs(written))
    assert read_proofs(tree, "mlp") == written
    assert read_proofs(tree, "gpt") == {}
    path.write_text(path.read_text().replace('"compared": 40', '"compared": "many"'))
    with pytest.raises(UserError, match=r"proofs.json: Expected `int`.*compared.*framebench prove mlp"):
        read_proofs(tree, "mlp")


def test_only_what_is_not_proven_for_this_key_is_asked(tree: Path) -> None:
    cells = [
        prove.Cell(CASE, TORCH, True, "0" * 16),
        prove.Cell(msgspec.structs.replace(CASE, task="infer"), TORCH, True, "1" * 16),
        prove.Cell(msgspec.structs.replace(CASE, precision="bf16"), TORCH, False, "0" * 16),
    ]
    ledger = prove.Ledger(tree, Sayer(Console(quiet=True)), 3)
    ledger.enter(cells[0], proof(), "passed", 1.0)
    ledger.enter(cells[1], proof(), "passed", 1.0)  # for another key than today's
    assert prove._waiting(tree, cells) == {(TORCH, "fp32"): [cells[1]], (TORCH, "bf16"): [cells[2]]}
    ledger.enter(cells[1], None, "refused: logic", 1.0)
    assert list(read_proofs(tree, "mlp")) == [cells[0].name]
    assert ledger.refused == 1


def test_every_stack_is_asked_in_every_task_and_plainest_ones_get_the_faults() -> None:
    from framebench.images import load_matrix

    rows = load_matrix(ROOT).for_device("cpu")
    cells = list(prove._cells(ROOT, ["mlp"], {"torch": rows["torch"]}))
    spec = workloads.get("mlp")
    of_plainest = [cell for cell in cells if cell.contender == TORCH and cell.case.precision == "fp32"]
    assert {(cell.case.preset, cell.case.task) for cell in of_plainest} == {
        (preset, task) for preset in ("smoke", "cpu") for task in spec.tasks
    }
    assert {cell.case.preset for cell in cells if cell.faults} == {"smoke"}
    assert {cell.contender for cell in cells if cell.faults} == {TORCH}
    assert {cell.case.precision for cell in cells} == {"fp32", "bf16"}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nothing"], "there is no workload 'nothing' to prove; known are"),
        (["mlp", "--stack", "caffe"], "there is no stack 'caffe' to prove; known are"),
    ],
)
def test_an_unknown_name_is_refused(arguments: list[str], words: str) -> None:
    answer = CliRunner().invoke(cli.cli, ["prove", *arguments])
    assert answer.exit_code == 2 or isinstance(answer.exception, UserError)
    assert words in answer.output + str(answer.exception)


def test_the_page_sums_by_contender_and_by_fault(tree: Path) -> None:
    assert page.view(tree, "mlp") is None
    cells = {
        "torch-eager smoke-train-b4-fp32": proof(),
        "torch-eager smoke-infer-b4-fp32": proof(caught={"data": ["one layer twice"]}, unseen={}),
        "torch-compiled smoke-train-b4-bf16": proof(
            contender=COMPILED, unsupported="no such unit", compared=0, caught={}, unseen={}
        ),
    }
    proofs_path(tree, "mlp").write_bytes(encode_proofs(cells))
    shown = page.view(tree, "mlp")
    assert shown is not None
    assert shown.lead.startswith("2 of 3 cells passed")
    assert "Of 5 planted faults 4 were caught; 1 are hidden" in shown.lead
    by_contender = {row[0].text: [cell.text for cell in row[2:]] for row in shown.contenders.rows}
    assert ["2 / 2", "80", "4 / 5", "2026-01-02", "–"] in by_contender.values()
    assert ["0 / 1", "–", "–", "2026-01-02", "no such unit"] in by_contender.values()
    by_fault = {row[0].text: [cell.text for cell in row[1:]] for row in shown.faults.rows}
    assert by_fault["one layer twice"][0] == "2 / 2"
    assert by_fault["epsilon 0.1 % off"] == ["0 / 1", "–", "it computes in fp32"]


def test_a_results_page_says_what_was_planted_in_its_stack_at_its_task_and_precision(tree: Path) -> None:
    other = Contender(stack="jax", mode="compiled", variant="")
    assert page.of_stack(tree, CASE, TORCH) == ""
    cells = {
        "torch-eager smoke-train-b4-fp32": proof(),
        "torch-eager smoke-infer-b4-fp32": proof(),
        "torch-eager smoke-train-b4-bf16": proof(),
    }
    proofs_path(tree, "mlp").write_bytes(encode_proofs(cells))
    said = page.of_stack(tree, CASE, COMPILED)
    assert "Of 4 faults" in said and "caught 3; 1 are hidden" in said
    assert page.of_stack(tree, CASE, other) == ""


def test_of_cells_that_nobody_asks_for_any_more_nothing_stays(tree: Path) -> None:
    case = prove.case_of("mlp", "smoke", "train", "fp32")
    gone = msgspec.structs.replace(TORCH, stack="caffe")
    proofs = {cell_name(case, TORCH): proof(), cell_name(case, gone): proof(contender=gone)}
    proofs["torch-eager smoke-train-b999-fp32"] = proof()
    write_proofs(tree, "mlp", proofs)
    prove._forget(tree, "mlp", ["torch", "jax"])
    assert list(read_proofs(tree, "mlp")) == [cell_name(case, TORCH)]
    prove._forget(tree, "mlp", ["jax"])
    assert not proofs_path(tree, "mlp").exists()


def test_nothing_is_forgotten_while_a_frameworks_folder_is_broken(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its stacks have no rows then, and would seem to be gone."""
    (tree / "containers").symlink_to(ROOT / "containers")
    monkeypatch.setattr(prove, "_waiting", lambda root, cells: {})
    name = cell_name(prove.case_of("mlp", "smoke", "train", "fp32"), TORCH).replace("torch", "caffe", 1)
    write_proofs(tree, "mlp", {name: proof()})
    with monkeypatch.context() as patched:
        patched.setattr(prove.frameworks, "broken", lambda: {"caffe": "SyntaxError"})
        assert prove.run(tree, ["mlp"], ["torch"], Console(quiet=True)) == 0
    assert list(read_proofs(tree, "mlp")) == [name]
    assert prove.run(tree, ["mlp"], ["torch"], Console(quiet=True)) == 0
    assert not read_proofs(tree, "mlp")


def test_where_there_is_nothing_to_prove_it_says_so() -> None:
    with pytest.raises(UserError, match="nothing to prove: no file of mlp is for kerashub-torch"):
        prove.run(ROOT, ["mlp"], ["kerashub-torch"], Console(quiet=True))


def test_what_is_not_written_yet_or_cannot_be_imported_is_one_sentence(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tree / "harness/workloads/mlp/torch.py").write_text(
        'def model(preset):\n    raise NotImplementedError("write the model")\n'
    )
    with monkeypatch.context() as patched:
        patched.setattr(workloads, "FOLDER", tree / "harness" / "workloads")
        with pytest.raises(UserError, match="write the model"):
            prove.run(ROOT, ["mlp"], ["torch"], Console(quiet=True))

    def broken(name: str) -> None:
        raise ImportError("no such module")

    monkeypatch.setattr(workloads, "get", broken)
    with pytest.raises(UserError, match=r"mlp/spec.py cannot be imported: ImportError: no such module"):
        prove.run(ROOT, ["mlp"], ["torch"], Console(quiet=True))


def test_two_at_once_wait_for_each_other(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tree / "containers").symlink_to(ROOT / "containers")
    monkeypatch.setattr(prove, "_waiting", lambda root, cells: {})
    place = tree / "build" / "cache" / "proving.lock"
    place.parent.mkdir(parents=True)
    said = io.StringIO()
    with ThreadPoolExecutor(1) as pool:
        with alone(tree, print, place):
            second = pool.submit(prove.run, tree, ["mlp"], ["torch"], Console(file=said, width=1000))
            while "this clone is proving already" not in said.getvalue() and not second.done():
                time.sleep(0.01)
            assert not second.done() and "cells" not in said.getvalue()
        assert second.result() == 0
