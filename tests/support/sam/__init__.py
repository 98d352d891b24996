"""SAM in an environment of its own."""
