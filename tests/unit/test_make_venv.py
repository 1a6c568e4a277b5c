"""`make .venv` on a machine whose user has settings of pip and Python that would lead packages elsewhere."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BACKEND = """
import zipfile
from pathlib import Path

def build_editable(folder, config_settings=None, metadata_directory=None):
    name = "tiny-1-py3-none-any.whl"
    with zipfile.ZipFile(Path(folder, name), "w") as wheel:
        wheel.writestr("tiny.pth", str(Path.cwd()))
        wheel.writestr("tiny-1.dist-info/METADATA", "Metadata-Version: 2.1\\nName: tiny\\nVersion: 1\\n")
        wheel.writestr("tiny-1.dist-info/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr("tiny-1.dist-info/RECORD", "")
    return name
"""
PROJECT = """
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
[project]
name = "tiny"
version = "1"
"""


def test_settings_that_lead_packages_elsewhere_are_not_heeded(tmp_path: Path) -> None:
    clone = tmp_path / "Ann Müller's bench (1)"
    clone.mkdir()
    shutil.copy(ROOT / "Makefile", clone)
    (clone / "requirements.lock").write_text("")
    (clone / "pyproject.toml").write_text(PROJECT)
    (clone / "backend.py").write_text(BACKEND)
    settings = {
        "PIP_USER": "1",
        "PIP_TARGET": str(tmp_path / "elsewhere"),
        "PIP_PREFIX": str(tmp_path / "prefix"),
        "PIP_CONSTRAINT": str(tmp_path / "absent.txt"),
        "PIP_NO_BINARY": ":all:",
        "PYTHONPATH": str(tmp_path),
    }
    done = subprocess.run(
        ["make", ".venv", f"PYTHON={sys.executable}"],
        cwd=clone,
        env=os.environ | settings,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert [*clone.glob(".venv/lib/python*/site-packages/tiny-1.dist-info")]
    assert not (tmp_path / "elsewhere").exists() and not (tmp_path / "prefix").exists()
