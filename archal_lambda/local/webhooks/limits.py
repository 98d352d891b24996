"""How far deliveries may lead, and what is said of those that were not made.

This module owns the numbers with their reasons, and the words.
"""

from __future__ import annotations

__all__ = ["LOOP", "MAX_DEPTH", "MAX_STREAK", "NOT_LOOPBACK", "STOPPED"]

# A reaction to a reaction is usual, and GitHub itself stops its own chains of workflows at three levels
# (docs.github.com, events-that-trigger-workflows, `workflow_run`). Twenty is nobody's intention.
MAX_DEPTH = 20
# What leads to what is known while somebody waits for the end. While nobody does, a test may be the cause itself, and
# a thousand is a number for tests: this many without a pause are a loop.
MAX_STREAK = 10_000

LOOP = "loop"
NOT_LOOPBACK = "not a loopback address"
STOPPED = "stopped"
