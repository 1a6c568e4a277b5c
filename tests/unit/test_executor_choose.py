"""The choice of an executor, and the sentence that goes with it, against real sockets that do not answer."""

from __future__ import annotations

import hashlib
import json
import os
import socket
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from framebench.errors import UserError
from framebench.executors import connection
from framebench.executors.choose import choose
from framebench.executors.confinement import memory_limit
from framebench.executors.connection import connect


@pytest.fixture
def sockets() -> Iterator[Path]:
    """A folder with a short path: a socket's address has at most 107 characters, and pytest's folders lie deep."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        yield Path(folder)


@pytest.fixture
def no_engine(sockets: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A socket whose listener has gone."""
    path = sockets / "docker.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
    monkeypatch.setenv("DOCKER_HOST", f"unix://{path}")
    return str(path)


def test_auto_without_an_engine_is_venv_and_says_why(
    no_engine: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody named an engine: where the default one does not answer, environments take its place."""
    monkeypatch.setattr(connection, "named", lambda: connection.Named(f"unix://{no_engine}", None))
    said: list[str] = []
    assert choose(tmp_path, "auto", said.append).name == "venv"
    assert len(said) == 1
    assert "No Docker engine answers" in said[0] and no_engine in said[0]


def test_a_named_engine_that_is_away_is_never_replaced(no_engine: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"No Docker engine answers at .*named by DOCKER_HOST.*unsetting"):
        choose(tmp_path, "auto", print)


@pytest.mark.parametrize(
    ("host", "says"),
    [
        ("npipe://", "named pipe of Windows, .* write unix:///PATH"),
        ("npipe:////./pipe/docker_engine", "named pipe of Windows"),
        ("unix://", "has no path of a socket: write unix:///PATH"),
        ("unix:///", "has no path of a socket"),
        ("ssh://", "no name of a machine behind ssh://: write ssh://USER@HOST"),
        ("ssh:///", "no name of a machine"),
        ("ssh://me@", "no name of a machine"),
        ("ssh://me@:22/", "no name of a machine"),
        ("ssh://me:hunter2@host:22", "docker.sock -p 22 me@host`"),
        ("tcp://me:hunter2@127.0.0.1:1", "tcp://me:…@127.0.0.1:1.*has a password in it, .* write it without"),
        (
            "tcp://me:hunt/e@r2@127.0.0.1:1",
            "tcp://me:…@127.0.0.1:1.*has a password in it, .* write it without",
        ),
    ],
)
def test_an_address_that_is_none_is_a_sentence_without_its_password(
    host: str, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", host)
    with pytest.raises(UserError, match=says) as refused:
        choose(tmp_path, "auto", print)
    assert "hunt" not in str(refused.value)


@pytest.mark.parametrize("config", ["{", "[1]", '{"currentContext": 7}', '{"currentContext": ["a"]}'])
def test_a_configuration_of_docker_that_names_no_engine_is_a_sentence(
    config: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    monkeypatch.delenv("DOCKER_CONTEXT", raising=False)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    (tmp_path / "config.json").write_text(config)
    with pytest.raises(UserError, match=f"configuration {tmp_path}/config.json.*mend"):
        choose(tmp_path, "auto", print)


def test_docker_without_an_engine_is_refused_with_the_mend(no_engine: str, tmp_path: Path) -> None:
    with pytest.raises(
        UserError, match=r"named by DOCKER_HOST.*start it .*dockerd.* or use `--executor venv`"
    ):
        choose(tmp_path, "docker", print)


def test_docker_without_a_socket_is_refused_with_the_mend(
    tmp_path: Path, sockets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{sockets}/absent.sock")
    with pytest.raises(UserError, match="No Docker engine answers"):
        choose(tmp_path, "docker", print)


def test_docker_that_is_no_docker_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DOCKER_HOST", "nonsense://")
    with pytest.raises(UserError, match="nonsense"):
        choose(tmp_path, "docker", print)


def test_a_socket_that_refuses_this_user_names_the_group(
    sockets: Path, monkeypatch: pytest.MonkeyPatch, no_engine: str
) -> None:
    with pytest.raises(UserError, match="No Docker engine"):
        connect()  # has imported everything, which another user perhaps cannot
    path = sockets / "refusing.sock"
    monkeypatch.setenv("DOCKER_HOST", f"unix://{path}")
    sockets.chmod(0o755)
    me = os.geteuid()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        path.chmod(0o000)
        if me == 0:  # root may open everything
            os.seteuid(65534)
        try:
            with pytest.raises(UserError, match=r"No permission.*usermod -aG docker"):
                connect()
        finally:
            os.seteuid(me)


@pytest.mark.parametrize("wanted", ["venv", "system"])
def test_what_was_asked_for_is_given(wanted: str, tmp_path: Path) -> None:
    said: list[str] = []
    assert choose(tmp_path, wanted, said.append).name == wanted
    assert said[0].startswith(f"executor: {wanted}")


def test_an_unknown_executor_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="There is no executor 'podman'"):
        choose(tmp_path, "podman", print)


@pytest.mark.parametrize(("total", "limit"), [(24 << 30, 23 << 30), (2 << 30, 1 << 30), (1 << 30, 1 << 29)])
def test_a_container_gets_all_memory_but_one_gibibyte(total: int, limit: int) -> None:
    assert memory_limit(total) == limit


def test_an_image_cannot_be_asked_for_outside_images(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="--image torch-cpu: executor system measures in this interpreter"):
        choose(tmp_path, "system", print, ["torch-cpu"])


@pytest.fixture
def context(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """Writes a context as ``docker context create`` does."""
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    monkeypatch.delenv("DOCKER_CONTEXT", raising=False)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))

    def write(name: str, host: str) -> None:
        (tmp_path / "config.json").write_text(json.dumps({"currentContext": name}))
        folder = tmp_path / "contexts" / "meta" / hashlib.sha256(name.encode()).hexdigest()
        folder.mkdir(parents=True)
        meta = {"Name": name, "Metadata": {}, "Endpoints": {"docker": {"Host": host, "SkipTLSVerify": False}}}
        (folder / "meta.json").write_text(json.dumps(meta))

    return write


def test_a_context_whose_socket_is_away_is_the_one_that_is_named(
    context: Callable[[str, str], None], sockets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context("colima", f"unix://{sockets}/colima.sock")
    with pytest.raises(UserError) as refused:
        choose(tmp_path, "docker", print)
    assert f"{sockets}/colima.sock (named by docker's context colima)" in str(refused.value)
    monkeypatch.setenv("DOCKER_CONTEXT", "absent")
    for wanted in ("docker", "auto"):  # the default engine, which may well answer, was not asked for
        with pytest.raises(UserError, match="Docker has no context absent"):
            choose(tmp_path, wanted, print)


@pytest.mark.parametrize("wanted", ["docker", "auto"])
@pytest.mark.parametrize(
    ("host", "says"),
    [
        ("ssh://ann@far.example:2222", r"ssh -nNT -L \S+ -p 2222 ann@far.example`"),
        ("ssh://far.example", r"ssh -nNT -L \S+ far.example`"),
        ("tcp://127.0.0.1:9", r"tcp://127.0.0.1:9 \(named by DOCKER_HOST\) cannot be used"),
        (
            "tcp://127.0.0.1:99999",
            r"tcp://127.0.0.1:99999 \(named by DOCKER_HOST\) cannot be used: Port out of range",
        ),
    ],
)
def test_an_engine_elsewhere_is_never_replaced_by_this_machine(
    host: str, says: str, wanted: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", host)
    with pytest.raises(UserError, match=says):
        choose(tmp_path, wanted, print)


def test_a_context_by_ssh_is_refused_too(context: Callable[[str, str], None], tmp_path: Path) -> None:
    context("far", "ssh://ann@far.example")
    with pytest.raises(UserError, match="reached by ssh"):
        choose(tmp_path, "auto", print)
