"""The realm: accounts, sessions, rooms, permissions and delivery, which all protocols share.

Plain Python over the store contract (`chatd.stores`) and `chatd.core`; no Twisted, sockets,
threads or codecs. Each feature has a module of its own, with the same name as in
`chatd.protocols.v1` and in the client's commands. To add a feature: its module here, made by
`realm`, its rules in `permissions`, its stored record beside it, then a method that protocols call.

- The whole: `realm` wires the parts and has the send path; `context` is what a feature may use of
  the others; `permissions` decides who may do what; `operations` is what operators may ask, with
  `account_operations`, `room_operations` and `token_operations`, and `page` for listings.
- Sessions: `session` is one authenticated connection, `subscription` its place in one log, `peer`
  the protocol behind it, `proof` by what it was opened; `scoped_session` is one with an access
  token that permits some things only; `sessions` opens and ends those of this daemon; `mail_fetch`
  is for mail without a session; `requester` is the client that work is charged to, with a session
  or without.
- Delivery: `live_log` is a log with its subscribers; `delivery` pushes what was committed and
  answers the senders; `fan_out` does so in parts when there are many subscribers.
- Accounts: `accounts` finds and changes the records, `account_changes` does what concerns other
  features, too (registration, passwords, deletion); `resume_tokens` let a client reconnect without
  a password, `resume_token` is what is stored of one; `access_tokens` are those of bots and
  scripts, `access_token` is what is stored of one; `invite_tokens` let an account be registered,
  `last_hour` counts those of an address; `blocking`; `presence`; `suspensions` keep accounts
  from being used, `address_bans` the clients at an address.
- Mail: `mailbox` is an account as this daemon holds it, `read_state` what it has acknowledged and
  read of a log, `positions` saves that in the background; `receipts` notify the senders.
- Rooms: `room` is a room with its record, `membership` the rows of its members; `loaded_rooms` has
  the rooms in memory and changes them, `room_departures` ends memberships and deletes rooms,
  `deleted_rooms` keeps these for a time and restores them, `room_listings` finds rooms and members,
  `room_roles` sets roles, `room_settings` are set one by one, `room_speech` has who may send to a
  room that limits sending, `slow_mode` when its members have sent; `rooms` has all else.
- For operators: `announcements` to all sessions, the `audit` log of what they have done,
  `mass_deletion` of old or idle accounts, `personal_data` lists what is stored of one account;
  `written_entries` finds what it has written, and `erasure` takes the texts from that,
  `erasure_record` is what is stored of one under way.
- Moderation: `moderation` bans and silences, `restrictions` are the rows of that.
- Entries that are stored: `history` reads them again, `edits` refer to them, `message_marks` are
  what is stored of that, `reports` are about them, `retention` trims them.
- Storing: `documents` are typed records in the store, `changes` are made together by one write,
  `tasks` is background work. `counters` counts refusals and the bounds that were met.
"""
