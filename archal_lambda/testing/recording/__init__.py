"""Recordings of what a client sent and got, without secrets."""
