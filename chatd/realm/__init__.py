"""The realm: accounts, sessions, rooms, permissions and delivery, which all protocols share.

Plain Python over the store contract (`chatd.stores`) and `chatd.core`; no Twisted, sockets,
threads or codecs. `realm` wires the parts and has the send path; each feature has a module of its
own, with the same name as in `chatd.protocols.v1` and in the client's commands. To add a feature:
its module here, its rules in `permissions`, its stored record beside it, then a method that
protocols call.
"""
