"""Faults on demand: what is to go wrong, when, and in whose words.

This package owns the rules, which the local Archal plays and a transport of tests does. It must not play any itself.
"""
