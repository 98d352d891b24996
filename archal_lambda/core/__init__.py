"""Pure values and rules: what a call is, and what becomes of it.

Nothing here opens a socket, starts a thread, knows an event loop or draws a random number, and every clock is passed
in. That is what makes the rules the same under both drivers, and testable step by step.

**One idiom for values.** A value is a frozen `msgspec.Struct`. The exception is a value whose constructor takes
something other than its fields, such as `Request`, `Headers` and `Settings`: that is an `Immutable` (see `values`).
Setting an attribute of either fails.
"""
