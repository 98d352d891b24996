class Config:
    def __init__(
        self, *, connect_timeout: float, read_timeout: float, retries: dict[str, object]
    ) -> None: ...
