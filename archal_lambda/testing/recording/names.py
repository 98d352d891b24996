"""Names that are others at each recording: ids of sessions, and the addresses of Archal and of sessions.

This module owns the placeholders that stand for them. It must not know where in a request or response they are.
"""

from __future__ import annotations

import re
import threading
from urllib.parse import unquote, urlsplit

__all__ = ["Names"]

_PLACEHOLDER = re.compile(r"\{archal\.(control|(?:session|runtime)-[1-9][0-9]*)\}")
# Where an address names its session: the session's own host, or the runtime proxy's path.
_HOST = re.compile(r"([a-z0-9-]+)\.clones\.archal\.ai")
_RUNTIME = re.compile(r"/runtime/([A-Za-z0-9._~-]+)(?:/|$)")
_SHOWABLE = re.compile(r"[A-Za-z0-9._~-]{4,200}")  # a shorter one would be found inside of texts


class Names:
    """The names of one run beside their placeholders, which are numbered as they come; safe to use from any thread."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._hidden: dict[str, str] = {}
        self._shown: dict[str, str] = {}
        self._pattern: re.Pattern[str] | None = None

    def control(self, base: str) -> None:
        """Learn the control plane's base URL; the last one counts."""
        with self._lock:
            if self._shown.get("control") != base:
                self._learn("control", base)

    def session(self, session_id: str) -> None:
        """Learn the id of a session."""
        if _SHOWABLE.fullmatch(session_id):
            self._number("session", session_id)

    def runtime(self, root: str) -> None:
        """Learn the address under which a session has its clones, and the id of the session that it may name."""
        parts = urlsplit(root)
        found = _HOST.fullmatch(parts.hostname or "") or _RUNTIME.match(parts.path)
        if found is not None:
            self.session(unquote(found[1]))
        self._number("runtime", root)

    def hide(self, text: str) -> str:
        """Put placeholders for the names in a text."""
        with self._lock:
            pattern, hidden = self._pattern, self._hidden
            if pattern is None:
                return text
            return pattern.sub(lambda found: f"{{archal.{hidden[found[0]]}}}", text)

    def show(self, text: str) -> str:
        """Put names for the placeholders in a text; one that has none yet is given one."""
        if "{archal." not in text:
            return text
        with self._lock:
            return _PLACEHOLDER.sub(lambda found: self._name(found[1]), text)

    def _name(self, placeholder: str) -> str:
        if placeholder not in self._shown:
            # A name that nobody can reach (RFC 2606, section 2).
            made = f"https://{placeholder}.replay.invalid"
            kind, _, number = placeholder.partition("-")
            self._learn(placeholder, f"ses-replay-{number}" if kind == "session" else made)
        return self._shown[placeholder]

    def _number(self, kind: str, name: str) -> None:
        with self._lock:
            if name in self._hidden:
                return
            number = 1
            while f"{kind}-{number}" in self._shown:
                number += 1
            self._learn(f"{kind}-{number}", name)

    def _learn(self, placeholder: str, name: str) -> None:
        self._hidden[name] = placeholder
        self._shown[placeholder] = name
        # The longest first: one may begin with another. An id is a word of its own, behind an escape as well.
        longest = sorted(self._hidden, key=len, reverse=True)
        names = "|".join(map(re.escape, longest))
        self._pattern = re.compile(
            rf"(?:(?<=%[0-9A-Fa-f][0-9A-Fa-f])|(?<![\w-]))(?:{names})(?![\w-])"
        )
