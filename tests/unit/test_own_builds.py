"""Somebody's own wheel in place of a locked one: what is refused, what it changes, and that it is never published."""

from __future__ import annotations

import io
import subprocess
from pathlib import Path

import msgspec
import pytest
from rich.console import Console

from framebench import cli, dataset
from framebench.commands import compare, show
from framebench.commands.reproduce import run as reproduce
from framebench.errors import UserError
from framebench.executors import StackOn, Unavailable
from framebench.executors.choose import choose
from framebench.executors.rows import Rows
from framebench.executors.venv import VenvExecutor
from framebench.images import (
    ImageRow,
    Matrix,
    load_matrix,
    lock_path,
    lock_sha256,
    own_builds,
    plain_name,
    with_own,
)
from framebench.images import read_wheels as read
from framebench.images import refuse_unfit as refuse
from framebench.images.fetch.wheels import store_wheel
from framebench.images.make.local import local_tag
from framebench.images.ship.redistribution import publishable
from framebench.pages import result
from framebench.pages.evidence import gather
from framebench.records import identity, store
from framebench.records.versions import encode_spec
from harness.flags import OWN_BUILD
from harness.manifest import first_difference
from harness.record import OwnBuild, Record
from tests.record_factory import CONTENDERS, make_record, make_trials, sha
from tests.unit.test_executor_process import make_spec
from tests.unit.test_executor_venv import PYTHON, ROW, lock, make_wheel

ROOT = Path(__file__).resolve().parents[2]
TAG = f"cp{PYTHON.replace('.', '')}"
BUILD = OwnBuild(
    distribution="torch", version="2.13.0+mine", file="torch-2.13.0+mine-x.whl", sha256=sha("wheel")
)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A clone whose lock names pebble 1.0, which is in the store."""
    wheel = make_wheel(tmp_path / "wheels", "shape = 'round'\n")
    lock(tmp_path, wheel)
    store_wheel(tmp_path, wheel, lock_path(tmp_path, ROW).read_text().split("sha256:")[1][:64])
    return tmp_path


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    return make_wheel(tmp_path / "mine", "shape = 'flat'\n", "1.0+mine")


# --- what is refused ------------------------------------------------------------------------------


def test_a_file_that_is_no_wheel_is_refused_in_one_sentence(tmp_path: Path, mine: Path) -> None:
    for name, says in [
        ("pebble.whl", "keep the name that the build gave it"),
        ("pebble-1.0-py3-none-any.zip", "keep the name that the build gave it"),
        ("pebble-2.0-py3-none-any.whl", r"holds pebble 1\.0\+mine, and its name says pebble 2\.0"),
    ]:
        (tmp_path / name).write_bytes(mine.read_bytes())
        with pytest.raises(UserError, match=says):
            read([tmp_path / name])
    (tmp_path / "pebble-3.0-py3-none-any.whl").write_text("half a file")
    with pytest.raises(UserError, match="is no whole wheel; build or copy it again"):
        read([tmp_path / "pebble-3.0-py3-none-any.whl"])


def test_two_wheels_of_one_package_are_refused_and_one_named_twice_is_one(root: Path, mine: Path) -> None:
    other = make_wheel(root / "other", "shape = 'sharp'\n", "1.0+other")
    with pytest.raises(UserError, match="are both of pebble"):
        read([mine, other])
    assert len(read([mine, mine])) == 1


def test_a_wheel_has_to_be_of_a_package_in_the_lock(root: Path, mine: Path) -> None:
    row = load_matrix(ROOT).find("torch-cpu")
    with pytest.raises(UserError, match=r"is of pebble, which no lock of these images names: torch-cpu"):
        refuse(ROOT, [row], read([mine]))
    assert with_own(ROOT, row, read([mine])) is None
    with pytest.raises(UserError, match="is of pebble, which no lock of these images names: jax-cpu"):
        choose(ROOT, "venv", print, ["jax-cpu"], own_wheels=read([mine]))


@pytest.mark.parametrize("tag", ["cp27-cp27m-manylinux2014_x86_64", f"{TAG}-{TAG}-win_amd64"])
def test_a_wheel_for_another_python_or_platform_is_refused(root: Path, tag: str) -> None:
    wheel = make_wheel(root / "mine", "", "1.0+mine", tag)
    with pytest.raises(UserError, match=rf"that has Python {PYTHON} on Linux.*the wheel is for {tag}"):
        refuse(root, [ROW], read([wheel]))


@pytest.mark.parametrize(
    "tag", ["py3-none-any", f"{TAG}-{TAG}-linux_x86_64", f"{TAG}-abi3-manylinux_2_28_x86_64"]
)
def test_a_build_that_nobody_made_portable_is_taken_too(root: Path, tag: str) -> None:
    refuse(root, [ROW], read([make_wheel(root / "mine", "", "1.0+mine", tag)]))


def test_the_system_executor_has_no_image_to_put_it_in(root: Path, mine: Path) -> None:
    lock(root, make_wheel(root / "again", ""))
    rows = Matrix([ROW])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("framebench.executors.choose.load_matrix", lambda root: rows)
        with pytest.raises(UserError, match="use docker or venv, or install the wheel here"):
            choose(root, "system", print, own_wheels=read([mine]))


# --- what it changes ------------------------------------------------------------------------------


def test_the_lock_has_one_other_line_and_nothing_else_is_touched(root: Path, mine: Path) -> None:
    before = lock_path(root, ROW).read_text()
    row = with_own(root, ROW, read([mine]))
    assert row is not None
    assert plain_name(row.name) == ROW.name == plain_name(ROW.name)
    assert lock_path(root, ROW).read_text() == before
    (build,) = own_builds(row)
    assert lock_path(root, row).read_text() == (
        f"pebble==1.0+mine --hash=sha256:{build.sha256}  # {mine.stat().st_size} bytes\n"
    )
    assert lock_sha256(root, row) != lock_sha256(root, ROW)
    assert (build.file, build.version) == (mine.name, "1.0+mine")
    assert row.name == f"torch-1-own-{build.sha256[:8]}-cpu-py{PYTHON.replace('.', '')}"
    assert row.alias == row.name != ROW.alias  # the engine's tag `latest` stays the plain image's
    assert local_tag(row, "sha256:" + "0" * 64).startswith(f"framebench/{row.name}:")
    assert own_builds(ROW) == ()


def test_an_environment_of_its_own_has_the_wheel_and_its_lock_says_so(root: Path, mine: Path) -> None:
    executor = VenvExecutor(root)
    row = with_own(root, ROW, read([mine]))
    assert row is not None
    image, plain = executor.prepare_row(row, print), executor.prepare_row(ROW, print)
    assert image.own_builds == own_builds(row) and plain.own_builds == ()
    for one, expected in [(row, ("flat", "1.0+mine")), (ROW, ("round", "1.0"))]:
        python = executor.interpreter(one.name)
        ask = "import pebble, importlib.metadata as m; print(pebble.shape, m.version('pebble'))"
        said = subprocess.run([python, "-c", ask], capture_output=True, text=True, check=True)
        assert tuple(said.stdout.split()) == expected
        installed = [("pebble", expected[1])]
        assert first_difference(installed, [], str(python.parents[1] / "lock.txt")) is None


def test_only_images_with_a_place_for_it_take_part(
    root: Path, mine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = msgspec.structs.replace(
        ROW, name=ROW.name.replace("torch", "jax"), stack="jax", packages=["sand==1.0"]
    )
    lock_path(root, other).write_text(f"sand==1.0 --hash=sha256:{'0' * 64}  # 1 bytes\n")
    monkeypatch.setattr("framebench.images.load_matrix", lambda root: Matrix([ROW, other]))
    rows = Rows(root, own_wheels=read([mine]))
    assert isinstance(found := rows.find(StackOn("torch")), ImageRow) and own_builds(found)
    assert isinstance(refused := rows.find(StackOn("jax")), Unavailable) and "--wheel" in refused.reason


def own_record(**changes: object) -> Record:
    """As the factory's, in the image with the own build."""
    record = make_record(**changes)
    image = msgspec.structs.replace(
        record.image,
        name="torch-2.13.0-own-12345678-cpu-py311",
        config_digest=None,
        lock_sha256=sha("own lock"),
        own_builds=(BUILD,),
    )
    return msgspec.structs.replace(record, image=image)


def test_its_results_are_never_those_of_the_plain_image() -> None:
    plain, own = make_record(executor="venv"), own_record(executor="venv")
    for key in (identity.result_key, identity.record_key, identity.gate_key, identity.pair_key):
        assert key(plain) != key(own)
    assert store.relative_path(plain).parent != store.relative_path(own).parent


def test_a_spec_without_one_is_what_an_older_harness_reads() -> None:
    assert b"own_builds" not in encode_spec(make_spec())
    image = own_record().image
    assert b"own_builds" in encode_spec(msgspec.structs.replace(make_spec(), image=image))


# --- that it is marked ----------------------------------------------------------------------------


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """Five rounds of the plain image in one folder, five of the own build (in 0.8 of the time) in another."""
    plain, own = tmp_path / "results", tmp_path / "own-results"
    for record in make_trials(contenders=CONTENDERS[:2], executor="venv"):
        store.write(record, plain)
    steps = {"torch-eager": 64e6}
    for record in make_trials(contenders=CONTENDERS[:1], seed=8, step_ns=steps, executor="venv"):
        image = own_record(executor="venv").image
        store.write(msgspec.structs.replace(record, image=image), own)
    return plain, own


def test_everything_that_shows_it_marks_it(folders: tuple[Path, Path], tmp_path: Path) -> None:
    data = dataset.load(folders)
    (own,) = [result for result in data.results if result.image.own_builds]
    assert own.unranked_because == OWN_BUILD and own.flags[OWN_BUILD] == len(own.records)
    assert own.label == "torch-eager@2.13.0-own-12345678-cpu-py311"
    (case,) = data.comparisons
    assert case.baseline is not None and not case.baseline.image.own_builds
    assert case.best is not None and not case.best.image.own_builds
    shown = [result for answer in data.answers for result in (*answer.best, *answer.faster_unranked)]
    assert shown and own not in shown
    assert b"torch-2.13.0+mine-x.whl" in data.frames()["results.csv"]
    console = Console(file=io.StringIO(), width=200)
    show.run(ROOT, folders[1], own.id, console)
    assert str(BUILD) in console.file.getvalue()  # type: ignore[attr-defined]
    page = result.page(own, gather(ROOT, data)).content
    assert "own build" in page and BUILD.file in page and BUILD.sha256 in page
    assert (
        "make reproduce" not in page
        and f"framebench run --suite cpu --executor venv --wheel {BUILD.file}" in page
    )


def test_it_can_be_compared_with_the_plain_image(folders: tuple[Path, Path]) -> None:
    data = dataset.load(folders)
    plain, own = (
        next(r for r in data.results if bool(r.image.own_builds) is wanted and r.contender == CONTENDERS[0])
        for wanted in (False, True)
    )
    console = Console(file=io.StringIO(), width=200)
    compare.run(folders, own.id, plain.id, console)
    said = console.file.getvalue()  # type: ignore[attr-defined]
    assert f"time of {own.label} / time of {plain.label}: 0.7" in said and "faster" in said
    assert f"note: {own.label} is unranked (own build)" in said


# --- that it is never published -------------------------------------------------------------------


def test_the_published_results_leave_it_out_and_say_so(folders: tuple[Path, Path], tmp_path: Path) -> None:
    published, own = folders
    records = len(dataset.load([published]).records)
    for path in own.rglob("*.json"):
        place = published / path.relative_to(own)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(path.read_bytes())
    data = dataset.load([published], published=published)
    assert len(data.records) == records and len(data.broken) == 6  # a gate and five rounds
    assert all("somebody's own build, which is never published" in one.reason for one in data.broken)
    assert len(store.load([published], published).faults) == 6 and store.load([own], published).faults == []


def test_no_image_of_it_can_be_pushed_or_exported(root: Path, mine: Path) -> None:
    matrix = load_matrix(ROOT)
    lock(root, make_wheel(root / "again", ""))
    row = with_own(root, ROW, read([mine]))
    assert row is not None
    with pytest.raises(UserError, match="There is no image"):
        matrix.find(row.name)  # which `push`, `export` and `sbom` begin with
    assert not any("-own-" in name for name in publishable(ROOT, matrix.rows, lambda line: None))


def test_it_is_not_reproduced(tmp_path: Path) -> None:
    image = own_record(executor="venv").image
    for record in make_trials(contenders=CONTENDERS[:2], executor="venv"):
        store.write(msgspec.structs.replace(record, image=image), tmp_path)
    wanted = dataset.load([tmp_path]).results[0].id
    with pytest.raises(
        UserError, match="somebody's own build: measure it again with `framebench run --wheel"
    ):
        reproduce(ROOT, tmp_path, wanted, 2, Console(quiet=True))


@pytest.mark.parametrize(
    ("wheels", "named", "goes_to"),
    [((), None, "results"), (("x.whl",), None, "own-results"), (("x.whl",), Path("there"), "there")],
)
def test_its_results_go_elsewhere_unless_a_folder_is_named(
    wheels: tuple[str, ...], named: Path | None, goes_to: str
) -> None:
    fields = {"suite": "smoke", "budget": "none", "executor": "venv", "case_globs": (), "contender_globs": ()}
    assert cli._request({**fields, "wheels": wheels, "results": named}).results.name == goes_to


def test_git_ignores_them() -> None:
    assert f"/{cli.OWN_RESULTS.name}/" in (ROOT / ".gitignore").read_text().splitlines()
