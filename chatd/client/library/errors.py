"""Errors that the library raises, besides those of `chatd.core.errors`."""

from __future__ import annotations

from chatd.codecs.v1_messages import Welcome
from chatd.core.errors import Busy, Fatal, LimitReached, Refused, StoreUnavailable

TEMPORARY_REFUSALS = frozenset({Busy.code, StoreUnavailable.code})
"""the codes of refusals after which the same request may succeed later"""
TEMPORARY_LOGIN_REFUSALS = TEMPORARY_REFUSALS | {LimitReached.code}
"""the codes of a refused login after which the client connects again later: the server may still
count sessions whose connections were lost"""

LOST = "The connection was lost."
"""the reason if nothing else is known"""


class ConnectionClosed(Fatal):
    """The connection to the server is closed."""

    code = "disconnected"
    explained = False
    """whether the sentence is the server's or TLS's own explanation"""


class RefusedByServer(Refused):
    """The server refused the request; code and sentence are the server's."""

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code  # type: ignore[misc]  # a class attribute in `Refused`
        self.welcome: Welcome | None = None
        """the server's description of itself, if the login was refused"""


class RefusedByClient(Refused):
    """The request cannot be sent. The code is that with which a server would refuse it:
    ``malformed`` or ``frame-too-long``."""

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code  # type: ignore[misc]  # a class attribute in `Refused`
