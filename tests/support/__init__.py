"""What the tests are made with: fakes, servers that misbehave, and what is fetched from elsewhere."""
