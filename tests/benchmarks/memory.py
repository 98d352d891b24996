"""What a call leaves and takes: the peak of a large answer, and 100,000 calls in one process.

The peak is what the process's resident memory rose by above where it was before the call, at most, while an answer
of 5 MB (5,000 repositories with a description of about 900 characters each) was read and decoded.
"""

from __future__ import annotations

import measure
from clients import CLIENTS

SIZE = 5_000_000  # bytes of the answer
WARM = 2_000  # calls before growth counts


def peaks(names, rounds):
    """Measure the peak of a large answer, each time in a new process: {client: bytes}."""
    with measure.server() as origin:

        def take(name):
            with measure.workers([name], origin) as workers:
                workers[name].ask("calls", path="/200/0", count=3)
                return workers[name].ask("peak", path=f"/{SIZE}/0")

        taken = measure.interleaved({name: lambda name=name: take(name) for name in names}, rounds)
    found = {name: measure.median(results, "bytes") for name, results in taken.items()}
    measure.table(
        f"Peak memory for an answer of {SIZE / 1e6:g} MB",
        ["client", "MB over the process before", "times the answer"],
        [[name, f"{rise / 1e6:.1f}", f"{rise / SIZE:.2f}"] for name, rise in found.items()],
    )
    return found


def growth(names, calls):
    """Measure what many calls leave behind: {client: [bytes]}, at eleven points from the warm process on."""
    found = {}
    with measure.server() as origin, measure.workers(names, origin) as workers:
        for name, worker in workers.items():
            worker.ask("calls", path="/200/0", count=WARM)
            found[name] = [worker.ask("resident")["bytes"]]
            for _ in range(10):
                worker.ask("calls", path="/200/0", count=max(calls // 10, 1))
                found[name].append(worker.ask("resident")["bytes"])
    measure.table(
        f"Resident memory over {calls:,} calls, after {WARM:,} to warm up",
        ["client", "before, MB", "after, MB", "growth, kB"],
        [
            [
                name,
                f"{all_[0] / 1e6:.1f}",
                f"{all_[-1] / 1e6:.1f}",
                round((all_[-1] - all_[0]) / 1e3),
            ]
            for name, all_ in found.items()
        ],
    )
    return found


def main():
    """Measure, print, save."""
    names = [name for name in CLIENTS if not name.endswith("hook")]
    parser = measure.parser(__doc__, rounds=5, clients=names)
    parser.add_argument("--calls", type=int, default=100_000, help="calls for the growth")
    parser.add_argument(
        "--growth-of",
        nargs="*",
        choices=names,
        default=["archal_lambda"],
        metavar="CLIENT",
        help="whose growth; archal_lambda's by default",
    )
    options = parser.parse_args()
    chosen = measure.installed(options.clients)
    figures = {"size": SIZE, "peaks": peaks(chosen, options.rounds)}
    if options.growth_of:
        figures["growth"] = growth(measure.installed(options.growth_of), options.calls)
    measure.save(options.json, **figures)


if __name__ == "__main__":
    main()
