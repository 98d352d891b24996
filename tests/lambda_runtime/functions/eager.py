"""A handler that reads its settings when it is imported, so that a bad environment fails the start."""

from archal_lambda import Clones

clones = Clones.from_env()


def handler(event, context):
    return sorted(clones)
