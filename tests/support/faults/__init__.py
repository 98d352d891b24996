"""What a server that misbehaves sends, its certificates, and the client that calls it."""
