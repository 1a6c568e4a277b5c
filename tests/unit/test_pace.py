"""Cores of two speeds and a laptop on battery are told, by the record's flags and by the doctor."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from framebench.commands import doctor
from framebench.pages.flags import meaning, word
from harness import cores, environment, flags

ROOT = Path(__file__).resolve().parents[2]
CPU = "/sys/devices/system/cpu"
SUPPLY = "/sys/class/power_supply"


def tree(monkeypatch: pytest.MonkeyPatch, files: dict[str, str]) -> None:
    """Another ``/sys`` for those files that it holds, for the facts in question."""
    real = environment.read
    pretended = (CPU, SUPPLY)
    monkeypatch.setattr(
        environment, "read", lambda path: files.get(path) if path.startswith(pretended) else real(path)
    )
    monkeypatch.setattr(
        environment,
        "names",
        lambda folder: sorted(
            {path[len(folder) + 1 :].split("/")[0] for path in files if path.startswith(folder)}
        ),
    )


def clocks(*kilohertz: int) -> dict[str, str]:
    return {f"{CPU}/cpu{core}/cpufreq/cpuinfo_max_freq": f"{clock}\n" for core, clock in enumerate(kilohertz)}


@pytest.mark.parametrize(
    ("files", "answer"),
    [
        (clocks(5_100_000, 5_100_000, 3_900_000, 3_900_000), True),
        (clocks(5_100_000, 5_300_000, 5_100_000, 5_100_000), False),  # a favoured core
        ({f"{CPU}/cpu{core}/cpu_capacity": str(446 if core < 2 else 1024) for core in range(4)}, True),
        ({}, None),
        (clocks(5_100_000), None),  # it tells of some cores only
    ],
    ids=["performance and efficiency", "favoured core", "big and little", "nothing told", "half told"],
)
def test_cores_of_two_speeds(
    monkeypatch: pytest.MonkeyPatch, files: dict[str, str], answer: bool | None
) -> None:
    tree(monkeypatch, files)
    assert environment.unequal_cores(range(4)) is answer
    if answer:
        assert environment.unequal_cores(range(2)) is False  # pinned to one kind


BATTERY = {f"{SUPPLY}/BAT0/type": "Battery", f"{SUPPLY}/BAT0/status": "Discharging"}
MAINS = {f"{SUPPLY}/AC/type": "Mains", f"{SUPPLY}/AC/online": "0"}
MOUSE = {
    f"{SUPPLY}/hid/type": "Battery",
    f"{SUPPLY}/hid/scope": "Device",
    f"{SUPPLY}/hid/status": "Discharging",
}


@pytest.mark.parametrize(
    ("files", "answer"),
    [
        ({}, None),
        (MOUSE, None),
        (BATTERY, True),
        (BATTERY | MAINS, True),
        (BATTERY | MAINS | {f"{SUPPLY}/AC/online": "1"}, False),
        (MAINS | {f"{SUPPLY}/AC/online": "1"}, None),
    ],
    ids=["server", "mouse", "battery", "unplugged", "plugged in", "desktop"],
)
def test_battery(monkeypatch: pytest.MonkeyPatch, files: dict[str, str], answer: bool | None) -> None:
    tree(monkeypatch, files)
    assert environment.on_battery() is answer


def test_record_pages_and_doctor_tell(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert flags.pace(True, True) == [flags.UNEQUAL_CORES, flags.ON_BATTERY]
    assert flags.pace(None, None) == flags.pace(False, False) == []
    assert all(word(flag) != flag and meaning(flag) for flag in flags.pace(True, True))
    monkeypatch.setattr(cores, "pinned_to", lambda: [0, 1])
    tree(monkeypatch, clocks(5_000_000, 3_000_000) | BATTERY)
    said = io.StringIO()
    doctor.run(ROOT, tmp_path, Console(file=said, soft_wrap=True))
    assert "no  cores of one speed" in said.getvalue() and "no  mains" in said.getvalue()
