"""An engine that is stopped, killed or brought up to date in mid-trial, and one that loses an image.

No trial is counted that was not measured whole, and the next one runs.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from framebench import images
from framebench.errors import UserError
from framebench.executors import Failure
from framebench.executors.docker import DockerExecutor
from harness.record import Record
from tests.integration import tiny_image
from tests.integration.second_engine import SecondEngine, missing, second_engine
from tests.requirement import require

pytestmark = pytest.mark.docker

ROOT = Path(__file__).resolve().parents[2]
IMAGE = f"framebench-test-restart:{os.getpid()}"
RUNNING = "print('running', file=sys.stderr, flush=True); time.sleep({seconds}); print(record)"


@pytest.fixture(scope="module")
def engine() -> Iterator[SecondEngine]:
    require("second-engine", missing() is None, str(missing()))
    try:
        with second_engine() as started:
            tiny_image.make(started.client(), IMAGE)
            yield started
    except RuntimeError as error:
        require("second-engine", False, str(error))


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def executor(
    engine: SecondEngine, said: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[DockerExecutor]:
    monkeypatch.setenv("DOCKER_HOST", engine.address)
    executor = DockerExecutor(tmp_path, say=said.append)
    executor.adopt(tiny_image.make_spec(engine.client(), IMAGE).image, IMAGE)
    yield executor
    assert engine.client().containers.list(all=True) == []


def trial(
    engine: SecondEngine, executor: DockerExecutor, script: str, *, log: Callable[[str], Any] = print
) -> Any:
    return executor.run(tiny_image.make_spec(engine.client(), IMAGE, script), log)


def while_it_runs(
    engine: SecondEngine, executor: DockerExecutor, deed: Callable[[], None], seconds: int
) -> Failure:
    """What becomes of a trial of so many seconds beside which the deed is done."""
    beside = threading.Thread(target=deed)
    answer = trial(engine, executor, RUNNING.format(seconds=seconds), log=lambda line: beside.start())
    beside.join()
    assert isinstance(answer, Failure), answer
    return answer


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL], ids=["stopped", "killed"])
def test_a_trial_that_the_engine_took_along_is_an_accident_and_the_next_one_runs(
    engine: SecondEngine, executor: DockerExecutor, said: list[str], how: signal.Signals
) -> None:
    def restart() -> None:
        engine.stop(how)
        time.sleep(2)
        engine.start()

    outcome, _ = while_it_runs(engine, executor, restart, seconds=300)
    assert (outcome.status, outcome.reason) == ("invalid", "container_lost: the Docker engine went away")
    asked, again = said
    assert "does not answer: waiting up to 5 minutes" in asked and "answers again after" in again
    assert isinstance(trial(engine, executor, "print(record)"), Record)


def test_a_trial_that_outlives_its_engine_is_no_crash(
    engine: SecondEngine, executor: DockerExecutor, said: list[str]
) -> None:
    """With live-restore containers run on, and what they say meanwhile reaches nobody."""
    engine.stop()
    engine.start("--live-restore")

    def restart() -> None:
        engine.stop()
        engine.start("--live-restore")

    try:
        outcome, _ = while_it_runs(engine, executor, restart, seconds=20)
        assert (outcome.status, outcome.reason) == ("invalid", "container_lost: the Docker engine went away")
        assert isinstance(trial(engine, executor, "print(record)"), Record)
    finally:
        engine.stop()
        engine.start()


def test_an_image_that_was_removed_is_made_again_or_said(
    engine: SecondEngine, executor: DockerExecutor, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    row = images.load_matrix(ROOT).select()[0]
    spec = tiny_image.make_spec(engine.client(), IMAGE, "print(record)")
    spec = msgspec.structs.replace(spec, image=msgspec.structs.replace(spec.image, name=row.name))
    engine.client().images.remove(IMAGE, force=True)
    monkeypatch.setattr(executor.rows, "on", lambda device: {})
    with pytest.raises(UserError, match=r"was removed from the engine .*; the same command gets it again"):
        executor.run(spec, print)

    def make(root: Path, asked: images.ImageRow, progress: object) -> images.LocalImage:
        assert asked == row
        tiny_image.make(engine.client(), IMAGE)
        return images.LocalImage(
            name=row.name,
            tag=IMAGE,
            config_digest=str(spec.image.config_digest),
            lock_sha256="",
            compiler=None,
            inputs_sha256="",
        )

    monkeypatch.setattr(executor.rows, "on", lambda device: {"test": row})
    monkeypatch.setattr(images, "build", make)
    answer = executor.run(spec, print)
    assert isinstance(answer, Failure)
    assert str(answer.outcome.reason).startswith("container_lost: image ")
    assert "making it again" in said[-1]
    assert isinstance(executor.run(spec, print), Record)
