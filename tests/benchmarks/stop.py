"""How long `LocalArchal.stop()` takes, in ms: `python tests/benchmarks/stop.py`.

Alone, with idle connections that are kept alive, and while headless Chromium shows the page, where there is one.
"""

from __future__ import annotations

import contextlib
import statistics
import sys
import time
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

sys.path.insert(0, str(Path(__file__).parents[1]))

from support.chromium import chromium

from archal_lambda.local import LocalArchal

TIMES = 50


def stopped(prepare):
    """Start, prepare and stop; give the milliseconds that the stop took."""
    archal = LocalArchal().start()
    done = prepare(archal)
    started = time.perf_counter()
    archal.stop()
    took = (time.perf_counter() - started) * 1000
    done()
    return took


def alone(_archal):
    return lambda: None


def idle(archal):
    connections = [HTTPConnection(urlsplit(archal.api_url).netloc) for _ in range(20)]
    for connection in connections:
        connection.request("GET", "/auth/me")
        connection.getresponse().read()
    return lambda: [connection.close() for connection in connections]


def shown(browser):
    def show(archal):
        browser.run(
            "kept.page ??= await browser.newPage();"
            "await kept.page.goto(args.url);"
            "await kept.page.waitForFunction(() => document.body.innerText.includes('127'))",
            url=f"{archal.api_url}/",
        )
        time.sleep(0.3)  # it has come to rest: what is measured is not how Chromium starts
        return lambda: None

    return show


def report(name, prepare):
    took = sorted(stopped(prepare) for _ in range(TIMES))
    print(
        f"{name:28} median {statistics.median(took):5.1f}   95 % {took[int(TIMES * 0.95)]:5.1f}   most {took[-1]:5.1f}"
    )


def main():
    report("no connection", alone)
    report("20 idle connections", idle)
    try:
        browser = chromium()
    except (OSError, ValueError) as error:
        print(f"no page: {error}")
        return
    with contextlib.closing(browser):
        report("the page open", shown(browser))


if __name__ == "__main__":
    main()
