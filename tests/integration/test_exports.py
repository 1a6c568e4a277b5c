"""What is exported is run: at a batch that was never traced, with the weights that were loaded last."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness import frameworks, workloads
from harness.frameworks import Unsupported
from harness.gate.check import make_job
from harness.record import Case, Contender
from tests.requirement import require

pytestmark = pytest.mark.frameworks
STACK = "onnxruntime-torch"
BATCH = 4


@pytest.fixture(scope="module")
def stack() -> Any:
    absent = [one for one in frameworks.info(STACK).modules if importlib.util.find_spec(one) is None]
    require("frameworks", not absent, f"not installed here: {', '.join(absent)}")
    made = frameworks.load(STACK)
    made.configure(_case("mlp"), Contender(stack=STACK, mode="compiled"), 0)
    return made


def _case(workload: str, task: Any = "infer") -> Case:
    return Case(workload=workload, preset="smoke", task=task, batch=BATCH, cores=1)


@pytest.fixture
def built(stack: Any) -> Callable[..., Any]:
    def build(workload: str = "mlp") -> Any:
        preset = workloads.get(workload).presets["smoke"]
        job = make_job(_case(workload), Contender(stack=STACK, mode="compiled"), preset, BATCH, "fp32")
        return frameworks.build(job, stack)

    return build


def test_the_file_takes_another_batch_than_was_traced_and_says_what_it_is(
    built: Callable[..., Any], stack: Any
) -> None:
    driver = built("convstack")
    found = driver.outputs(driver.run(1))["logits"]
    assert found.shape == (BATCH, 10) and driver.steps_done() == 1
    facts = stack.compile_facts()
    assert facts["traced_batch"] != BATCH
    assert facts["exporter"] == "torch.onnx.export"
    weights = sum(array.nbytes for array in driver.job.weights.values())
    assert weights < facts["file_bytes"] < 2 * weights + 100_000


def test_a_file_that_runs_at_the_traced_batch_alone_is_refused_with_the_runtimes_words(
    built: Callable[..., Any], stack: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    export = torch.onnx.export
    monkeypatch.setattr(torch.onnx, "export", lambda *a, **k: export(*a, **{**k, "dynamic_shapes": None}))
    driver = built()
    with pytest.raises(Unsupported, match=r"ONNX Runtime does not run what torch\.onnx\.export wrote: .*dim"):
        driver.run(1)


def test_an_exporters_refusal_is_said_in_its_words(
    built: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    from harness.frameworks.onnxruntime import from_torch

    class Strange(torch.nn.Module):
        def forward(self, *inputs: Any) -> Any:
            return torch.linalg.eigvals(inputs[0]).real

    monkeypatch.setattr(from_torch, "module", lambda driver: Strange())
    with pytest.raises(Unsupported, match=r"torch\.onnx\.export does not take this model: .*eig"):
        built()


def test_weights_that_are_loaded_anew_are_exported_anew(built: Callable[..., Any]) -> None:
    driver = built()
    before = driver.outputs(driver.run(1))["logits"]
    session = driver.session
    driver.reset(driver.job.weights)
    assert driver.session is session  # the same weights are in the file
    changed = {name: array * np.float32(0.5) for name, array in driver.job.weights.items()}
    driver.reset(changed)
    after = driver.outputs(driver.run(1))["logits"]
    driver.source.reset(changed)
    native = driver.source.outputs(driver.source.run(1))["logits"]
    assert np.abs(after - native).max() < 1e-5 < np.abs(after - before).max()


@pytest.fixture(scope="module")
def libtorch() -> Any:
    require("gcc", shutil.which("g++") is not None, "no C++ compiler")
    require("frameworks", importlib.util.find_spec("torch") is not None, "torch is not installed")
    made = frameworks.load("libtorch")
    made.configure(_case("mlp"), Contender(stack="libtorch", mode="compiled", variant="torchscript"), 0)
    return made


def in_cpp(stack: Any, workload: str, variant: str = "torchscript") -> Any:
    stack.variant = variant
    contender = Contender(stack="libtorch", mode="compiled", variant=variant)
    preset = workloads.get(workload).presets["smoke"]
    return frameworks.build(make_job(_case(workload), contender, preset, BATCH, "fp32"), stack)


@pytest.mark.parametrize(
    ("workload", "variant"), [("mlp", "aotinductor"), ("lstm", "torchscript"), ("convstack", "torchscript")]
)
def test_cpp_gives_what_pytorch_gives_and_the_program_the_same_bits(
    libtorch: Any, workload: str, variant: str
) -> None:
    driver = in_cpp(libtorch, workload, variant)
    driver.run(3)
    (name,) = driver.job.work.outputs
    found = driver.outputs(driver.run(2))[name]  # the fifth step
    assert driver.steps_done() == 5
    native = driver.source.outputs(driver.source.run(5))[name]
    assert found.shape == native.shape and np.abs(found - native).max() < 1e-5
    batch = driver.stream.batches[4 % len(driver.stream.batches)]
    assert np.array_equal(driver.program(batch)[name], found)
    assert libtorch.compile_facts()["traced_batch"] == BATCH + 1


def test_other_weights_are_another_file_with_the_same_batches(libtorch: Any) -> None:
    driver = in_cpp(libtorch, "mlp")
    driver.run(1)
    changed = {name: array * np.float32(0.5) for name, array in driver.job.weights.items()}
    driver.reset(changed)
    found = driver.outputs(driver.run(2))["logits"]
    native = driver.source.outputs(driver.source.run(2))["logits"]
    assert np.abs(found - native).max() < 1e-6


def test_a_program_that_gives_other_bits_stops_the_trial(
    libtorch: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver = in_cpp(libtorch, "mlp")
    honest = driver.program
    off = lambda inputs: {name: array + np.float32(1e-6) for name, array in honest(inputs).items()}  # noqa: E731
    monkeypatch.setattr(driver, "program", off)
    with pytest.raises(RuntimeError, match=r"the C\+\+ program gives other logits"):
        driver.reset({name: array * np.float32(0.5) for name, array in driver.job.weights.items()})


def test_the_program_is_never_run_under_the_clock(libtorch: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    driver = in_cpp(libtorch, "mlp")
    monkeypatch.setattr(driver, "program", None)
    driver.reset(driver.job.weights)
    driver.run(2)
    assert driver.steps_done() == 2


def test_the_program_says_what_it_cannot_do(libtorch: Any, tmp_path: Path) -> None:
    program = str(libtorch.binaries / "program")
    (tmp_path / "short").write_bytes(b"1234")
    driver = in_cpp(libtorch, "mlp")
    for given, said in (
        ([], "PACKAGE OUT THREADS INPUT... are needed"),
        ([str(tmp_path / "none.pt2"), "o", "1", f"f32:4x8x8:{tmp_path / 'short'}"], "open"),
        ([str(driver.path), "o", "1", f"f32:4x8x8:{tmp_path / 'short'}"], "short does not hold 4x8x8 values"),
        (
            [str(driver.path), "o", "1", f"f16:1x1:{tmp_path / 'short'}"],
            "is not f32:SHAPE:FILE or i64:SHAPE:FILE",
        ),
    ):
        done = subprocess.run([program, *given], capture_output=True, text=True, check=False)
        assert done.returncode == 2
        assert done.stderr.startswith("program: ") and said in done.stderr and done.stderr.count("\n") == 1


def test_the_program_hands_on_what_libtorch_says(libtorch: Any, tmp_path: Path) -> None:
    (tmp_path / "one").write_bytes(np.float32(1).tobytes())
    driver = in_cpp(libtorch, "mlp")  # whose folder holds the file
    command = [str(libtorch.binaries / "program"), str(driver.path), "o", "1"]
    given = f"f32:1x1:{tmp_path / 'one'}"
    done = subprocess.run([*command, given], capture_output=True, text=True, check=False)
    assert done.returncode == 2 and done.stderr.startswith("program: ")
    assert "cannot be multiplied" in done.stderr


def test_the_library_says_what_it_cannot_do(libtorch: Any) -> None:
    driver = in_cpp(libtorch, "mlp")
    driver.library.package_clear(driver.package)
    with pytest.raises(
        Unsupported, match=r"libtorch does not run what torch\.jit\.trace wrote: no batch was given"
    ):
        driver.run(1)


@pytest.mark.parametrize("module", ["onnxscript", "onnxruntime"])
def test_an_exporter_or_a_runtime_that_is_not_installed_is_named_with_the_mend(module: str) -> None:
    require("frameworks", importlib.util.find_spec("torch") is not None, "torch is not installed")
    code = (
        f"import sys; sys.modules[{module!r}] = None\n"
        "from harness import frameworks\n"
        f"try: frameworks.load({STACK!r})\n"
        "except frameworks.Unsupported as refused: print(refused.reason, '-', refused.mend)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.startswith(f"{module} is not installed in this interpreter - run it in its image"), (
        done.stderr
    )


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        (
            'in user code:\n  File "a.py", line 3, in f\n    x\n\n    TypeError: Expected int32\n',
            "TypeError: Expected int32",
        ),
        ("\x1b[1mfirst\x1b[0m\n\nsecond\nthird", "first second"),
        (
            "The following operation failed.\nTraceback of TorchScript (most recent call last):\n  a\n"
            "RuntimeError: The size of tensor a (3) must match\n",
            "RuntimeError: The size of tensor a (3) must match",
        ),
        ("", "ValueError"),
        (f"{'long ' * 70}", f"{'long ' * 59}long …"),
    ],
)
def test_an_error_is_said_in_one_line(said: str, shown: str) -> None:
    from harness.frameworks.export_driver import words

    error = RuntimeError("an advice to its developers")
    error.__cause__ = ValueError(said)
    assert words(error) == shown


@pytest.mark.parametrize("descending", [True, False])
def test_of_equal_values_the_lower_index_comes_first_as_a_stable_sort_has_it(
    stack: Any, descending: bool
) -> None:
    import onnxruntime
    import torch

    from harness.frameworks.onnxruntime.from_torch import sort

    class Sorts(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> Any:
            return x.sort(dim=-1, descending=descending, stable=True)

    x = torch.randint(0, 3, (5, 40), generator=torch.Generator().manual_seed(1)).float()
    program = torch.onnx.export(
        Sorts(), (x[:3],), dynamo=True, custom_translation_table={torch.ops.aten.sort.stable: sort},
        dynamic_shapes=({0: torch.export.Dim.DYNAMIC},), verbose=False,
    )  # fmt: skip
    assert program is not None
    session = onnxruntime.InferenceSession(program.model_proto.SerializeToString())
    values, indices = session.run(None, {session.get_inputs()[0].name: x.numpy()})
    expected = x.sort(dim=-1, descending=descending, stable=True)
    assert np.array_equal(values, expected.values) and np.array_equal(indices, expected.indices)


def test_training_is_refused_and_other_precisions(stack: Any) -> None:
    contender = Contender(stack=STACK, mode="compiled")
    preset = workloads.get("mlp").presets["smoke"]
    with pytest.raises(Unsupported, match="does not train"):
        make_job(_case("mlp", "train"), contender, preset, BATCH, "fp32")
    wide = make_job(_case("mlp"), contender, preset, BATCH, "fp64")
    with pytest.raises(Unsupported, match="exported in fp32, not fp64"):
        frameworks.build(wide, stack)


# --- LiteRT and StableHLO: in a process of their own, beside PyTorch in this one they would share its threads --------


def told(name: str, workload: str, code: str, task: str = "infer", variant: str = "") -> str:
    """What code prints that is given the stack's ``job`` at the smoke size."""
    absent = [one for one in frameworks.info(name).modules if importlib.util.find_spec(one) is None]
    require("frameworks", not absent, f"not installed here: {', '.join(absent)}")
    made = (
        "import numpy as np\n"
        "from harness import frameworks, workloads\n"
        "from harness.gate.check import make_job\n"
        "from harness.record import Case, Contender\n"
        f"case = Case(workload={workload!r}, preset='smoke', task={task!r}, batch={BATCH}, cores=1)\n"
        f"contender = Contender(stack={name!r}, mode='compiled', variant={variant!r})\n"
        f"stack = frameworks.load({name!r})\n"
        "stack.configure(case, contender, 0)\n"
        f"preset = workloads.get({workload!r}).presets['smoke']\n"
        f"job = make_job(case, contender, preset, {BATCH}, 'fp32')\n"
    )
    own = os.environ | frameworks.environment(name, 1, None)  # which backend of Keras, among others
    command = [sys.executable, "-c", made + code]
    done = subprocess.run(command, env=own, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@pytest.mark.parametrize("name", ["litert-tensorflow", "stablehlo-jax", "stablehlo-keras-jax"])
def test_weights_loaded_anew_are_in_another_file(name: str) -> None:
    code = (
        "driver = frameworks.build(job, stack)\n"
        "before = driver.outputs(driver.run(1))['logits']\n"
        "changed = {name: array * np.float32(0.5) for name, array in job.weights.items()}\n"
        "driver.reset(changed)\n"
        "after = driver.outputs(driver.run(1))['logits']\n"
        "native = driver.source.outputs(driver.source.run(1))['logits']\n"
        "print(after.shape, np.abs(after - native).max() < 1e-5 < np.abs(after - before).max())\n"
        "print(stack.compile_facts()['file_bytes'] > sum(array.nbytes for array in job.weights.values()))\n"
    )
    assert told(name, "mlp", code).split("\n")[:2] == [f"({BATCH}, 10) True", "True"]


def test_a_process_that_gives_other_bits_stops_the_trial() -> None:
    code = (
        "driver = frameworks.build(job, stack)\n"
        "honest = driver.program\n"
        "driver.program = lambda inputs: [array + np.float32(1e-6) for array in honest(inputs)]\n"
        "try: driver.reset({name: array * np.float32(0.5) for name, array in job.weights.items()})\n"
        "except RuntimeError as error: print(error)\n"
    )
    assert told("stablehlo-jax", "mlp", code) == "a process of its own gives other logits of the same file\n"


def test_a_file_that_needs_tensorflows_operations_is_refused_in_litert_words() -> None:
    code = (
        "try: frameworks.build(job, stack).run(1)\n"
        "except frameworks.Unsupported as refused: print(refused.reason)\n"
    )
    said = told("litert-keras-tensorflow", "lstm", code)
    assert said.startswith(
        'LiteRT does not run what Model.export(format="litert") wrote: Select TensorFlow op(s)'
    )


@pytest.mark.parametrize(
    ("name", "variant", "task"),
    [
        ("onnxruntime-torch", "", "prefill"),
        ("onnxruntime-torch", "", "decode"),
        ("onnxruntime-jax", "", "decode"),
        ("stablehlo-jax", "", "prefill"),
        ("stablehlo-jax", "", "decode"),
        ("libtorch", "torchscript", "prefill"),
        ("libtorch", "torchscript", "decode"),
    ],
)
def test_generation_hands_its_cache_from_step_to_step_and_starts_anew(
    name: str, variant: str, task: str
) -> None:
    if name == "libtorch":
        require("gcc", shutil.which("g++") is not None, "no C++ compiler")
    code = (
        "driver = frameworks.build(job, stack)\n"
        "native = driver.source\n"
        "expected = [native.outputs(native.run(1))['logits'] for _ in range(5)]\n"
        "found = [driver.outputs(driver.run(1))['logits'] for _ in range(5)]\n"
        "driver.reset(job.weights)\n"
        "again = driver.outputs(driver.run(5))['logits']\n"
        "print(max(np.abs(a - b).max() for a, b in zip(expected, found)) < 1e-5, np.array_equal(again, found[-1]))\n"
        "print(not np.array_equal(found[0], found[1]), driver.steps_done())\n"
    )
    assert told(name, "gpt", code, task, variant).split("\n")[:2] == ["True True", "True 5"]


@pytest.mark.parametrize(
    "name",
    [
        *("onnxruntime-torch", "onnxruntime-tensorflow", "onnxruntime-jax"),
        *("stablehlo-jax", "stablehlo-keras-jax", "litert-tensorflow"),
    ],
)
def test_a_sequence_is_run_at_two_lengths(name: str) -> None:
    assert of_two_lengths(name, "lstm", "infer", "tokens") == ["16 True", "13 True"]


def test_an_lstm_is_exported_with_its_length_open_more_than_once_in_a_process(libtorch: Any) -> None:
    driver = in_cpp(libtorch, "lstm", "aotinductor")
    tokens = driver.job.batches["tokens"]
    for factor, shorter in ((1.0, 0), (0.5, 3)):
        driver.reset({name: array * np.float32(factor) for name, array in driver.job.weights.items()})
        batches = {"tokens": tokens[:, :, shorter:]}
        driver.feed(batches)
        driver.source.feed(batches)
        found = driver.outputs(driver.run(1))["logits"]
        native = driver.source.outputs(driver.source.run(1))["logits"]
        assert np.abs(found - native).max() < 1e-5


@pytest.mark.parametrize("name", ["onnxruntime-torch", "stablehlo-jax"])
def test_a_prompt_is_read_at_two_lengths(name: str) -> None:
    assert of_two_lengths(name, "gpt", "prefill", "prompt") == ["32 True", "29 True"]


def of_two_lengths(name: str, workload: str, task: str, given: str) -> list[str]:
    """The lengths of what one file was given, and whether its logits were the source's."""
    code = (
        "driver = frameworks.build(job, stack)\n"
        f"whole = job.batches[{given!r}]\n"
        "for tokens in (whole, whole[:, :, :-3]):\n"
        f"    driver.feed({{{given!r}: tokens}})\n"
        f"    driver.source.feed({{{given!r}: tokens}})\n"
        "    found = driver.outputs(driver.run(1))['logits']\n"
        "    native = driver.source.outputs(driver.source.run(1))['logits']\n"
        "    print(tokens.shape[-1], np.abs(found - native).max() < 1e-5)\n"
    )
    return told(name, workload, code, task).split("\n")[:2]


def test_a_length_that_cannot_be_left_open_is_refused_with_the_exporters_words() -> None:
    code = (
        "try: frameworks.build(job, stack)\nexcept frameworks.Unsupported as refused: print(refused.reason)\n"
    )
    said = told("onnxruntime-jax", "gpt", code, "prefill")
    assert (
        said.startswith("jax2onnx does not take this model: ") and "'prompt' <= '64' is inconclusive" in said
    )


def test_a_framework_that_keeps_its_cache_in_variables_does_not_export_it() -> None:
    preset = workloads.get("gpt").presets["smoke"]
    contender = Contender(stack="onnxruntime-tensorflow", mode="compiled")
    with pytest.raises(Unsupported, match="not the cache that decode changes"):
        make_job(_case("gpt", "decode"), contender, preset, BATCH, "fp32")


def test_weights_that_an_exporter_laid_beside_its_file_come_along(stack: Any, tmp_path: Path) -> None:
    """As Keras' exporter does with those of a large model; in a process of its own, which chooses Keras' backend."""
    code = """
import sys
from pathlib import Path
import numpy as np, onnx, onnxruntime
from onnx import TensorProto, helper, numpy_helper
from harness.frameworks.onnxruntime.from_keras import whole

folder = Path(sys.argv[1])
weights = np.arange(4096, dtype=np.float32).reshape(64, 64)
a, b = (helper.make_tensor_value_info(name, TensorProto.FLOAT, ("n", 64)) for name in ("a", "b"))
graph = helper.make_graph(
    [helper.make_node("MatMul", ["a", "w"], ["b"])], "g", [a], [b], [numpy_helper.from_array(weights, "w")]
)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
onnx.save(model, folder / "m.onnx", save_as_external_data=True, location="m.onnx.data", size_threshold=0)
assert (folder / "m.onnx").stat().st_size < weights.nbytes < (folder / "m.onnx.data").stat().st_size + 1
written = whole(folder / "m.onnx")
(folder / "m.onnx.data").unlink()
session = onnxruntime.InferenceSession(written, providers=["CPUExecutionProvider"])
(product,) = session.run(None, {"a": np.eye(64, dtype=np.float32)})
assert (product == weights).all()
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)],
        env={**os.environ, "KERAS_BACKEND": "torch", "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
