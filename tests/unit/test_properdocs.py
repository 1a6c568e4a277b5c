"""The engine stays replaceable: ProperDocs makes the same pages of the same sources, and results fit into its shell."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from framebench.pages import build_site, shell
from framebench.records import store
from tests.record_factory import CONTENDERS, make_trials

ROOT = Path(__file__).resolve().parents[2]
CONFIGURATION = """\
INHERIT: {root}/mkdocs.yml
docs_dir: {docs}
site_dir: {site}
theme:
  custom_dir: {root}/site/theme
"""


@pytest.mark.slow
def test_properdocs_builds_the_same_pages(tmp_path: Path) -> None:
    for record in make_trials(contenders=CONTENDERS[:2], kinds=("parity", "timing"), rounds=1):
        store.write(record, tmp_path / "results")
    build_site(ROOT, [tmp_path / "results"], tmp_path / "build" / "site")
    ours, theirs = tmp_path / "build" / "mkdocs", tmp_path / "properdocs"
    configuration = tmp_path / "properdocs.yml"
    configuration.write_text(CONFIGURATION.format(root=ROOT, docs=tmp_path / "build" / "docs", site=theirs))
    command = [sys.executable, "-m", "properdocs", "build", "--strict", "-f", str(configuration)]
    built = subprocess.run(command, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr[-2000:]
    pages = {path.relative_to(ours).as_posix() for path in ours.rglob("index.html")}
    assert pages == {path.relative_to(theirs).as_posix() for path in theirs.rglob("index.html")}
    other = [name for name in sorted(pages) if article(ours / name) != article(theirs / name)]
    assert not other and len(pages) > 50
    assert shell.read(theirs).entry == shell.read(ours).entry


def article(page: Path) -> str:
    """What the page says, without the frame that names its engine."""
    (found,) = re.findall("<article.*?</article>", page.read_text(), re.DOTALL)
    return str(found)
