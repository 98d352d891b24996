"""The clones of the stand-in: ASGI applications that behave as the services do.

This package owns the services' behaviour. It must not import the server, nor know that there is a proxy.
"""
