"""``make lighthouse``: what Lighthouse says of the site in build/site. 1 where a score is below 100."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.chromium import CHROMIUM, FLAGS, served

ROOT = Path(__file__).resolve().parents[2]
SITE = ROOT / "build" / "site"
LIGHTHOUSE = ROOT / "build" / "node" / "node_modules" / ".bin" / "lighthouse"
CATEGORIES = ("accessibility", "best-practices", "seo")


def report(address: str) -> dict[str, Any]:
    """What Lighthouse found on a phone's screen, as its own JSON."""
    done = subprocess.run(
        [
            LIGHTHOUSE,
            address,
            "--quiet",
            "--output=json",
            "--no-enable-error-reporting",
            f"--only-categories={','.join(CATEGORIES)}",
            f"--chrome-flags=--headless=new {' '.join(FLAGS)}",
        ],
        env=os.environ | {"CHROME_PATH": str(CHROMIUM)},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def main() -> int:
    if CHROMIUM is None:
        print("no Chromium is installed: apt-get install chromium")
        return 2
    result = min(path.name for path in (SITE / "results").iterdir())
    below = False
    with served(SITE) as address:
        for path in ("", "compare/", f"results/{result}/", "method/", "zh/"):
            found = report(address + path)
            print(path or "home")
            for category in CATEGORIES:
                score = found["categories"][category]["score"] or 0
                below |= score < 1
                print(f"  {score * 100:3.0f} {category}")
                for name in (
                    one["id"] for one in found["categories"][category]["auditRefs"] if one["weight"]
                ):
                    audit = found["audits"][name]
                    if audit["score"] is not None and audit["score"] < 1:
                        print(f"      {audit['title']}: {audit.get('displayValue', '')}")
    return 1 if below else 0


if __name__ == "__main__":
    sys.exit(main())
