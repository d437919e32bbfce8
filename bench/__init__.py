"""What chatd costs, relative to a bare Twisted relay in the same run. See bench/README.md.

`measurements` has the table of measurements; `classic_measurements` and `v1_measurements` make them
with `harness`; a driver (`classic_driver`, `v1_driver`) makes the load in a process of its own;
`bare_relay` and `bare_broadcast` are the baselines.
"""
