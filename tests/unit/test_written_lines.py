"""One rule for all files: what counts as a line that a user writes, and what is reached in other files."""

from __future__ import annotations

from pathlib import Path

import pytest

from framebench.dataset.written_lines import WrittenLines, written_lines

LAYERS = '''"""Layers."""

import jax

SIZE = 3
OTHER = 4


def norm(x):
    """Unused here."""
    return x


@jax.jit
def dense(x):
    y = x + SIZE
    return y


def block(x, norm):
    return dense(norm(x) * norm.scale)
'''


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    put(tmp_path, "layers", LAYERS)
    return tmp_path


def put(root: Path, workload: str, code: str, framework: str = "jax") -> None:
    folder = root / "harness" / "workloads" / workload
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{framework}.py").write_text(code)


def own(root: Path, code: str) -> int:
    put(root, "one", code)
    lines = written_lines(root, "one", "jax")
    assert lines is not None and lines.reached == {} and lines.together == lines.own
    return lines.own


def test_a_line_is_a_logical_one(checkout: Path) -> None:
    assert own(checkout, "x = 1\n") == 1
    assert own(checkout, "x = [\n    1,\n    2,\n]\n") == 1
    assert own(checkout, "x = 1; y = 2\n") == 1
    assert own(checkout, "@cache\ndef f(x):\n    if x: return 1\n") == 3
    assert own(checkout, 'x = """a\n\nb"""\n') == 1


def test_blank_lines_comments_docstrings_and_imports_do_not_count(checkout: Path) -> None:
    code = '"""A\nmodule."""\n\nimport math\nfrom a import (\n    b,\n)\n\n\n# why\nclass C:\n    """What."""\n\n'
    assert own(checkout, code + "    def f(self):  # how\n        import d\n\n        return d\n") == 3


def test_of_other_files_what_is_reached_by_name_counts(checkout: Path) -> None:
    put(
        checkout,
        "one",
        "from harness.workloads.layers.jax import dense as d\n\n\ndef model(x):\n    return d(x)\n",
    )
    assert written_lines(checkout, "one", "jax") == WrittenLines(
        2, {"layers": 5}
    )  # dense, and SIZE that it uses
    put(checkout, "two", "from harness.workloads.layers import jax as layers\n\nmodel = layers.block\n")
    # block and dense: norm is an argument of block's own
    assert written_lines(checkout, "two", "jax") == WrittenLines(1, {"layers": 7})
    put(checkout, "three", "from harness.workloads.one.jax import model\n")  # handed on
    assert written_lines(checkout, "three", "jax") == WrittenLines(0, {"layers": 5, "one": 2})


def test_the_specification_and_other_frameworks_do_not_count(checkout: Path) -> None:
    put(checkout, "one", "from harness.workloads.one.spec import Preset\n\nx = Preset\n")
    put(checkout, "one", "class Preset:\n    size: int\n", "spec")
    put(checkout, "one", "x = 1\ny = 2\n", "torch")
    assert written_lines(checkout, "one", "jax") == WrittenLines(1, {})


def test_no_file_or_a_broken_one_has_no_lines(checkout: Path) -> None:
    assert written_lines(checkout, "layers", "torch") is None
    put(checkout, "broken", "def f(:\n")
    assert written_lines(checkout, "broken", "jax") is None
    put(checkout, "one", "from harness.workloads.broken.jax import f\n")
    assert written_lines(checkout, "one", "jax") is None
