"""The clients that users hold: synchronous in `sync`, awaited in `aio`.

Importing this package loads neither, so that none drags the other along.
"""
