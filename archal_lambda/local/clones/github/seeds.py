"""Named starting states (Archal docs, guides/seeds).

Owns what a fresh clone contains. Only `empty` and `small-project` are offered here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from archal_lambda.local.clones.github.state import State

SEEDS = ("empty", "small-project")
"""Names of the seeds, the default first."""

_README = """\
# webshop

A small shop, to try things on.
"""


def plant(state: State, seed: str) -> None:
    """Fill a fresh state."""
    if seed == "small-project":
        _small_project(state)


def _small_project(state: State) -> None:
    owner, colleague = state.viewer, state.add_user("octocat")
    repo = state.add_repo(owner, "webshop")
    repo.description = "A small shop, to try things on"
    state.commit(repo, "README.md", _README.encode(), message="Initial commit")
    state.commit(repo, "src/cart.py", b"TOTAL = 0\n", message="Add the cart")
    state.add_label(repo, "area/checkout", color="0e8a16", description="Paying for things")
    crash = state.add_issue(
        repo, colleague, title="Checkout fails on an empty cart", body="It answers 500."
    )
    crash.labels = state.labels_named(repo, ["bug", "area/checkout"])
    crash.assignees = [owner]
    state.add_comment(repo, crash, owner, "I can reproduce it.")
    state.add_comment(repo, crash, colleague, "It began with the last release.")
    wish = state.add_issue(repo, owner, title="Remember the cart between visits", body=None)
    wish.labels = state.labels_named(repo, ["enhancement"])
    done = state.add_issue(
        repo, owner, title="Write a README", body="So that people find their way."
    )
    done.state, done.state_reason = "closed", "completed"
    done.closed_at, done.closed_by = state.now(), owner
