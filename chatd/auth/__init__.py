"""Authentication: credentials and their checker (`twisted.cred`), password hashing, throttling.

Imports `chatd.core` and `chatd.realm`. To add a way to log in: a credentials class and its case in
`credentials.AccountChecker`.
"""
