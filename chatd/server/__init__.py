"""What all connections have in common: reading, pausing, limits, TLS and closing.

Imports `chatd.core`, `chatd.realm`, `chatd.auth` and the contract of `chatd.stores`; knows no codec
and no protocol. `connection` is the base class of every protocol on a Twisted transport, `closing`
how it ends; `factory` counts connections and holds their deadlines, `sniffer` finds the protocol of
a connection by its first bytes. To add a limit: its bound in `chatd.core.limits`, its enforcement
here.
"""
