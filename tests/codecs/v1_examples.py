"""Examples of version 1, for the tests of the codec, examples/client.js and docs/protocols/v1.md.

Bytes are written as in the document: hexadecimal, and text between quotes, which stands for its
UTF-8.
"""

from __future__ import annotations

import re

import msgspec

from chatd.codecs.v1 import Broken, Malformed
from chatd.codecs.v1_messages import (
    Accepted,
    AccessTokenInfo,
    AccessTokens,
    Ack,
    Announcement,
    Ban,
    Block,
    ChangePassword,
    ClearMailbox,
    ConfigureRoom,
    CreateAccessToken,
    CreateRoom,
    DeleteAccount,
    DeleteRoom,
    Done,
    Edit,
    FindAccounts,
    FindBans,
    FindMembers,
    FindRooms,
    FindSilenced,
    GetAccessTokens,
    GetBlocked,
    GetReceipts,
    Goodbye,
    Hello,
    History,
    Invite,
    Item,
    Join,
    Joined,
    Kick,
    Leave,
    Left,
    Limits,
    LoggedIn,
    LogIn,
    LogOut,
    LogState,
    MarkRead,
    Member,
    Members,
    Message,
    Names,
    NewAccessToken,
    Page,
    People,
    Person,
    Ping,
    Pong,
    Position,
    Presence,
    Pushed,
    React,
    Receipt,
    Receipts,
    ReceiptState,
    Refusal,
    Register,
    Report,
    Restriction,
    Restrictions,
    Resume,
    Retract,
    RevokeAccessToken,
    RoomInfo,
    Rooms,
    RoomState,
    SayTyping,
    Send,
    Sent,
    SetCertificates,
    SetHistory,
    SetPresence,
    SetPrivate,
    SetRole,
    Setting,
    SetTopic,
    Silence,
    Token,
    Typing,
    Unban,
    Unsilence,
    Unwatch,
    Welcome,
    Who,
)

LIMIT = 131_072


def raw(shown: str) -> bytes:
    """The bytes that `shown` describes; made without the codec under test."""
    parts = re.findall(r"'([^']*)'|([0-9a-f]{2})", shown)
    return b"".join(bytes.fromhex(digits) or text.encode() for text, digits in parts)


def frame(command: int, data: bytes, version: int = 1, length: int | None = None) -> bytes:
    """A frame; `length` is a false length for its header."""
    size = len(data) if length is None else length
    return bytes([version, command]) + size.to_bytes(4) + data


class Example(msgspec.Struct, frozen=True):
    """A message, and its data in the notation of the document."""

    message: Message
    shown: str

    @property
    def data(self) -> bytes:
        """The frame."""
        return frame(self.message.command, raw(self.shown))


class Wrong(msgspec.Struct, frozen=True):
    """An invalid frame from a client, and the result of decoding it."""

    title: str
    data: bytes
    answer: Malformed | Broken


def _malformed(ref: int, request: int, code: str = "malformed") -> Malformed:
    return Malformed(ref, request, code, "")


_TIME = 1_767_225_600_000
_TIME_BYTES = "cf 00 00 01 9b 76 da a8 00"
_ROOM = RoomInfo(
    "#garden",
    _TIME,
    "Seeds and bulbs",
    True,
    "Alicia",
    3,
    "owner",
    "joined",
    [Setting("slow", "30")],
)
_ROOM_BYTES = (
    f"99 a7'#garden' {_TIME_BYTES} af'Seeds and bulbs' c3 a6'Alicia' 03 a5'owner' a6'joined'"
    " 91 92 a4'slow' a2'30'"
)
_STATE = LogState("#garden", _TIME, 40, 38, 38, _ROOM)
_STATE_BYTES = f"96 a7'#garden' {_TIME_BYTES} 28 26 26 {_ROOM_BYTES}"

EXAMPLES = [
    Example(
        Hello(ref=1, client="garden.js", version="1.0", features=["receipts", "presence"]),
        "94 01 a9'garden.js' a3'1.0' 92 a8'receipts' a8'presence'",
    ),
    Example(Ping(ref=2), "91 02"),
    Example(
        Register(ref=3, name="Alicia", password="s3cret", invite=None),
        "94 03 a6'Alicia' a6's3cret' c0",
    ),
    Example(
        LogIn(
            ref=4,
            name="Alicia",
            password="s3cret",
            positions=[
                Position(log="@alicia", since=_TIME, seq=10),
                Position(log="#garden", since=_TIME, seq=38),
            ],
        ),
        f"94 04 a6'Alicia' a6's3cret' 92 93 a7'@alicia' {_TIME_BYTES} 0a "
        f"93 a7'#garden' {_TIME_BYTES} 26",
    ),
    Example(
        Resume(
            ref=4,
            name="Alicia",
            token="q1Uv5xkz",
            positions=[Position(log="@alicia", since=_TIME, seq=10)],
        ),
        f"94 04 a6'Alicia' a8'q1Uv5xkz' 91 93 a7'@alicia' {_TIME_BYTES} 0a",
    ),
    Example(LogOut(ref=5, keep_token=False), "92 05 c2"),
    Example(ChangePassword(ref=6, old="s3cret", new=None), "93 06 a6's3cret' c0"),
    Example(
        SetCertificates(ref=9, fingerprints=["be" * 32], password="s3cret"),
        f"93 09 91 d940'{'be' * 32}' a6's3cret'",
    ),
    Example(DeleteAccount(ref=7, password="s3cret"), "92 07 a6's3cret'"),
    Example(
        FindAccounts(ref=8, pattern="[AB]*", after="Alicia", limit=50),
        "94 08 a5'[AB]*' a6'Alicia' 32",
    ),
    Example(
        Send(ref=9, recipient="Bobert", text="Grüße 🌱", key="k-1"),
        "94 09 a6'Bobert' ac'Grüße 🌱' a3'k-1'",
    ),
    Example(
        Ack(ref=0, log="@alicia", last=11, first=0, since=_TIME),
        f"95 00 a7'@alicia' 0b 00 {_TIME_BYTES}",
    ),
    Example(MarkRead(ref=11, log="@alicia", seq=11), "93 0b a7'@alicia' 0b"),
    Example(GetReceipts(ref=12, log="@bobert", seqs=[7, 8]), "93 0c a7'@bobert' 92 07 08"),
    Example(
        Edit(ref=13, log="@bobert", seq=7, text="Hi!", key="k-2"),
        "95 0d a7'@bobert' 07 a3'Hi!' a3'k-2'",
    ),
    Example(Retract(ref=14, log="@bobert", seq=7, key=None), "94 0e a7'@bobert' 07 c0"),
    Example(
        React(ref=15, log="@alicia", seq=11, reaction="👍", key="k-3"),
        "95 0f a7'@alicia' 0b a4'👍' a3'k-3'",
    ),
    Example(
        History(ref=16, log="#garden", after=0, before=41, limit=50), "95 10 a7'#garden' 00 29 32"
    ),
    Example(SayTyping(ref=17, recipient="#garden", typing=True), "93 11 a7'#garden' c3"),
    Example(
        CreateRoom(ref=18, room="#garden", topic="Seeds and bulbs", private=True),
        "95 12 a7'#garden' af'Seeds and bulbs' c3 a0",
    ),
    Example(Join(ref=19, room="#lobby"), "92 13 a6'#lobby'"),
    Example(Leave(ref=20, room="#lobby"), "92 14 a6'#lobby'"),
    Example(SetTopic(ref=21, room="#garden", topic="Frost!"), "93 15 a7'#garden' a6'Frost!'"),
    Example(SetPrivate(ref=22, room="#garden", private=False), "93 16 a7'#garden' c2"),
    Example(SetHistory(ref=41, room="#garden", history="all"), "93 29 a7'#garden' a3'all'"),
    Example(
        ConfigureRoom(ref=42, room="#garden", setting="slow", value="30"),
        "94 2a a7'#garden' a4'slow' a2'30'",
    ),
    Example(Invite(ref=23, room="#garden", name="Bobert"), "93 17 a7'#garden' a6'Bobert'"),
    Example(Kick(ref=24, room="#garden", name="Bobert"), "93 18 a7'#garden' a6'Bobert'"),
    Example(
        SetRole(ref=25, room="#garden", name="Bobert", role="moderator"),
        "94 19 a7'#garden' a6'Bobert' a9'moderator'",
    ),
    Example(FindRooms(ref=26, pattern="#g*", after="", limit=100), "94 1a a3'#g*' a0 64"),
    Example(FindMembers(ref=27, room="#garden", after="", limit=100), "94 1b a7'#garden' a0 64"),
    Example(DeleteRoom(ref=28, room="#garden"), "92 1c a7'#garden'"),
    Example(
        Ban(ref=43, room="#garden", name="Spam*", seconds=3600, reason="slugs"),
        "95 2b a7'#garden' a5'Spam*' cd 0e 10 a5'slugs'",
    ),
    Example(Unban(ref=44, room="#garden", name="Spam*"), "93 2c a7'#garden' a5'Spam*'"),
    Example(FindBans(ref=45, room="#garden", after="", limit=100), "94 2d a7'#garden' a0 64"),
    Example(
        Silence(ref=46, room="#garden", name="Bobert", seconds=0, reason=""),
        "95 2e a7'#garden' a6'Bobert' 00 a0",
    ),
    Example(Unsilence(ref=47, room="#garden", name="Bobert"), "93 2f a7'#garden' a6'Bobert'"),
    Example(FindSilenced(ref=48, room="#garden", after="", limit=100), "94 30 a7'#garden' a0 64"),
    Example(SetPresence(ref=29, away=True, text="lunch", hidden=False), "94 1d c3 a5'lunch' c2"),
    Example(
        Who(ref=30, names=["Bobert", "Cecily"], watch=True), "93 1e 92 a6'Bobert' a6'Cecily' c3"
    ),
    Example(Unwatch(ref=31, names=["Bobert"]), "92 1f 91 a6'Bobert'"),
    Example(Block(ref=32, name="Bobert", blocked=True), "93 20 a6'Bobert' c3"),
    Example(GetBlocked(ref=33), "91 21"),
    Example(
        Report(ref=34, name="Bobert", reason="spam", log="@alicia", seq=11),
        "95 22 a6'Bobert' a4'spam' a7'@alicia' 0b",
    ),
    Example(
        CreateAccessToken(
            ref=40, name="garden-bot", scopes=["read #garden"], seconds=86400, password="s3cret"
        ),
        "95 28 aa'garden-bot' 91 ac'read #garden' ce 00 01 51 80 a6's3cret'",
    ),
    Example(GetAccessTokens(ref=41), "91 29"),
    Example(RevokeAccessToken(ref=42, name="garden-bot"), "92 2a aa'garden-bot'"),
    Example(ClearMailbox(ref=43, upto=300), "92 2b cd 01 2c"),
    Example(Done(ref=5), "91 05"),
    Example(
        Refusal(
            ref=9,
            code="unknown-account",
            sentence="There is no account with that name.",
            request=10,
        ),
        "94 09 af'unknown-account' d9 23'There is no account with that name.' 0a",
    ),
    Example(
        Welcome(
            ref=1,
            server="chatd",
            version="0.2.0",
            limits=Limits(text=65536, topic=256, pattern=256, page=100, rate=1000.0, frame=131072),
            registration="open",
            open_accounts=True,
            time=_TIME,
            idle=60.0,
        ),
        "98 01 a5'chatd' a5'0.2.0' 96 ce 00 01 00 00 cd 01 00 cd 01 00 64 cb 40 8f 40 00 00 "
        f"00 00 00 ce 00 02 00 00 a4'open' c3 {_TIME_BYTES} cb 40 4e 00 00 00 00 00 00",
    ),
    Example(Pong(ref=2), "91 02"),
    Example(
        LoggedIn(
            ref=4,
            name="Alicia",
            logs=[
                LogState(log="@alicia", since=_TIME, head=12, upto=10, read=9, room=None),
                _STATE,
            ],
            changed=_TIME,
            scopes=["send #garden"],
        ),
        f"95 04 a6'Alicia' 92 96 a7'@alicia' {_TIME_BYTES} 0c 0a 09 c0 {_STATE_BYTES} "
        f"{_TIME_BYTES} 91 ac'send #garden'",
    ),
    Example(
        Accepted(ref=9, log="@bobert", seq=7, id=9007199254740993, time=_TIME + 1000),
        "95 09 a7'@bobert' 07 cf 00 20 00 00 00 00 00 01 cf 00 00 01 9b 76 da ab e8",
    ),
    Example(
        Names(ref=8, names=["Alicia", "Bobert"], more=False), "93 08 92 a6'Alicia' a6'Bobert' c2"
    ),
    Example(
        Rooms(ref=26, rooms=[_ROOM], more=False, last="#garden"),
        f"94 1a 91 {_ROOM_BYTES} c2 a7'#garden'",
    ),
    Example(RoomState(ref=18, state=_STATE), f"92 12 {_STATE_BYTES}"),
    Example(
        Members(
            ref=27,
            members=[Member(name="Alicia", role="owner"), Member(name="Bobert", role="invited")],
            more=False,
        ),
        "93 1b 92 92 a6'Alicia' a5'owner' 92 a6'Bobert' a7'invited' c2",
    ),
    Example(
        Page(
            ref=16,
            log="#garden",
            entries=[
                Item(
                    seq=1,
                    id=9007199254740994,
                    time=_TIME,
                    sender="Alicia",
                    kind="join",
                    body="",
                    about=0,
                ),
                Item(
                    seq=2,
                    id=9007199254740995,
                    time=_TIME + 5,
                    sender="Alicia",
                    kind="text",
                    body="Hi",
                    about=0,
                ),
            ],
            more=True,
        ),
        f"94 10 a7'#garden' 92 97 01 cf 00 20 00 00 00 00 00 02 {_TIME_BYTES} a6'Alicia' "
        "a4'join' a0 00 97 02 cf 00 20 00 00 00 00 00 03 cf 00 00 01 9b 76 da a8 05 "
        "a6'Alicia' a4'text' a2'Hi' 00 c3",
    ),
    Example(
        People(
            ref=30,
            people=[
                Person(name="Bobert", status="away", text="lunch", seen=_TIME),
                Person(name="Cecily", status="unknown", text="", seen=0),
            ],
        ),
        f"92 1e 92 94 a6'Bobert' a4'away' a5'lunch' {_TIME_BYTES} 94 a6'Cecily' a7'unknown' a0 00",
    ),
    Example(
        Receipts(ref=12, log="@bobert", states=[ReceiptState(seq=7, delivered=True, read=False)]),
        "93 0c a7'@bobert' 91 93 07 c3 c2",
    ),
    Example(
        Restrictions(
            ref=45, restrictions=[Restriction("Spam*", "Alicia", _TIME, 0, "slugs")], more=False
        ),
        f"93 2d 91 95 a5'Spam*' a6'Alicia' {_TIME_BYTES} 00 a5'slugs' c2",
    ),
    Example(
        NewAccessToken(ref=40, token="chatd_q1Uv5xkz", expires=_TIME),
        f"93 28 ae'chatd_q1Uv5xkz' {_TIME_BYTES}",
    ),
    Example(
        AccessTokens(
            ref=41,
            tokens=[AccessTokenInfo("garden-bot", ["read #garden"], _TIME, _TIME, 0, 1, False)],
        ),
        f"92 29 91 97 aa'garden-bot' 91 ac'read #garden' {_TIME_BYTES} {_TIME_BYTES} 00 01 c2",
    ),
    Example(
        Pushed(
            log="@alicia",
            seq=11,
            id=9007199254740996,
            time=_TIME + 2000,
            sender="Bobert",
            kind="text",
            body="Grüße 🌱",
            about=0,
        ),
        "98 a7'@alicia' 0b cf 00 20 00 00 00 00 00 04 cf 00 00 01 9b 76 da af d0 a6'Bobert' "
        "a4'text' ac'Grüße 🌱' 00",
    ),
    Example(
        Sent(
            log="@bobert",
            seq=8,
            id=9007199254740997,
            time=_TIME + 3000,
            kind="edit",
            body="Hi!",
            about=9007199254740993,
        ),
        "97 a7'@bobert' 08 cf 00 20 00 00 00 00 00 05 cf 00 00 01 9b 76 da b3 b8 a4'edit' "
        "a3'Hi!' cf 00 20 00 00 00 00 00 01",
    ),
    Example(
        Receipt(log="@bobert", what="delivered", seqs=[7, 8]),
        "93 a7'@bobert' a9'delivered' 92 07 08",
    ),
    Example(
        Presence(person=Person(name="Bobert", status="on", text="", seen=0)),
        "91 94 a6'Bobert' a2'on' a0 00",
    ),
    Example(Typing(log="#garden", name="Bobert", typing=True), "93 a7'#garden' a6'Bobert' c3"),
    Example(Token(token="q1Uv5xkz"), "91 a8'q1Uv5xkz'"),
    Example(Joined(state=_STATE), f"91 {_STATE_BYTES}"),
    Example(
        Left(room="#garden", reason="banned", note="slugs", until=_TIME),
        f"94 a7'#garden' a6'banned' a5'slugs' {_TIME_BYTES}",
    ),
    Example(
        Goodbye(
            code="busy",
            sentence="The server is too busy for this request; try again later.",
        ),
        "92 a4'busy' d9 39'The server is too busy for this request; try again later.'",
    ),
    Example(
        Announcement(time=1767225600000, text="We restart at noon."),
        "92 cf 00 00 01 9b 76 da a8 00 b3'We restart at noon.'",
    ),
]
"""every message once, in the order of their numbers"""

SAME = [
    Example(Hello(1), "91 01"),
    Example(Hello(1, "garden.js"), "92 01 a9'garden.js'"),
    Example(Hello(1), "95 01 a0 a0 90 93 c0 c3 a1'x'"),
    Example(LogOut(5), "91 05"),
    Example(Send(9, "Bobert", "Hi"), "93 09 a6'Bobert' a2'Hi'"),
    Example(Send(9, "Bobert", "Hi"), "96 09 a6'Bobert' a2'Hi' c0 81 a1'x' 01 c4 02 ff ff"),
    Example(
        Send(9, "Bobert", "Hi"), "dc 00 03 d3 00 00 00 00 00 00 00 09 d9 06'Bobert' da 00 02'Hi'"
    ),
    Example(Ack(0, "@alicia", 11), "dd 00 00 00 03 cc 00 db 00 00 00 07'@alicia' ce 00 00 00 0b"),
]
"""other encodings of messages: with omitted defaults, unknown fields, and longer forms"""

WRONG = [
    Wrong("an unknown command", frame(63, raw("91 07")), _malformed(7, 63, "unknown-command")),
    Wrong(
        "a command that only servers send",
        frame(64, raw("91 07")),
        _malformed(7, 64, "unknown-command"),
    ),
    Wrong("a field is missing", frame(10, raw("92 07 a6'Bobert'")), _malformed(7, 10)),
    Wrong("a field of another type", frame(10, raw("93 07 a6'Bobert' 05")), _malformed(7, 10)),
    Wrong("a name that is too long", frame(21, raw(f"92 07 d9 41'{'n' * 65}'")), _malformed(7, 21)),
    Wrong("text that is not UTF-8", frame(10, raw("93 07 a6'Bobert' a2 c3 28")), _malformed(7, 10)),
    Wrong("a ref below 0", frame(2, raw("91 ff")), _malformed(0, 2)),
    Wrong("a ref of 2**53", frame(2, raw("91 cf 00 20 00 00 00 00 00 00")), _malformed(0, 2)),
    Wrong("data that is not an array", frame(2, raw("07")), _malformed(0, 2)),
    Wrong("no data", frame(2, b""), _malformed(0, 2)),
    Wrong("data that ends too early", frame(10, raw("93 07 a6'Bob'")), _malformed(0, 10)),
    Wrong("data after the array", frame(2, raw("91 07 c0")), _malformed(0, 2)),
    Wrong("another version in a later frame", frame(2, raw("91 07"), version=2), Broken("")),
    Wrong("the greatest possible length", frame(2, b"", length=2**32 - 1), Broken("")),
]
"""invalid frames; the sentences of their refusals are omitted"""
