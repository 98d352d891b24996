"""Example handlers, one file each, made to be copied. `template.yaml` deploys seven of them."""

from __future__ import annotations

import sys

try:
    import msgspec as msgspec
except ModuleNotFoundError as error:
    if error.name != "msgspec._core":
        raise
    python = "{}.{}".format(*sys.version_info)
    raise ImportError(
        f"the code was built for another Python or processor than this one (Python {python}): "
        "give `sam build` and `sam deploy` the same Runtime and Architecture"
    ) from error
