"""Values and rules of the toolkit, without I/O.

Nothing below this package may read a clock, open a socket, start a thread, or draw a random number;
what varies from run to run is passed in.
"""
