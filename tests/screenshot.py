"""Makes the picture of the page that the README shows: `python tests/screenshot.py [FILE]`.

A session as a developer has it: calls that work, one that the clone refuses, one that the route refuses, one opened.
"""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from support.chromium import chromium
from support.page import Page
from support.standin import route, send

from archal_lambda.local import LocalArchal

PICTURE = Path(__file__).parents[1] / "docs" / "page.png"
MOST = 200_000  # bytes


def take(page, file, *, width=1280, height=860, scheme="light", whole=False):
    """Take one picture of a local Archal that was used a little."""
    with LocalArchal() as archal:
        github = route(archal)
        github("GET", "/user")
        github(
            "POST",
            "/user/repos",
            {"name": "webshop", "private": True, "api_key": "sk_" + "test_1234567890"},
        )
        send(f"{archal.base_url('github')}/user/repos")
        github("POST", "/repos/testuser/webshop/issues", {"title": "The basket loses items"})
        github("GET", "/repos/testuser/webshop/issues?state=open&per_page=30")
        github("GET", "/repos/testuser/nowhere")
        github("PATCH", "/repos/testuser/webshop/issues/1", {"state": "closed"})
        missing = send(f"{archal.api_url}/_archal/world").status == 404
        page.open(
            archal, standin=missing, viewport={"width": width, "height": height}, colorScheme=scheme
        )
        page.wait("document.querySelectorAll('tr.row').length === 8")
        page.run(
            "await page.locator('#snapshot').click(); await page.waitForTimeout(300);"
            "await page.locator('tr.row', { hasText: 'POST /user/repos' }).locator('button').click();"
            "await page.locator('td.detail h3').first().waitFor();"
            "await page.evaluate(() => document.activeElement.blur());"
            "await page.evaluate(() => { document.querySelector('#said').textContent = ''; });"
            "await page.screenshot({ path: args.file, fullPage: args.whole });",
            file=str(file),
            whole=whole,
        )


def main():
    file = Path(sys.argv[1]) if len(sys.argv) > 1 else PICTURE
    file.parent.mkdir(exist_ok=True)
    with contextlib.closing(chromium()) as browser:
        take(Page(browser), file)
    size = file.stat().st_size
    if size > MOST:
        raise SystemExit(f"{file} has {size} bytes, more than {MOST}")


if __name__ == "__main__":
    main()
