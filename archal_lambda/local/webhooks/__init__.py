"""Deliveries: what the clones tell of themselves to hooks and handlers.

This package owns who is told, in which order, how often, and what came of it. It must not know what a clone's events
mean, nor reach anything but this machine.
"""
