"""Sentences for entries, events and answers; each is a line whose parts may have colours."""

from __future__ import annotations

from datetime import datetime, tzinfo

from chatd.client.cli.message_cache import MessageCache
from chatd.client.cli.output.style import DIM, PLAIN, Span, StyledLine, name_span
from chatd.client.library.errors import LOST
from chatd.client.library.events import Connected, Disconnected, Event, Overflow, Retrying
from chatd.codecs import v1_messages as c
from chatd.core.clocks import end_to_the_minute
from chatd.core.names import is_room

_MAX_EXCERPT = 40


def entry(entry: c.Pushed, cache: MessageCache, zone: tzinfo | None = None) -> StyledLine | None:
    """An entry that is not yet in the cache; None if its kind is unknown and it is not shown.

    `zone` is the time zone of a time in the sentence, None: local.
    """
    room = cache.display_name(entry.log) if is_room(entry.log) else ""
    in_room = f" in {room}" if room else ""
    body = entry.body
    match entry.kind:
        case "text":
            return _message(entry, room, cache)
        case "join":
            return notice(entry.sender, f" joined {room}")
        case "leave":
            return notice(entry.sender, f" left {room}")
        case "kick":
            return notice(entry.sender, f" kicked {body} from {room}")
        case "topic" if body:
            return notice(entry.sender, f" set the topic of {room}: {body}")
        case "topic":
            return notice(entry.sender, f" removed the topic of {room}")
        case "access":
            return notice(entry.sender, f" made {room} {body}")
        case "history":
            shown = "all messages" if body == "all" else "the messages since they joined"
            return notice(entry.sender, f" lets members of {room} read {shown}")
        case "setting":
            return notice(entry.sender, _setting(body, room))
        case "ban" | "silence":
            verbs = ("banned", "from") if entry.kind == "ban" else ("silenced", "in")
            return notice(entry.sender, _restricted(*verbs, body, room, zone))
        case "unban":
            return notice(entry.sender, f" ended the ban of {body} from {room}")
        case "unsilence":
            return notice(entry.sender, f" lets {body} send to {room} again")
        case "restore":
            return notice(entry.sender, f" restored {room}, which was deleted")
        case "role":
            name, _, role = body.partition(" ")
            return notice(entry.sender, f" changed the role of {name} in {room} to {role}")
        case "invite":
            return notice(entry.sender, f" invites you to {body}: /join {body}")
        case "edit":
            return notice(
                entry.sender, f" edited {_reference(entry, cache, zone)}{in_room}: {body}"
            )
        case "delete":
            return notice(entry.sender, f" deleted {_reference(entry, cache, zone)}{in_room}")
        case "reaction" if body:
            return notice(
                entry.sender, f" reacted {body} to {_reference(entry, cache, zone)}{in_room}"
            )
        case "reaction":
            message = _reference(entry, cache, zone)
            return notice(entry.sender, f" removed a reaction to {message}{in_room}")
    return None


def _setting(body: str, room: str) -> str:
    """What an entry says of a setting of a room: its name and its new value."""
    match body.split(" ", 1):
        case "slow", "0":
            return f" ended slow mode in {room}"
        case "slow", seconds:
            return f" set slow mode in {room}: one message in {seconds} s"
        case "read-only", "on":
            return f" made {room} read-only"
        case "read-only", "off":
            return f" lets all members send to {room} again"
        case "invite", "moderators":
            return f" lets only moderators invite to {room}"
        case "invite", "members":
            return f" lets all members invite to {room}"
        case "unlisted", "on":
            return f" took {room} out of the list of rooms"
        case "unlisted", "off":
            return f" put {room} into the list of rooms"
    setting, _, value = body.partition(" ")
    return f" set {setting} of {room} to {value}"


def _restricted(verb: str, where: str, body: str, room: str, zone: tzinfo | None) -> str:
    """What an entry says of a ban or a silence: name, room, end and reason."""
    name, _, rest = body.partition(" ")
    until, _, reason = rest.partition(" ")
    ends = _ends(int(until), zone) if until.isascii() and until.isdecimal() else ""
    return f" {verb} {name} {where} {room}{ends}" + (f": {reason}" if reason else "")


def _message(entry: c.Pushed, room: str, cache: MessageCache) -> StyledLine:
    own = entry.sender.lower() == cache.account.lower()
    if room:
        style = DIM if own else PLAIN
        sender = Span(entry.sender, DIM) if own else name_span(entry.sender)
        return (
            Span(room, DIM),
            Span(" <", style),
            sender,
            Span("> ", style),
            Span(entry.body, style),
        )
    if own and entry.log != cache.mailbox:
        return Span(f"-> {cache.display_name(entry.log)}: ", DIM), Span(entry.body, DIM)
    return name_span(entry.sender), Span(": "), Span(entry.body)


def _reference(entry: c.Pushed, cache: MessageCache, zone: tzinfo | None) -> str:
    """The message that an entry refers to, with its sender: quoted or, if it is deleted, without
    its text and with its time."""
    message = cache.get(entry.about)
    if message is None:
        return "an earlier message"
    deleted = message.deleted or entry.kind == "delete"
    if message.sender.lower() == entry.sender.lower():
        owner = "their " if deleted else ""
    else:
        own = message.sender.lower() == cache.account.lower()
        owner = "your " if own else f"{message.sender}'s "
    if not deleted:
        return owner + quoted(message.text)
    day = date(message.time, zone)
    day = "" if day == date(entry.time, zone) else f"{day} "
    return f"{owner}message of {day}{time_of_day(message.time, zone)}"


def quoted(text: str) -> str:
    """The beginning of a text, in one line and in quotation marks."""
    line = " ".join(text.split())
    return f'"{line}"' if len(line) <= _MAX_EXCERPT else f'"{line[: _MAX_EXCERPT - 3]}..."'


def notice(account: str, action: str) -> StyledLine:
    """An action of an account."""
    return Span("* ", DIM), name_span(account), Span(action, DIM)


def status_line(sentence: str) -> StyledLine:
    """An event that no account caused."""
    return (Span(f"* {sentence}", DIM),)


def event(event: Event, cache: MessageCache) -> StyledLine | None:
    """An event other than an entry; None if it is not shown."""
    match event:
        case c.Left(room, reason, note, until):
            sentences = {
                "left": "you left {}",
                "kicked": "you were kicked from {}",
                "banned": "you are banned from {}",
                "deleted": "{} was deleted",
            }
            sentence = sentences.get(reason, "you are no longer in {}")
            line = sentence.format(cache.display_name(room)) + _ends(until, None)
            return status_line(f"{line}: {note}" if note else line)
        case c.Goodbye(sentence=sentence):
            return status_line(f"message from the server: {sentence}")
        case c.Announcement(text=text):
            return status_line(f"announcement by the operator: {text}")
        case c.Presence(account):
            return (Span("* ", DIM), *person(account))
        case Disconnected(reason, _):
            details = f" ({reason.rstrip('.')})" if reason not in ("", LOST) else ""
            return status_line(f"the connection is lost{details}; reconnecting")
        case Connected():
            return status_line("reconnected")
        case Retrying(reason=reason):
            return status_line(f"messages are not stored for now ({reason.rstrip('.')}); retrying")
        case Overflow():
            return status_line("some notifications were dropped, because too many arrived")
    return None


def receipt(log: str, status: str, count: int, cache: MessageCache) -> StyledLine:
    """Messages to one account that were ``delivered`` or ``read``."""
    messages = f"{count} messages " if count > 1 else ""
    verb = "read by" if status == "read" else "delivered to"
    return (Span(f"({messages}{verb} {cache.display_name(log)})", DIM),)


# Answers


def person(person: c.Person) -> StyledLine:
    """The presence of an account."""
    match person.status:
        case "unknown":
            return (Span(f"There is no account called {person.name}."),)
        case "away" if person.text:
            return name_span(person.name), Span(f" is away: {person.text}")
        case "off" if person.seen:
            seen = f"{date(person.seen)} {time_of_day(person.seen)}"
            return name_span(person.name), Span(f" is offline, last seen {seen}")
    return name_span(person.name), Span(f" is {_presence(person.status)}")


def _presence(status: str) -> str:
    return {"on": "online", "off": "offline"}.get(status, status)


def member(member: c.Member, presence: c.Person | None) -> StyledLine:
    """A member of a room, with role and presence; offline members have no mark."""
    role = "" if member.role == "member" else f" ({member.role})"
    status = ""
    if presence is not None and presence.status not in ("off", "unknown"):
        status = f" {_presence(presence.status)}"
    return name_span(member.name), Span(role), Span(status, DIM)


def room(info: c.RoomInfo) -> StyledLine:
    """A room in a list of rooms."""
    members = "1 member" if info.members == 1 else f"{info.members} members"
    facts = [members, *(["private"] if info.private else []), *([info.role] if info.role else [])]
    return (
        Span(f"{info.room} "),
        Span(f"({', '.join(facts)})", DIM),
        Span(f" {info.topic}".rstrip()),
    )


def room_settings(info: c.RoomInfo) -> str:
    """All settings of a room with their values; the server sends those that are not as in a new
    room."""
    values = {
        "slow": "off",
        "read-only": "off",
        "invite": "moderators" if info.private else "members",
        "unlisted": "off",
    }
    values |= {setting.name: setting.value for setting in info.settings}
    if values["slow"] == "0":
        values["slow"] = "off"
    return f"{info.room}: {', '.join(f'{name} {value}' for name, value in values.items())}"


def restriction(restriction: c.Restriction, zone: tzinfo | None = None) -> StyledLine:
    """A ban, or a silenced account, in a list of them."""
    ends = _ends(restriction.until, zone)
    reason = f": {restriction.reason}" if restriction.reason else ""
    return name_span(restriction.name), Span(f"{ends}, by {restriction.by}{reason}")


def _ends(until: int, zone: tzinfo | None) -> str:
    """When a restriction ends, rounded up to the minute; empty if it does not."""
    end = end_to_the_minute(until)
    return f" until {date(end, zone)} {time_of_day(end, zone)}" if until else ""


def access_token(token: c.AccessTokenInfo) -> str:
    """An access token in a list of them."""
    until = f"until {date(token.expires)}" if token.expires else "does not expire"
    used = f"last used {date(token.used)}" if token.used else "not used yet"
    maker = ", made by an operator" if token.by_operator else ""
    return f"{token.name}: {', '.join(token.scopes)} ({until}, {used}{maker})"


def credentials_changed(time: int) -> str:
    """The warning at login to a user that may not have changed them."""
    return (
        f"Certificates or access tokens of this account were changed on {date(time)} at "
        f"{time_of_day(time)}. They log in without the password. To see the tokens: /token list"
    )


def receipt_state(state: c.ReceiptState, text: str) -> str:
    """Whether one message was delivered and read."""
    status = "read" if state.read else "delivered" if state.delivered else "waiting"
    return f"{status}: {quoted(text)}"


# Times


def _moment(time: int, zone: tzinfo | None) -> datetime | None:
    """The date and time, or None if the year is out of range."""
    try:
        return datetime.fromtimestamp(time / 1000, zone)
    except (OverflowError, ValueError, OSError):
        return None


def time_of_day(time: int, zone: tzinfo | None = None) -> str:
    """Hours and minutes of `time` (milliseconds since 1970); `zone` None: local time."""
    moment = _moment(time, zone)
    return f"{moment:%H:%M}" if moment else "--:--"


def date(time: int, zone: tzinfo | None = None) -> str:
    """The date of `time` (milliseconds since 1970) in ISO 8601; `zone` None: local time."""
    moment = _moment(time, zone)
    return f"{moment:%Y-%m-%d}" if moment else "----------"


def long_date(time: int, zone: tzinfo | None = None) -> str:
    """The date of `time` (milliseconds since 1970) with weekday; `zone` None: local time."""
    moment = _moment(time, zone)
    return f"{moment:%A}, {moment.day} {moment:%B %Y}" if moment else "unknown date"
