"""The gRPC ChatService: `service` has the calls, `account` what one account is sent, `server` the port.

Nothing here is imported unless a gRPC port is open.
"""
