"""The gRPC ChatService. Nothing here is imported unless a gRPC port is open.

`port` is the port, `server` has its services, `registered` is a server that takes no unknown calls,
`service` the calls, `caller` the client of a call, `account` one account with its streams,
`held_accounts` has all of them and logs them in, `stream` one open ReceiveMessages call,
`unconfirmed` what was written to it and may not have arrived, `notices` the notices of an account,
`rates` delays the calls over a rate, `calls` counts those under way, `refusals` logs those that are
refused. The calls run on asyncio, the realm on Twisted:
`futures` is between them.
"""
