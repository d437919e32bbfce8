"""The client library: one account at one server, over as many connections as it takes.

Imports `chatd.core` and `chatd.codecs`. Programs import it as `chatd.client`.
"""
