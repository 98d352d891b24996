"""Seed documents as emulate reads them: the keys and types that its source names for each service.

This package owns the keys alone. It must not know what refers to what.
"""
