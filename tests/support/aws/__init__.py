"""What stands in for Lambda: the emulator, the Runtime API, a function and a relay."""
