"""The daemon: from options to a running service. The only package that imports every other one.

`service` assembles the parts, and starts and stops them in order. `system` is what it takes from
the machine and the process, `log_level` how much is logged, `file_modes` who may read the files.
`listeners` and `grpc_listener` own the ports, `signals` the signal handlers, `banner` what is
printed when the daemon has started. To add a part with a life cycle: create it in `service.Daemon`,
start it and stop it there.
"""
