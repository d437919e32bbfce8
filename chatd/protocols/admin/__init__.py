"""The admin socket: operators' requests to a running daemon, one JSON object a line.

`chatd.codecs.admin` has the requests, `requests` has them carried out by `chatd.realm.operations`,
`connection` is the connection of one operator, `audited` is what the audit log has of a request. To
add a request: ``docs/architecture.md`` ("An operator's command").
"""
