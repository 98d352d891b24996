"""Pyodide in Node."""
