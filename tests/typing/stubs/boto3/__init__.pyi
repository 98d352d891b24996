from typing import Any

from botocore.config import Config

def client(service_name: str, *, config: Config) -> Any: ...
