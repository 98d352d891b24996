"""A server that misbehaves, what it sends, its certificates, and the client that calls it."""
