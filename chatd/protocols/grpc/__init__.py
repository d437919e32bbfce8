"""The gRPC ChatService. Nothing here is imported unless a gRPC port is open.

`port` is the port, `server` has its services, `service` the calls, `caller` the client of a call,
`account` the session of one account and what it receives, `stream` one open ReceiveMessages call.
"""
