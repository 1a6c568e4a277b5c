"""The system executor finds modules without importing them and runs the harness under this interpreter."""

from __future__ import annotations

import re
import sys
import tempfile
from pathlib import Path

import msgspec
import pytest

from framebench.executors import StackOn, Unavailable
from framebench.executors.system import SystemExecutor
from harness.record import Record, encode
from tests.record_factory import answering
from tests.unit.test_executor_process import make_spec


def test_what_can_be_imported_is_available_and_is_not_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("bedrock", "gravel"):
        (tmp_path / f"{name}.py").write_text("raise RuntimeError('imported')")
    monkeypatch.syspath_prepend(tmp_path)
    prepared = SystemExecutor(tmp_path).prepare(
        [StackOn("bedrock"), StackOn("bedrock-gravel"), StackOn("bedrock-sand")], print
    )
    for stack in ("bedrock", "bedrock-gravel"):
        image = prepared[StackOn(stack)]
        assert not isinstance(image, Unavailable)
        assert (image.name, image.config_digest, image.lock_sha256) == (None, None, None)
    missing = prepared[StackOn("bedrock-sand")]
    assert isinstance(missing, Unavailable)
    assert "sand" in missing.reason and "bedrock" not in missing.reason.replace(str(tmp_path), "")
    assert "bedrock" not in sys.modules


def test_a_trial_runs_under_this_interpreter_and_sees_what_prepare_saw(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "bedrock.py").touch()
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "elsewhere"))
    root = tmp_path / "clone"
    (root / "harness").mkdir(parents=True)
    (root / "harness" / "__init__.py").touch()  # without it a `harness` further along the path would win
    (tmp_path / "record.json").write_bytes(encode(answering(make_spec())))
    (root / "harness" / "__main__.py").write_text(
        "import sys, bedrock\nprint(sys.executable, file=sys.stderr)\n"
        f"print(open({str(tmp_path / 'record.json')!r}).read())\n"
    )
    lines: list[str] = []
    answer = SystemExecutor(root).run(make_spec(), lines.append)
    assert isinstance(answer, Record), lines
    assert lines == [sys.executable]
    assert (root / "build" / "cache" / "system").is_dir()


@pytest.mark.parametrize("name", ["Ann Müller's bench (1)", "a:b", "plain"])
def test_a_trial_meets_no_path_that_a_compiler_splits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    root = tmp_path / name
    (root / "harness").mkdir(parents=True)
    (root / "harness" / "__init__.py").touch()  # without it a `harness` further along the path would win
    (root / "temporary files").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(root / "temporary files"))
    (root / "record.json").write_bytes(encode(answering(make_spec())))
    (root / "harness" / "__main__.py").write_text(
        "import json, os, sys\n"
        "spec = json.load(sys.stdin)\n"
        "for path in (spec['cache_dir'], os.environ['TMPDIR'], os.environ['HOME'], os.path.dirname(__file__)):\n"
        "    print(path, file=sys.stderr)\n"
        f"print(open({str(root / 'record.json')!r}).read())\n",
        encoding="utf-8",
    )
    for cold in ("warm", "cold"):
        lines: list[str] = []
        spec = msgspec.structs.replace(make_spec(), cache_state=cold)
        assert isinstance(SystemExecutor(root).run(spec, lines.append), Record), lines
        assert len(lines) == 4
        for line in lines:
            assert re.fullmatch(r"[A-Za-z0-9/._+@=-]+", line)
    assert (root / "build" / "cache" / "system").is_dir()
