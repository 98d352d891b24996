"""Owns the version number; the build reads it here. Must contain nothing else."""

__version__ = "0.1.0"
