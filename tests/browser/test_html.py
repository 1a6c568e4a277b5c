"""Each kind of page as a validator reads it: elements where HTML allows them, attributes that they have."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from framebench.language import LANGUAGES
from tests.requirement import require

ROOT = Path(__file__).resolve().parents[2]
VALIDATOR = ROOT / "build" / "node" / "node_modules" / ".bin" / "html-validate"
CONFIG = {"root": True, "extends": ["html-validate:standard"]}
MATERIALS = {
    # rule, what its message is about, end of the element's selector: the theme's own markup, which no browser minds
    ("valid-autocomplete", "checkbox", "#__drawer"),
    ("valid-autocomplete", "checkbox", "#__search"),
    ("attribute-allowed-values", "tabindex", "_label"),  # of a section that is open: none, as is meant
}


def of_material(fault: dict[str, str]) -> bool:
    return any(
        rule == fault["ruleId"] and part in fault["message"] and (fault["selector"] or "").endswith(end)
        for rule, part, end in MATERIALS
    )


def test_every_kind_of_page_is_valid(site: Path, paths: list[str], tmp_path: Path) -> None:
    require("html-validate", VALIDATOR.exists(), "html-validate is not installed: make build/node/.ready")
    config, report = tmp_path / "config.json", tmp_path / "report.json"
    config.write_text(json.dumps(CONFIG))
    names = [language.folder + path + "index.html" for language in LANGUAGES for path in paths]
    command = [VALIDATOR, "--config", config, "--formatter", f"json={report}", *names, "404.html"]
    done = subprocess.run(command, cwd=site, capture_output=True, text=True)
    assert done.returncode in (0, 1), done.stderr
    faults = [
        f"{Path(page['filePath']).relative_to(site)}:{fault['line']}: {fault['message']} ({fault['ruleId']})"
        for page in json.loads(report.read_text())
        for fault in page["messages"]
        if not of_material(fault)
    ]
    assert not faults, "\n".join(faults)
