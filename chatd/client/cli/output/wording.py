"""Entries, events and answers in words: each a line, made of parts that may have colours."""

from __future__ import annotations

from datetime import datetime, tzinfo

from chatd.client.cli.message_cache import Seen
from chatd.client.cli.output.style import DIM, PLAIN, Span, StyledLine, name_span
from chatd.client.library.events import Connected, Disconnected, Event
from chatd.codecs import v1_messages as c

_EXCERPT = 40


def entry(entry: c.Pushed, seen: Seen) -> StyledLine | None:
    """An entry of a log, before it is remembered; None: of a kind that is not known here."""
    room = seen.written(entry.log) if entry.log.startswith("#") else ""
    within = f" in {room}" if room else ""
    body = entry.body
    match entry.kind:
        case "text":
            return _text(entry, room, seen)
        case "join":
            return notice(entry.sender, f" joined {room}")
        case "leave":
            return notice(entry.sender, f" left {room}")
        case "kick":
            return notice(entry.sender, f" put {body} out of {room}")
        case "topic":
            return notice(
                entry.sender,
                f" set the topic of {room}: {body}" if body else f" removed {room}'s topic",
            )
        case "access":
            return notice(entry.sender, f" made {room} {body}")
        case "role":
            who, _, role = body.partition(" ")
            return notice(entry.sender, f" made {who} {role} of {room}")
        case "invite":
            return notice(entry.sender, f" invites you to {body}: /join {body}")
        case "edit":
            return notice(entry.sender, f" edited {_about(entry, seen)}{within}: {body}")
        case "delete":
            return notice(entry.sender, f" deleted {_about(entry, seen)}{within}")
        case "reaction" if body:
            return notice(entry.sender, f" reacted {body} to {_about(entry, seen)}{within}")
        case "reaction":
            return notice(entry.sender, f" took a reaction to {_about(entry, seen)}{within} back")
    return None


def _text(entry: c.Pushed, room: str, seen: Seen) -> StyledLine:
    own = entry.sender.lower() == seen.name.lower()
    if room:
        style = DIM if own else PLAIN
        who = Span(entry.sender, DIM) if own else name_span(entry.sender)
        return Span(room, DIM), Span(" <", style), who, Span("> ", style), Span(entry.body, style)
    if own and entry.log != seen.inbox:
        return Span(f"-> {seen.written(entry.log)}: ", DIM), Span(entry.body, DIM)
    return name_span(entry.sender), Span(": "), Span(entry.body)


def _about(entry: c.Pushed, seen: Seen) -> str:
    """The message that an entry is about."""
    said = seen.by_id(entry.about)
    if said is None:
        return "an earlier message"
    if said.sender.lower() == entry.sender.lower():
        return quoted(said.text)
    whose = "your" if said.sender.lower() == seen.name.lower() else f"{said.sender}'s"
    return f"{whose} {quoted(said.text)}"


def quoted(text: str) -> str:
    """The begin of a text, in quotation marks."""
    line = " ".join(text.split())
    return f'"{line}"' if len(line) <= _EXCERPT else f'"{line[: _EXCERPT - 3]}..."'


def notice(who: str, rest: str) -> StyledLine:
    """Somebody did something."""
    return Span("* ", DIM), name_span(who), Span(rest, DIM)


def remark(sentence: str) -> StyledLine:
    """Something happened."""
    return (Span(f"* {sentence}", DIM),)


def event(event: Event, seen: Seen) -> StyledLine | None:
    """What else happened; None: nothing that a person has to know."""
    match event:
        case c.Left(room, reason):
            how = {
                "left": "you left {}",
                "kicked": "you were put out of {}",
                "deleted": "{} was deleted",
            }
            return remark(how.get(reason, "you are no longer in {}").format(seen.written(room)))
        case c.Goodbye(sentence=sentence):
            return remark(f"the server says: {sentence}")
        case c.Presence(who):
            return (Span("* ", DIM), *person(who))
        case Disconnected(reason, _):
            return remark(f"the connection is lost{_because(reason)}; trying to get it back")
        case Connected():
            return remark("connected again")
    return None


def _because(reason: str) -> str:
    return f" ({reason.rstrip('.')})" if reason else ""


def receipt(log: str, what: str, count: int, seen: Seen) -> StyledLine:
    """What became of our messages."""
    several = f" {count} messages" if count > 1 else ""
    who = seen.written(log)
    return (
        Span(
            f"({who} has read{several})" if what == "read" else f"(delivered{several} to {who})",
            DIM,
        ),
    )


# Answers


def person(who: c.Person) -> StyledLine:
    """How somebody is."""
    match who.status:
        case "unknown":
            return (Span(f"there is no account {who.name}"),)
        case "away" if who.text:
            return name_span(who.name), Span(f" is away: {who.text}")
        case "off" if who.seen:
            return name_span(who.name), Span(
                f" is off, last seen {date(who.seen)} {clock_time(who.seen)}"
            )
    return name_span(who.name), Span(f" is {who.status}")


def member(who: c.Member, status: c.Person | None) -> StyledLine:
    """Somebody in a room."""
    role = "" if who.role == "member" else f" ({who.role})"
    how = "" if status is None or status.status in ("off", "unknown") else f" {status.status}"
    return name_span(who.name), Span(role), Span(how, DIM)


def room(info: c.RoomInfo) -> StyledLine:
    """A room, as a list shows it."""
    members = "1 member" if info.members == 1 else f"{info.members} members"
    facts = [members, *(["private"] if info.private else []), *([info.role] if info.role else [])]
    return (
        Span(f"{info.room} "),
        Span(f"({', '.join(facts)})", DIM),
        Span(f" {info.topic}".rstrip()),
    )


def state(state: c.ReceiptState, text: str) -> str:
    """What became of one message."""
    what = "read" if state.read else "delivered" if state.delivered else "waiting"
    return f"{what}: {quoted(text)}"


# Times


def _moment(time: int, zone: tzinfo | None) -> datetime | None:
    """None: no year that a calendar has."""
    try:
        return datetime.fromtimestamp(time / 1000, zone)
    except (OverflowError, ValueError, OSError):
        return None


def clock_time(time: int, zone: tzinfo | None = None) -> str:
    """Hours and minutes, local unless another zone is given."""
    moment = _moment(time, zone)
    return f"{moment:%H:%M}" if moment else "--:--"


def date(time: int, zone: tzinfo | None = None) -> str:
    """The day."""
    moment = _moment(time, zone)
    return f"{moment:%Y-%m-%d}" if moment else "----------"


def day(time: int, zone: tzinfo | None = None) -> str:
    """The day, with its name."""
    moment = _moment(time, zone)
    return f"{moment:%A}, {moment.day} {moment:%B %Y}" if moment else "another time"
