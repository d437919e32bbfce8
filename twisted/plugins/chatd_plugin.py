"""Tells twistd that there is a command `chatd`, without importing any of it."""

from twisted.application.service import ServiceMaker

chatd = ServiceMaker(
    "chatd",
    "chatd.daemon.service",
    "A chat daemon: accounts, mailboxes that survive a crash, one port.",
    "chatd",
)
