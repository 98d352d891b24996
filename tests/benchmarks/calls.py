"""What a call costs: CPU and wall time of a typed, route-authorized POST on loopback, client by client.

Each client runs in a process of its own and calls a fast server in another, on connections that are kept alive.
`CPU` is user and system time of the client's process alone.
"""

from __future__ import annotations

import measure
from clients import CLIENTS

FLOOR = "http.client + msgspec"
OURS = "archal_lambda"
# Size of the answer in bytes: how often to call in each round.
SIZES = {200: 400, 1_000: 400, 100_000: 100, 5_000_000: 3}
LATENCY = 20  # milliseconds
WIDTHS = (1, 8, 64, 256)


def sizes(workers, rounds, count):
    """Measure answers of each size: {size: {client: {cpu, wall}}} in microseconds a call."""
    found = {}
    for size, most in SIZES.items():
        calls = max(round(most * count), 1)
        path = f"/{size}/0"
        for worker in workers.values():
            worker.ask("calls", path=path, count=max(calls // 4, 1))
        taken = measure.interleaved(
            {
                name: lambda worker=worker, calls=calls, path=path: worker.ask(
                    "calls", path=path, count=calls
                )
                for name, worker in workers.items()
            },
            rounds,
        )
        found[size] = {
            name: {field: measure.median(results, field) / calls * 1e6 for field in ("cpu", "wall")}
            for name, results in taken.items()
        }
        show(f"Answers of {size:,} bytes", found[size])
    return found


def show(title, found):
    """Print what calls cost, and how many times that of the floor and of ours."""
    floor, ours = found.get(FLOOR), found.get(OURS)

    def ratio(one, other, field):
        return f"{one[field] / other[field]:.2f}" if one and other else "-"

    measure.table(
        title,
        ["client", "CPU µs", "wall µs", "CPU / floor", "wall / floor", f"{OURS} CPU / its CPU"],
        [
            [
                name,
                round(row["cpu"]),
                round(row["wall"]),
                ratio(row, floor, "cpu"),
                ratio(row, floor, "wall"),
                ratio(ours, row, "cpu"),
            ]
            for name, row in found.items()
        ],
    )


def fans(workers, rounds):
    """Measure calls side by side: {client: {width: {cpu, wall}}} in seconds."""
    path = f"/200/{LATENCY}"
    workers = {name: worker for name, worker in workers.items() if not name.endswith("hook")}
    for worker in workers.values():
        worker.ask("fan", path=path, count=max(WIDTHS))
    taken = measure.interleaved(
        {
            (name, width): lambda worker=worker, width=width: worker.ask(
                "fan", path=path, count=width
            )
            for name, worker in workers.items()
            for width in WIDTHS
        },
        rounds,
    )
    found = {name: {} for name in workers}
    for (name, width), results in taken.items():
        found[name][width] = {field: measure.median(results, field) for field in ("cpu", "wall")}
    few, *_, many, most = WIDTHS
    measure.table(
        f"Calls side by side, {LATENCY} ms of server latency each",
        [
            "client",
            *[f"{width} at once, ms" for width in WIDTHS],
            f"{most} / {few}",
            f"CPU of {many}, ms",
            f"CPU of {most}, ms",
        ],
        [
            [
                name,
                *[f"{row[width]['wall'] * 1e3:.1f}" for width in WIDTHS],
                f"{row[most]['wall'] / row[few]['wall']:.2f}",
                f"{row[many]['cpu'] * 1e3:.1f}",
                f"{row[most]['cpu'] * 1e3:.1f}",
            ]
            for name, row in found.items()
        ],
    )
    return found


def main():
    """Measure, print, save."""
    parser = measure.parser(__doc__, rounds=15, clients=CLIENTS)
    parser.add_argument("--count", type=float, default=1.0, help="calls a round, as a factor")
    parser.add_argument("--skip-fans", action="store_true", help="leave out calls side by side")
    options = parser.parse_args()
    names = measure.installed(options.clients)
    with measure.server() as origin, measure.workers(names, origin) as workers:
        found = {"sizes": sizes(workers, options.rounds, options.count)}
        if not options.skip_fans:
            found["fans"] = fans(workers, options.rounds)
    measure.save(options.json, **found)


if __name__ == "__main__":
    main()
