"""Version 1, chatd's own protocol.

`protocol` is the connection, with the frequent messages; `requests` is the table of all other
requests. A request of the catalogue (`chatd.codecs.v1_messages`) has one handler, in the module
named as its feature in `chatd.realm`. To add one: the message and its example in the catalogue, and
the handler here.
"""
