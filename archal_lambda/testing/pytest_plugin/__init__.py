"""What the pytest plugin does once a run uses it.

`archal_lambda.testing.plugin` is what pytest loads in everybody's runs; it loads a module of these when a fixture or an
option asks for it. This package owns the worlds that tests run against. It must not be imported by anything else.
"""
