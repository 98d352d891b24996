"""Hours of `fuzz_response`, led by what code an input reaches.

Needs atheris, which is not among the test dependencies:
`pip install atheris; python tests/support/fuzz.py FOLDER [-max_total_time=SECONDS]`. The folder keeps what was found.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import atheris  # pyright: ignore[reportMissingImports]

with atheris.instrument_imports(include=["archal_lambda", "http", "email"]):
    from support import fuzz_response


def main() -> None:
    """Fuzz until something breaks, or the time is up."""
    folder = Path(sys.argv[1])
    folder.mkdir(exist_ok=True)
    for number, seed in enumerate(fuzz_response.SEEDS):
        for flags in range(4):
            (folder / f"seed-{number}-{flags}").write_bytes(bytes([flags]) + seed)
    with fuzz_response.Target() as target:
        atheris.Setup(sys.argv, target.check)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
