"""What PyGithub needs to call a clone."""

from __future__ import annotations

import github


class RoutedToken(github.Auth.Token):
    """A token that brings the route header along, PyGithub's documented way."""

    def __init__(self, token, headers):
        super().__init__(token)
        self._headers = headers

    def authentication(self, headers):
        super().authentication(headers)
        headers.update(self._headers)
