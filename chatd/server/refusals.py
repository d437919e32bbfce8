"""The line of the log for each refusal: who was refused, why, and the account that was tried.

Programs such as fail2ban read it (``docs/recipes/fail2ban.md``), so its form is the same for every
protocol.
"""

from __future__ import annotations

from twisted.logger import Logger

from chatd.core.log_text import tried_name

logger = Logger(namespace="chatd")

LOGGED = 10
"""refusals of a connection that are logged"""


def log_refusal(client: str, reason: str, account: str, number: int) -> None:
    """Log the refusal with this number of a connection, if it is one of the first.

    `client` is its address and port, `account` the name that it gave, or that of its session, or
    empty.
    """
    if number <= LOGGED:
        last = " (further refusals of this client are not logged)" if number == LOGGED else ""
        logger.info(
            "Client {client} refused: {reason}  [ {account} ]{last}",
            client=client,
            reason=reason,
            account=tried_name(account),
            last=last,
        )
