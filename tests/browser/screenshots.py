"""``make screenshots``: the pictures of the README, taken anew of the site in build/site."""

from __future__ import annotations

import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

from tests.chromium import CHROMIUM, FLAGS, open_page, served

ROOT = Path(__file__).resolve().parents[2]
PICTURES = {"screenshot.png": ("compare/", 1200, 860)}
"""Name in ``site/assets`` → the page, and the width and height of the screen in pixels."""


def main() -> int:
    if CHROMIUM is None:
        print("no Chromium is installed: apt-get install chromium")
        return 2
    with served(ROOT / "build" / "site") as address, sync_playwright() as engine:
        browser = engine.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        for name, (path, width, height) in PICTURES.items():
            page = open_page(browser, viewport={"width": width, "height": height}, color_scheme="light")
            page.goto(address + path, wait_until="networkidle")
            page.screenshot(path=ROOT / "site" / "assets" / name)
            print(f"site/assets/{name}: {path}, {width} × {height}")
        browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
