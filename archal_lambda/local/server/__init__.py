"""The server of the stand-in: what a caller sees of Archal itself, behind one loopback port.

This package owns the control plane, the runtime proxy, the records and the thread. It must not know what any clone
does: of clones it imports the catalogue alone.
"""
