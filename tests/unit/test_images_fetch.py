"""Wheels come by hash, from wherever pip is configured, over a network that breaks; what came is never lost."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from framebench.errors import UserError
from framebench.images import ImageRow, fetch_wheels, missing_wheels
from framebench.images.fetch import download as download_module
from framebench.images.fetch import indexes as indexes_module
from framebench.images.fetch import meter as meter_module
from framebench.images.fetch.wheels import require_space
from tests.ctrl_c import heed_ctrl_c
from tests.wheel_index import WheelIndex, make_wheel, sha256

MATRIX = """
[[image]]
name = "torch-1.0-cpu-py311"
stack = "torch"
default = true
accelerator = "cpu"
python = "3.11"
arch = "amd64"
base = "cpu"
packages = ["fbtiny==1.0"]

[[image]]
name = "keras-jax-1.0-cpu-py311"
stack = "keras-jax"
default = true
accelerator = "cpu"
python = "3.11"
arch = "amd64"
base = "cpu"
packages = ["fbother==1.0"]
"""
ROW = ImageRow(
    name="torch-1.0-cpu-py311",
    stack="torch",
    default=True,
    accelerator="cpu",
    python="3.11",
    arch="amd64",
    base="cpu",
    packages=["fbtiny==1.0"],
)
SIZE = 300_000
CHILD = """
import sys, threading
from pathlib import Path
from rich.console import Console
from framebench.commands.saying import Sayer
from framebench.images import fetch_wheels, load_matrix
class Stop(threading.Event):
    def set(self):
        super().set()
        print("stopping", flush=True)
root = Path(sys.argv[1])
say = Sayer(Console(highlight=False, soft_wrap=True))
fetch_wheels(root, load_matrix(root).find("torch-cpu"), say, stop=Stop())
"""


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[WheelIndex]:
    """The only place that pip is configured with, and a clone whose matrix has two images."""
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(download_module, "PAUSES_S", (0.0, 0.0))
    monkeypatch.setattr(indexes_module, "PAUSES_S", (0.0, 0.0))
    with WheelIndex() as server:
        configure(tmp_path, monkeypatch, f"index-url = {server.url}")
        path = tmp_path / "containers" / "images.toml"
        path.parent.mkdir()
        path.write_text(MATRIX)
        write_lock(tmp_path, *make_wheel("fbother", "1.0"), row="keras-jax-1.0-cpu-py311")
        yield server


def configure(folder: Path, monkeypatch: pytest.MonkeyPatch, *lines: str) -> None:
    config = folder / "pip.conf"
    config.write_text("\n".join(["[global]", *lines, ""]))
    monkeypatch.setenv("PIP_CONFIG_FILE", str(config))
    # the machine's own configuration is read too; the environment's is above it
    for name in ("EXTRA_INDEX_URL", "FIND_LINKS"):
        option = name.lower().replace("_", "-")
        monkeypatch.setenv(
            f"PIP_{name}", next((line.split(" = ")[1] for line in lines if line.startswith(option)), "")
        )


def write_lock(root: Path, *files: str | bytes, row: str = ROW.name, size: int | None = None) -> None:
    """A lock of wheels given as file name, content, file name, content …"""
    path = root / "containers" / "locks" / f"{row}.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = []
    for name, content in zip(files[::2], files[1::2], strict=True):
        assert isinstance(name, str) and isinstance(content, bytes)
        project, version = name.split("-")[:2]
        lines.append(
            f"{project}=={version} --hash=sha256:{sha256(content)}  # {size or len(content)} bytes\n"
        )
    path.write_text("".join(lines))


def stored(root: Path) -> list[str]:
    return sorted(path.name for path in (root / "build" / "store" / "wheels").rglob("*") if path.is_file())


def part(root: Path, content: bytes) -> Path:
    return root / "build" / "store" / "wheels" / sha256(content) / "part"


def test_fetched_once_then_taken_from_the_store(tmp_path: Path, index: WheelIndex) -> None:
    name, content = index.add("fbtiny")
    write_lock(tmp_path, name, content)
    said: list[str] = []
    assert [missing.pin for missing in missing_wheels(tmp_path, ROW)] == ["fbtiny==1.0"]
    folder = fetch_wheels(tmp_path, ROW, said.append)
    assert [(file.name, file.read_bytes()) for file in folder.iterdir()] == [(name, content)]
    assert said == ["torch-cpu: fetching 1 of 1 wheels, 0 MB"]

    index.asked.clear()  # the second time nothing outside the store is asked
    assert fetch_wheels(tmp_path, ROW, said.append) == folder
    assert len(said) == 1 and missing_wheels(tmp_path, ROW) == [] and index.asked == []


def test_of_a_release_s_files_the_one_with_the_lock_s_hash_is_taken(
    tmp_path: Path, index: WheelIndex
) -> None:
    write_lock(tmp_path, *index.add("fbtiny", padding=10))
    index.files["fbtiny-1.0-1-py3-none-any.whl"] = (
        b"a later build of the same version, which pip would prefer"
    )
    assert [file.name for file in fetch_wheels(tmp_path, ROW, print).iterdir()] == [
        "fbtiny-1.0-py3-none-any.whl"
    ]
    assert len(index.downloads()) == 1


@pytest.mark.parametrize("kind", ["find-links folder", "simple index of files", "page of links"])
def test_folders_and_file_addresses_work_without_a_server(
    tmp_path: Path, index: WheelIndex, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    name, content = make_wheel("fbtiny", "1.0+local")
    folder = tmp_path / "some where" / "fbtiny"
    folder.mkdir(parents=True)
    (folder / name).write_bytes(content)
    (folder / "index.html").write_text(f'<a href="{name.replace("+", "%2B")}">{name}</a>')
    (tmp_path / "place").symlink_to(folder.parent)  # pip's lists are separated by blanks
    line = {
        "find-links folder": f"find-links = {tmp_path}/place/fbtiny",
        "simple index of files": f"extra-index-url = file://{tmp_path}/place",
        "page of links": f"find-links = file://{tmp_path}/place/fbtiny/index.html",
    }[kind]
    configure(tmp_path, monkeypatch, f"index-url = {index.url}", line)
    write_lock(tmp_path, name, content)
    row = ImageRow(
        **{f: getattr(ROW, f) for f in ROW.__struct_fields__} | {"packages": ["fbtiny==1.0+local"]}
    )
    assert [file.read_bytes() for file in fetch_wheels(tmp_path, row, print).iterdir()] == [content]


def test_the_row_s_own_index_is_asked_last(
    tmp_path: Path, index: WheelIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_lock(tmp_path, *index.add("fbtiny"))
    row = ImageRow(**{f: getattr(ROW, f) for f in ROW.__struct_fields__} | {"index": index.url})
    with WheelIndex() as configured:
        configure(tmp_path, monkeypatch, f"index-url = {configured.url}")
        fetch_wheels(tmp_path, row, print)
        assert configured.asked == [("/simple/fbtiny/", None)] and len(index.downloads()) == 1
        name, content = configured.add("fbtiny", padding=5)
        write_lock(tmp_path, name, content)
        index.asked.clear()
        fetch_wheels(tmp_path, row, print)
    assert index.asked == []


def test_four_wheels_come_at_a_time(tmp_path: Path, index: WheelIndex) -> None:
    files = [part for name in ("fbtiny", "fba", "fbb", "fbc") for part in index.add(name, padding=100)]
    write_lock(tmp_path, *files)
    together = threading.Barrier(4, timeout=120)  # nobody's second half is sent before all four asked
    index.before_body = lambda name: together.wait() and None
    assert len(list(fetch_wheels(tmp_path, ROW, print).iterdir())) == 4


# --- a network that breaks -----------------------------------------------------------------------


def test_a_connection_cut_in_mid_file_is_taken_up_where_it_broke(tmp_path: Path, index: WheelIndex) -> None:
    name, content = index.add("fbtiny", padding=SIZE)
    write_lock(tmp_path, name, content)
    index.cut = [100_000, 50_000]
    fetch_wheels(tmp_path, ROW, print)
    assert index.downloads() == [(name, None), (name, "bytes=100000-"), (name, "bytes=150000-")]


def test_a_server_that_stays_away_leaves_what_came_and_the_next_run_goes_on(
    tmp_path: Path, index: WheelIndex
) -> None:
    name, content = index.add("fbtiny", padding=SIZE)
    write_lock(tmp_path, name, content)
    index.cut = [100_000, 0, 0, 0]
    with pytest.raises(UserError, match=rf"{name} broke off, and 3 tries.*100,000 bytes are kept"):
        fetch_wheels(tmp_path, ROW, print)
    assert part(tmp_path, content).read_bytes() == content[:100_000]
    index.asked.clear()
    said: list[str] = []
    fetch_wheels(tmp_path, ROW, said.append)
    assert index.downloads() == [(name, "bytes=100000-")]
    assert said == ["torch-cpu: fetching 1 of 1 wheels, 0 MB, 0 MB of them kept from before"]


def test_a_server_without_ranges_begins_again(tmp_path: Path, index: WheelIndex) -> None:
    name, content = index.add("fbtiny", padding=SIZE)
    write_lock(tmp_path, name, content)
    index.ranges, index.cut = False, [100_000]
    folder = fetch_wheels(tmp_path, ROW, print)
    assert (folder / name).read_bytes() == content and len(index.downloads()) == 2


@pytest.mark.parametrize("kept", [100, SIZE * 2])
def test_a_kept_part_of_another_file_is_dropped(tmp_path: Path, index: WheelIndex, kept: int) -> None:
    name, content = index.add("fbtiny", padding=SIZE)
    write_lock(tmp_path, name, content)
    part(tmp_path, content).parent.mkdir(parents=True)
    part(tmp_path, content).write_bytes(b"x" * kept)
    assert (fetch_wheels(tmp_path, ROW, print) / name).read_bytes() == content


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_fetch_that_is_killed_goes_on_where_it_stopped(
    tmp_path: Path, index: WheelIndex, how: signal.Signals
) -> None:
    name, content = index.add("fbtiny", padding=SIZE)
    write_lock(tmp_path, name, content)
    on_disk, released = threading.Event(), threading.Event()

    def stall(name: str) -> None:
        on_disk.set()
        released.wait(120)

    index.before_body = stall
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(tmp_path)],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, preexec_fn=heed_ctrl_c,
    )  # fmt: skip
    try:
        assert on_disk.wait(120)
        while not part(tmp_path, content).exists() or part(tmp_path, content).stat().st_size < 100_000:
            assert child.poll() is None
        child.send_signal(how)
        assert child.stdout is not None
        heard = any(line == "stopping\n" for line in child.stdout)
        assert heard == (how == signal.SIGINT)
        released.set()  # SIGINT: the thread that reads ends with its next chunk
        assert child.wait(120) != 0
    finally:
        released.set()
        child.kill()
    had = part(tmp_path, content).stat().st_size
    assert 100_000 <= had < len(content)
    index.asked.clear()
    fetch_wheels(tmp_path, ROW, print)
    assert index.downloads() == [(name, f"bytes={had}-")]


def test_two_processes_that_share_the_store_fetch_a_wheel_once(tmp_path: Path, index: WheelIndex) -> None:
    name, content = index.add("fbtiny", padding=SIZE)
    write_lock(tmp_path, name, content)
    released = threading.Event()
    index.before_body = lambda name: released.wait(120) and None
    children = [
        subprocess.Popen([sys.executable, "-c", CHILD, str(tmp_path)], stdout=subprocess.DEVNULL)
        for _ in range(2)
    ]
    folder = part(tmp_path, content).parent
    while not all(has_open(child.pid, folder) for child in children):
        assert all(child.poll() is None for child in children)
        time.sleep(0.01)
    while not index.downloads():
        time.sleep(0.01)
    released.set()
    assert [child.wait(60) for child in children] == [0, 0]
    assert index.downloads() == [(name, None)] and stored(tmp_path) == [name]


def has_open(pid: int, path: Path) -> bool:
    """Whether the process has the file or folder open (Linux)."""
    with contextlib.suppress(FileNotFoundError):  # closed while we looked
        return any(handle.readlink() == path for handle in Path(f"/proc/{pid}/fd").iterdir())
    return False


# --- what cannot be had --------------------------------------------------------------------------


@pytest.mark.parametrize("published", [True, False])
def test_other_file_than_the_lock_names_is_refused_with_lock_and_both_hashes(
    tmp_path: Path, index: WheelIndex, published: bool
) -> None:
    name, content = index.add("fbtiny")
    write_lock(tmp_path, name, b"another content", size=len(content))
    index.hashes = published
    expected, found = sha256(b"another content"), sha256(content)
    with pytest.raises(
        UserError, match=rf"{ROW.name}.txt: fbtiny==1.0 should have sha256 {expected}, found {found}"
    ):
        fetch_wheels(tmp_path, ROW, print)
    assert len(index.downloads()) == (0 if published else 1)  # a published hash is believed when it is wrong
    assert stored(tmp_path) == []


def test_no_more_is_taken_from_a_server_than_the_lock_says(tmp_path: Path, index: WheelIndex) -> None:
    name, content = make_wheel("fbtiny", "1.0")
    write_lock(tmp_path, name, content)
    index.files[name], index.hashes = content + bytes(10_000_000), False
    with pytest.raises(UserError, match="should have sha256") as refused:
        fetch_wheels(tmp_path, ROW, print)
    assert sha256(index.files[name]) not in str(refused.value)  # what came was a part of it


def test_a_vanished_wheel_is_named_with_the_places_and_what_still_works(
    tmp_path: Path, index: WheelIndex
) -> None:
    name, content = make_wheel("fbtiny", "1.0")
    write_lock(tmp_path, name, content)
    index.add("fbtiny", "1.1")
    with pytest.raises(UserError) as refused:
        fetch_wheels(tmp_path, ROW, print)
    for words in (
        "fbtiny==1.0",
        sha256(content),
        f"{index.url} (not there)",
        "do without it: keras-jax-cpu;",
    ):
        assert words in str(refused.value)
    index.files.clear()
    with pytest.raises(UserError, match=r"Client Error\(404\)"):
        fetch_wheels(tmp_path, ROW, print)


def test_a_file_that_is_listed_but_gone_and_an_index_that_is_down_are_told_apart(
    tmp_path: Path, index: WheelIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, content = index.add("fbtiny")
    write_lock(tmp_path, name, content)
    index.status[name] = 410
    with pytest.raises(UserError, match=rf"{name} answers 410 Gone"):
        fetch_wheels(tmp_path, ROW, print)
    configure(tmp_path, monkeypatch, "index-url = http://127.0.0.1:1/simple")
    with pytest.raises(UserError, match=r"looked for at http://127.0.0.1:1/simple \(.*refused"):
        fetch_wheels(tmp_path, ROW, print)


@pytest.mark.parametrize("json", [False, True])
def test_a_password_in_pip_s_configuration_opens_the_index_and_is_in_no_sentence(
    tmp_path: Path, index: WheelIndex, monkeypatch: pytest.MonkeyPatch, json: bool
) -> None:
    index.password, index.json = "s3cret", json
    configure(tmp_path, monkeypatch, f"index-url = {index.url.replace('//', '//me:s3cret@')}")
    name, content = index.add("fbtiny", padding=SIZE)
    write_lock(tmp_path, name, content)
    index.cut = [100_000, 0, 0, 0]
    sentences = []
    with pytest.raises(UserError, match="broke off") as broken:
        fetch_wheels(tmp_path, ROW, print)
    sentences.append(str(broken.value))
    fetch_wheels(tmp_path, ROW, print)
    write_lock(tmp_path, name, b"another content")
    with pytest.raises(UserError, match="found") as other:
        fetch_wheels(tmp_path, ROW, print)
    sentences.append(str(other.value))
    index.files.clear()
    with pytest.raises(UserError, match="looked for at") as gone:
        fetch_wheels(tmp_path, ROW, print)
    sentences.append(str(gone.value))
    assert "s3cret" not in " ".join(sentences)


def test_an_index_that_is_busy_for_a_moment_is_asked_again(tmp_path: Path, index: WheelIndex) -> None:
    write_lock(tmp_path, *index.add("fbtiny"))
    index.busy = 2
    fetch_wheels(tmp_path, ROW, print)
    assert [path for path, _ in index.asked[:3]] == ["/simple/fbtiny/"] * 3


def test_a_yanked_wheel_that_still_is_there_is_used_and_said(tmp_path: Path, index: WheelIndex) -> None:
    name, content = index.add("fbtiny")
    write_lock(tmp_path, name, content)
    index.yanked[name] = "broken on Tuesdays"
    said: list[str] = []
    fetch_wheels(tmp_path, ROW, said.append)
    assert said[1:] == ["note: fbtiny==1.0 was yanked by its authors: broken on Tuesdays"]


def test_too_small_a_disk_is_told_before_anything_is_asked(tmp_path: Path, index: WheelIndex) -> None:
    write_lock(tmp_path, *index.add("fbtiny"), size=10**18)
    with pytest.raises(UserError, match=r"GB free, and the wheels of torch-cpu need 1000000000\.0 GB"):
        fetch_wheels(tmp_path, ROW, print)
    assert index.asked == []
    require_space(tmp_path, 1, "a byte")


def test_damaged_wheel_in_the_store_is_named_with_both_hashes(tmp_path: Path, index: WheelIndex) -> None:
    name, content = index.add("fbtiny")
    write_lock(tmp_path, name, content)
    file = fetch_wheels(tmp_path, ROW, print) / name
    file.write_bytes(content + b"x")
    with pytest.raises(
        UserError, match=f"sha256 {sha256(content)}, found {name} with {sha256(content + b'x')}"
    ):
        fetch_wheels(tmp_path, ROW, print)


# --- what is seen of it --------------------------------------------------------------------------


def test_lines_say_how_far_it_is_where_there_is_no_terminal(
    tmp_path: Path, index: WheelIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(meter_module, "LINE_EVERY_S", 0.0)
    write_lock(tmp_path, *index.add("fbtiny", padding=SIZE))
    said: list[str] = []
    fetch_wheels(tmp_path, ROW, said.append)
    assert said[-1] == "torch-cpu: 300.6 kB of 300.6 kB, about 0 s left"


def test_a_terminal_shows_a_bar_with_bytes_and_time_left(tmp_path: Path, index: WheelIndex) -> None:
    write_lock(tmp_path, *index.add("fbtiny", padding=SIZE))
    ours, theirs = os.openpty()
    env = {name: value for name, value in os.environ.items() if name != "NO_COLOR"} | {
        "TERM": "xterm",
        "COLUMNS": "120",
    }
    child = subprocess.Popen([sys.executable, "-c", CHILD, str(tmp_path)], stdout=theirs, env=env)
    os.close(theirs)
    seen = b""
    try:
        while chunk := os.read(ours, 4096):
            seen += chunk
    except OSError:  # the other end was closed
        pass
    finally:
        os.close(ours)
    assert child.wait(120) == 0
    assert "━".encode() in seen and b"/300.6 kB" in seen and b":" in seen.split(b"/300.6 kB")[1]
