"""The daemon: from options to a running service. The only package that knows every other one.

`service` assembles the parts and starts and stops them in order; `listeners` and `grpc_listener` own
the ports. To add a part with a life cycle: create it in `service.Daemon`, start and stop it there.
"""
