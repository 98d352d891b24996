"""The tests of the synchronous clients, once more on the asynchronous ones."""

from __future__ import annotations

import pytest
from blocking import blocking, event_loop
from unit import test_clones as of_clones
from unit import test_sessions as of_sessions

from archal_lambda import AsyncArchalClient, AsyncClones

# Copies of those modules, which pytest imports by another name.
of_clones.Clones = blocking(AsyncClones)
of_sessions.ArchalClient = blocking(AsyncArchalClient)

OF_THREADS = {  # what tasks do instead, test_aio.py tells
    "test_gather_runs_side_by_side",
    "test_an_interrupted_stop_is_begun_again",  # asyncio makes a cancellation of an interruption
}

for _module in (of_clones, of_sessions):
    globals().update(
        {
            name: value
            for name, value in vars(_module).items()
            if name.startswith("test_") and name not in OF_THREADS
        }
    )


@pytest.fixture(autouse=True)
def in_one_loop():
    with event_loop():
        yield
