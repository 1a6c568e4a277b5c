"""What a suite may ask for: lists expand to all cases; what is out of bounds is one sentence with file and key."""

from __future__ import annotations

from pathlib import Path

import pytest

from framebench.campaign import suites
from framebench.errors import UserError
from harness import frameworks, workloads

SUITE = """
name = "mine"
title = "Mine"
rounds = 2
verdicts = true
timeout_s = 60
baseline = "torch-eager"
kinds = ["parity", "timing"]
contenders = ["torch-eager", "keras-jax-eager-loop"]

[protocol]
name = "mine"

[[case]]
workload = "mlp"
preset = "cpu"
tasks = ["train"]
batch = 32
"""


def read(folder: Path, old: str = "", new: str = "") -> suites.Suite:
    assert old in SUITE
    (folder / "suites").mkdir(exist_ok=True)
    (folder / "suites" / "mine.toml").write_text(SUITE.replace(old, new, 1))
    return suites.load(folder, "mine")


def test_lists_stand_for_every_case_there_is(tmp_path: Path) -> None:
    cases = read(
        tmp_path,
        "batch = 32",
        'batch = [16, 32]\nprecision = ["fp32", "bf16", "tf32"]\ndevice = "gpu"\ncount = [1, 2]',
    ).expand(2)
    assert len({case.path for case in cases}) == len(cases) == 2 * 3 * 2
    assert (
        cases[0].path == "mlp/cpu-train-b16-fp32-gpu1-c2"
        and cases[-1].path == "mlp/cpu-train-b32-tf32-gpu2-c2"
    )
    both = read(tmp_path, "batch = 32", 'batch = 32\ndevice = ["cpu", "gpu"]')
    assert both.devices() == ["cpu", "gpu"] and len(both.expand(1)) == 2


def test_a_row_says_who_takes_part_and_its_twin_too(tmp_path: Path) -> None:
    suite = read(tmp_path, "batch = 32", 'batch = 32\ncontenders = ["!*-loop"]')
    (case,) = suite.expand(2)
    eager, loop = suite.entrants()
    assert suite.admits(case, eager) and not suite.admits(case, loop)
    twin = suites.parse_contender("torch-eager")
    assert suite.admits(case, type(twin)(stack="torch", mode="eager", twin=True))


def test_a_row_may_follow_learning_for_longer_or_not_at_all(tmp_path: Path) -> None:
    suite = read(tmp_path, "batch = 32", "batch = 32\nlearning_epochs = 7")
    assert suite.protocol.learning_epochs == 0
    assert suite.protocol_of(suite.expand(2)[0]).learning_epochs == 7


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("batch = 32", "batch = 0", r"key case\[0\]\.batch: Expected `int` >= 1"),
        ("batch = 32", "batch = [32, 0]", r"key case\[0\]\.batch\[1\]: Expected `int` >= 1"),
        ("batch = 32", "batch = []", r"key case\[0\]\.batch: Expected `array` of length >= 1"),
        ("batch = 32", "batch = 100000", r"key case\[0\]\.batch: Expected `int` <= 65536"),
        ("batch = 32", "batch = 1438", r"key case\[0\]\.batch: mlp: batch 1438 is larger than .* 1437"),
        (
            "batch = 32",
            'batch = 32\nprecision = "fp8"',
            r"key case\[0\]\.precision: Invalid enum value 'fp8'",
        ),
        (
            "batch = 32",
            'batch = 32\nprecision = "tf32"',
            r"key case\[0\]\.precision: tf32 exists on GPUs only",
        ),
        (
            "batch = 32",
            "batch = 32\ncount = 3",
            r"key case\[0\]\.batch: 3 devices share a batch in equal parts",
        ),
        (
            'tasks = ["train"]\nbatch = 32',
            'tasks = ["train", "infer"]\nbatch = 32\ncount = [1, 2]',
            r"key case\[0\]\.count: several devices share training alone, found 2 for the task 'infer'",
        ),
        ("batch = 32", 'batch = 32\ndevice = "tpu"', r"key case\[0\]\.device: Invalid enum value 'tpu'"),
        (
            "batch = 32",
            'batch = 32\ncontenders = ["jax*"]',
            r"key case\[0\]\.contenders: no contender matches",
        ),
        (
            'tasks = ["train"]',
            'tasks = ["decode"]',
            r"key case\[0\]\.tasks: mlp has no task 'decode'; it has train",
        ),
        ('tasks = ["train"]', "tasks = []", r"key case\[0\]\.tasks: Expected `array` of length >= 1"),
        ('workload = "mlp"', 'workload = "mpl"', r"key case\[0\]\.workload: unknown 'mpl'; the nearest: mlp"),
        (
            'preset = "cpu"',
            'preset = "huge"',
            r"key case\[0\]\.preset: mlp has no preset 'huge'; it has smoke, cpu",
        ),
        ("batch = 32", "batch = [32, 16, 32]", r"key case\[0\]\.batch: 32 is listed twice; keep one"),
        ('tasks = ["train"]', 'tasks = ["train", "train"]', r"key case\[0\]\.tasks: 'train' is listed twice"),
        ("batch = 32", "batch = 32\ncount = [1, 1]", r"key case\[0\]\.count: 1 is listed twice"),
        (
            'contenders = ["torch-eager"',
            'contenders = ["torch-eager", "torch-eager"',
            r"key contenders: 'torch-eager' is listed twice",
        ),
        ('"timing"]', '"timing", "parity"]', r"key kinds: 'parity' is listed twice"),
        ("rounds = 2", "rounds = 0", r"key rounds: Expected `int` >= 1"),
        ("rounds = 2", "rounds = 21", r"key rounds: expected at most 20, found 21"),
        ('name = "mine"\ntitle', 'name = ""\ntitle', r"key name: expected at most 100 letters, .* found ''"),
        ('name = "mine"\ntitle', 'name = "a/b"\ntitle', r"key name: expected .* found 'a/b'"),
        ('name = "mine"\ntitle', 'name = "a\\u202eb"\ntitle', r"key name: expected .*"),
        ('name = "mine"\ntitle', f'name = "{"a" * 101}"\ntitle', r"key name: expected at most 100"),
        ('name = "mine"\n\n', 'name = "../mine"\n\n', r"key protocol.name: expected .* found '../mine'"),
        ('"Mine"', '" "', r"key title: expected one line"),
        ('"Mine"', '"a\\nb"', r"key title: expected one line"),
        (
            'name = "mine"\n\n',
            'name = "mine"\nlatency_steps = 50001\n\n',
            r"protocol.latency_steps: .* <= 50000",
        ),
        ('name = "mine"\n\n', 'name = "mine"\ncalibration_ms = 1e6\n\n', r"calibration_ms: .* <= 60000"),
        (
            'name = "mine"\n\n',
            'name = "mine"\nwarmup_max_blocks = 49\n\n',
            r"key protocol.warmup_max_blocks: 2 agreement\(s\) of windows of 20 blocks take 50 blocks, found 49",
        ),
        ("timeout_s = 60", "timeout_s = -1", r"key timeout_s: Expected `float` > 0"),
        (
            'name = "mine"\n\n',
            'name = "mine"\nmeasure_blocks = 2000\n\n',
            r"key protocol.measure_blocks: .*<= 1000",
        ),
        ('name = "mine"\n\n', 'name = "mine"\nwarmup_window = 1\n\n', r"key protocol.warmup_window: .*>= 2"),
        ('name = "mine"\n\n', 'name = "mine"\nblock_ms = 0.0\n\n', r"key protocol.block_ms: .*> 0"),
        (
            'name = "mine"\n\n',
            'name = "mine"\nmeasure_s = nan\n\n',
            r"key protocol.measure_s: Expected `float` >= 0.0",
        ),
        (
            'name = "mine"\n\n',
            'name = "mine"\nmeasure_s = 90.0\n\n',
            r"key protocol.measure_max_s: expected measure_s \(90\) or more, found 60",
        ),
        (
            'name = "mine"\n\n',
            'name = "mine"\nmeasure_blocks = 129\n\n',
            r"key protocol.measure_s: a record holds at most 128 blocks, .* at least 129, are more",
        ),
        (
            'name = "mine"\n\n',
            'name = "mine"\nblock_ms = 20.0\n\n',
            r"key protocol.measure_s: a record holds at most 128 blocks, and 3 s of blocks of 20 ms",
        ),
        (
            'name = "mine"\n\n',
            'name = "mine"\nobserver_blocks = 65\n\n',
            r"key protocol.observer_blocks: a record holds at most 64 with the sampler .* found 65",
        ),
        (
            'name = "mine"\n\n',
            'name = "mine"\nlearning_epochs = 129\n\n',
            r"key protocol.learning_epochs: a record holds at most 128 epochs' scores, found 129",
        ),
        (
            "batch = 32",
            "batch = 32\nlearning_epochs = 129",
            r"key case\[0\]\.learning_epochs: a record holds at most 128 epochs' scores, found 129",
        ),
        (
            '"torch-eager", "keras',
            '"torch-eager", "torch-eager-fast", "keras',
            r"key contenders: .*no variant 'fast'",
        ),
        (
            '"torch-eager", "keras',
            '"torch-eager", "mxnet-eager", "keras',
            r"key contenders: 'mxnet-eager' is not",
        ),
        ('baseline = "torch-eager"', 'baseline = "torch-compiled"', r"key baseline: .*not among"),
        (
            "batch = 32",
            'batch = 32\n[[case]]\nworkload = "mlp"\npreset = "cpu"\ntasks = ["train"]\nbatch = 32',
            "keep",
        ),
    ],
)
def test_out_of_bounds_is_one_sentence(tmp_path: Path, old: str, new: str, says: str) -> None:
    read(tmp_path)
    with pytest.raises(UserError, match=says) as error:
        read(tmp_path, old, new)
    assert "suites/mine.toml" in str(error.value) and "\n" not in str(error.value)


def test_a_precision_that_the_workload_does_not_declare_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = workloads.get("mlp")
    poorer = type(spec)(**{**vars(spec), "precisions": ("fp32",)})
    monkeypatch.setattr(workloads, "get", lambda name: poorer)
    with pytest.raises(UserError, match=r"precision: mlp does not declare 'bf16'; it declares fp32"):
        read(tmp_path, "batch = 32", 'batch = 32\nprecision = "bf16"')


def test_a_broken_workload_or_framework_does_not_stop_the_suite(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workloads, "broken", lambda: {"mlp": "SyntaxError: no"})
    assert len(read(tmp_path, 'preset = "cpu"', 'preset = "gone"').expand(2)) == 1
    monkeypatch.setattr(frameworks, "broken", lambda: {"keras": "ImportError: no"})
    sound = {name: info for name, info in frameworks.stacks().items() if info.framework != "keras"}
    monkeypatch.setattr(frameworks, "stacks", lambda: sound)
    assert [entrant.slug for entrant in read(tmp_path).entrants()] == ["torch-eager"]


def test_a_protocol_of_ours_is_borrowed_with_all_its_values_or_not_at_all(tmp_path: Path) -> None:
    """Results of other values would go by the same name."""
    root, own = Path(__file__).parents[2], tmp_path / "own.toml"
    ours = (root / "suites" / "smoke.toml").read_text()
    own.write_text(ours)
    assert suites.load(root, str(own)).protocol.name == "smoke"
    own.write_text(ours.replace("calibration_ms = 100.0", "calibration_ms = 50.0"))
    with pytest.raises(
        UserError, match=r"own\.toml: key protocol.name: 'smoke' is a protocol of framebench's own"
    ):
        suites.load(root, str(own))


def test_a_byte_order_mark_is_read_over(tmp_path: Path) -> None:
    read(tmp_path)
    path = tmp_path / "suites" / "mine.toml"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert suites.load(tmp_path, "mine").rounds == 2
