"""The I/O: what turns a request into a response.

Importing this package loads no transport; each has its own module, so that none drags another along.
"""
