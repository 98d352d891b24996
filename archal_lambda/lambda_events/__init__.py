"""What AWS makes of an HTTP request for a function, and of a function's result for whoever asked.

This package owns the shapes of events and the rules of results. It must not open a socket, read a clock or make an id:
each is passed in.
"""
