"""Services that npm's `emulate` emulates, as clones beside our own, and any other server behind the route proxy.

This package owns the one Node process of a local Archal, what goes to it and what it lacks. Nothing of `emulate` is in
it: the first use installs it. It must not know sessions, tokens or the proxy.
"""
