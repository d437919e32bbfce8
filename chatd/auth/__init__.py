"""Authentication: who a client is.

`credentials` has the ways to log in and their checker (`twisted.cred`), `passwords` hashes them off
the reactor's thread, `throttle` delays attempts after wrong ones. Imports `chatd.core` and
`chatd.realm`. To add a way to log in: a credentials class and its case in
`credentials.AccountChecker`.
"""
