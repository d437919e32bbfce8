"""Version 1, chatd's own protocol: `protocol` is the connection, the other modules carry out requests.

A request of the catalogue (`chatd.codecs.v1_messages`) has one handler here, in the module named as
its feature.
"""
