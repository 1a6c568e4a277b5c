"""Framework files: discovery without importing a framework, environment, and refusals that need none."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from harness import frameworks
from harness.frameworks import Unsupported
from harness.frameworks.exported import source_of
from harness.frameworks.library import base_of
from harness.frameworks.tensorflow.stack import traces
from harness.frameworks.torch.stack import mkl_threads, require_cpp_compiler
from harness.record import Contender

STACKS = frameworks.stacks().keys() - {frameworks.SELF_TEST}


def test_no_framework_is_broken_and_each_stack_is_whole() -> None:
    assert frameworks.broken() == {}
    for name, info in frameworks.stacks().items():
        assert info.name == name and info.modules
        mode, variant = info.plainest
        assert variant in info.modes[mode]
        frameworks.refuse_unknown(Contender(stack=name, mode=mode, variant=variant))


@pytest.mark.parametrize("stack", sorted(STACKS))
def test_an_unknown_variant_or_mode_is_refused_by_name(stack: str) -> None:
    mode = frameworks.info(stack).plainest[0]
    with pytest.raises(Unsupported, match="has no variant 'chanels-lats'") as refusal:
        frameworks.refuse_unknown(Contender(stack=stack, mode=mode, variant="chanels-lats"))
    assert (refusal.value.mend or "").startswith("it has ")


def test_discovery_imports_no_framework() -> None:
    code = (
        "import sys; from harness import frameworks; frameworks.stacks(); "
        "print(sorted({'torch', 'tensorflow', 'keras', 'jax'} & set(sys.modules)))"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"


def test_a_broken_file_is_named_and_stops_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "wrecked").mkdir()
    (tmp_path / "wrecked" / "__init__.py").write_text("import a_module_that_does_not_exist\n")
    monkeypatch.setattr(frameworks, "__path__", [*frameworks.__path__, str(tmp_path)])
    assert frameworks.broken() == {
        "wrecked": "ModuleNotFoundError: No module named 'a_module_that_does_not_exist'"
    }
    assert frameworks.stacks().keys() == STACKS | {frameworks.SELF_TEST}


@pytest.mark.parametrize("stack", sorted(STACKS))
def test_environment_sets_threads_and_caches(stack: str) -> None:
    variables = frameworks.environment(stack, 3, "/cache")
    # what is exported reads what the framework that exports does, a library what the one does that it is for
    stack = base_of(source_of(frameworks.info(stack))).name
    assert variables["CUDA_CACHE_PATH"] == "/cache/cuda"
    assert variables["OMP_NUM_THREADS"] == variables["MKL_NUM_THREADS"] == "3"
    expected = {
        "torch": {"TORCHINDUCTOR_CACHE_DIR": "/cache/inductor"},
        "tensorflow": {"NPROC": "3"},
        "jax": {"JAX_COMPILATION_CACHE_DIR": "/cache/jax", "NPROC": "3"},
    }[stack.removeprefix("keras-")]
    assert variables.items() >= expected.items()
    if stack.startswith("keras-"):
        assert variables["KERAS_BACKEND"] == stack.removeprefix("keras-")
        assert variables["KERAS_HOME"] == "/cache/keras"
    assert not any("/cache" in value for value in frameworks.environment(stack, 3, None).values())


class Traced:
    """What is asked of a ``tf.function``."""

    def __init__(self, count: int) -> None:
        self.count = count

    def experimental_get_tracing_count(self) -> int:
        return self.count


def test_traces_inside_keras_train_function_are_found() -> None:
    """Keras wraps two ``tf.function`` in plain functions; each counts once, however often it is referred to."""
    inner, outer = Traced(2), Traced(1)

    def one_step(data: object) -> object:
        return inner, data

    def function(iterator: object) -> object:
        return outer, one_step(iterator), inner

    assert traces(inner) == 2
    assert traces(function) == 3
    assert traces(lambda iterator: iterator) is None  # unknown, and not nought


def test_mkl_inside_pytorch_is_read_from_its_own_words() -> None:
    said = (
        "ATen/Parallel:\n\tat::get_num_threads() : 2\n\tmkl_get_max_threads() : 3\nIntel(R) MKL-DNN v3.12.0\n"
    )
    assert mkl_threads(said) == 3
    assert mkl_threads("ATen/Parallel:\n\tat::get_num_threads() : 2\n") is None


def test_unknown_stack_names_the_known_ones() -> None:
    with pytest.raises(Unsupported) as refusal:
        frameworks.load("theano")
    assert refusal.value.mend == f"known stacks: {', '.join(sorted(frameworks.stacks()))}"


def test_no_cpp_compiler_is_unsupported_with_a_mend(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)
    with pytest.raises(Unsupported) as refusal:
        require_cpp_compiler()
    assert refusal.value.reason == "no C++ compiler"
    assert "g++" in (refusal.value.mend or "")
    compiler = tmp_path / "g++"
    compiler.write_text("#!/bin/sh\n")
    compiler.chmod(0o755)
    require_cpp_compiler()


def test_cache_on_a_noexec_mount_is_unsupported(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    compiler = tmp_path / "g++"
    compiler.write_text("#!/bin/sh\n")
    compiler.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / "not" / "made" / "yet"))
    asked = []

    def statvfs(path: Path) -> SimpleNamespace:
        asked.append(path)
        return SimpleNamespace(f_flag=os.ST_NOEXEC)

    monkeypatch.setattr(os, "statvfs", statvfs)
    with pytest.raises(Unsupported, match="noexec"):
        require_cpp_compiler()
    assert asked == [tmp_path]  # the nearest folder that exists


class Refused(RuntimeError):
    """Dynamo's, by name."""


Refused.__module__, Refused.__qualname__ = "torch._dynamo.exc", "Unsupported"


def test_a_compilers_refusal_is_unsupported_in_its_own_words_and_no_other_error_is() -> None:
    compiled = Contender(stack="torch", mode="compiled")
    said = "Attempted to wrap RNN\n  Explanation: Dynamo does not support it.\n\n  Hint: " + "x" * 5000
    refused = frameworks.refusal(compiled, Refused(said))
    assert refused is not None
    assert refused.reason.endswith("Attempted to wrap RNN. Explanation: Dynamo does not support it.")
    assert len(frameworks.refusal(compiled, Refused("x" * 5000)).reason) < 400  # type: ignore[union-attr]
    assert frameworks.refusal(compiled, RuntimeError(said)) is None
    assert frameworks.refusal(Contender(stack="jax", mode="compiled"), Refused(said)) is None
    # a type that says nothing by itself is a refusal with the compiler's words alone
    jitted = Contender(stack="jax", mode="compiled")
    assert frameworks.refusal(jitted, TypeError("dot_general requires the same shape")) is None
    traced = TypeError(
        "Shapes must be 1D sequences of concrete values of integer type, got (JitTracer(int32[]),)."
    )
    assert frameworks.refusal(jitted, traced) is not None
