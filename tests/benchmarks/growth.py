"""What ten times as much takes: bodies, pages, clones and calls. Linear is ten times as long, or less.

Everything is measured in this process; bodies and calls come from the fast server in another.
"""

from __future__ import annotations

import time

import measure
from peers import ROUTE

from archal_lambda import Clones, Request, Response, Settings
from archal_lambda.transports.mock import MockTransport

TIMES = 10
# The smaller of two sizes, and what is counted.
BODY = 600_000  # bytes
PAGES = 500
CLONES = 100
CALLS = 10_000
CONCURRENT = 100


def bodies(clones, count):
    """Read and decode a response of so many bytes."""
    response = clones["svc"].post(f"/{count}/0", json={})
    assert len(response.raise_for_status().json()["items"])


def calls(clones, count):
    """Make so many calls, one after the other."""
    clone = clones["svc"]
    for _ in range(count):
        clone.post("/200/0", json={}).raise_for_status()


def gathered(clones, count):
    """Make so many calls side by side."""
    ready = [("svc", Request("POST", "/200/0", json={})) for _ in range(count)]
    for one in clones.gather(ready, max_concurrency=CONCURRENT, timeout=60.0):
        one.raise_for_status()


def pages(_, count):
    """Walk through a list of so many pages."""

    def page(request):
        number = int(request.query.partition("=")[2] or 0)
        more = [("Link", f'</svc/api/list?page={number + 1}>; rel="next"')]
        return Response(200, json=[number], headers=more if number + 1 < count else [])

    settings = Settings(clone_urls={"svc": "http://127.0.0.1/svc/api"}, token=ROUTE)
    walk = Clones(settings, transport=MockTransport(page))["svc"].paginate
    assert sum(1 for _ in walk("/list", type=list[int], max_pages=count)) == count


def many_clones(_, count):
    """Read the settings of so many clones, and use each."""
    urls = {f"clone-{number}": f"https://c{number}.test/api" for number in range(count)}
    transport = MockTransport(lambda _: Response(200))
    clones = Clones(Settings(clone_urls=urls, token=ROUTE), transport=transport)
    for name in urls:
        clones[name].get("/")


WHAT = {
    "bytes of a body": (bodies, BODY),
    "pages of a list": (pages, PAGES),
    "clones of a session": (many_clones, CLONES),
    "calls": (calls, CALLS),
    f"calls, {CONCURRENT} at once": (gathered, CALLS // 10),
}


def main():
    """Measure, print, save."""
    options = measure.parser(__doc__, rounds=5).parse_args()
    rows = {}
    with measure.server() as origin:
        settings = Settings(clone_urls={"svc": f"{origin}/svc/api"}, token=ROUTE)
        with Clones(settings, timeout=60.0) as clones:
            for name, (do, count) in WHAT.items():

                def take(count, do=do):
                    started = time.process_time()
                    do(clones, count)
                    return {"cpu": time.process_time() - started}

                few, many = count, count * TIMES
                take(few)
                taken = measure.interleaved(
                    {size: lambda size=size: take(size) for size in (few, many)},
                    options.rounds,
                )
                rows[name] = {
                    size: measure.median(results, "cpu") for size, results in taken.items()
                }
    measure.table(
        f"CPU of {TIMES} times as much",
        ["what", "from", "to", "ms", "ms", f"times as long for {TIMES} times as much"],
        [
            [
                name,
                *[f"{size:,}" for size in found],
                *[f"{cpu * 1e3:.1f}" for cpu in found.values()],
                f"{found[max(found)] / found[min(found)]:.1f}",
            ]
            for name, found in rows.items()
        ],
    )
    measure.save(options.json, growth=rows)


if __name__ == "__main__":
    main()
