"""The commands of ``python -m chatd.admin``, a class for each, by subject.

The subjects are `accounts`, `access_tokens`, `mass_deletion` (of accounts), `personal_data` (of one
account), `moderation` (suspensions, bans and announcements), `rooms` (with the reports of users),
`invite_tokens` and `class_invitations`, `certificates` (for TLS), `store` (statistics, backup and
log) and `audit`; `command` is what all commands have in common.

To add a command: a subclass of `command.DaemonCommand` in the module of its subject, and its row in
`COMMANDS`. The steps for what it asks of the daemon are in ``docs/architecture.md`` ("An operator's
command").
"""

from __future__ import annotations

from chatd.admin.commands.access_tokens import AccessTokens
from chatd.admin.commands.accounts import (
    DeleteAccount,
    EndSessions,
    ListAccounts,
    ListSessions,
    SetCertificates,
    SetPassword,
)
from chatd.admin.commands.audit import ListAudit
from chatd.admin.commands.certificates import MakeCertificate
from chatd.admin.commands.command import Command
from chatd.admin.commands.invite_tokens import (
    CreateInviteToken,
    ListInviteTokens,
    RevokeInviteToken,
)
from chatd.admin.commands.mass_deletion import DeleteAccounts
from chatd.admin.commands.moderation import (
    Announce,
    BanAddress,
    ListAddressBans,
    Suspend,
    UnbanAddress,
    Unsuspend,
)
from chatd.admin.commands.personal_data import EraseAccount, ExportAccount
from chatd.admin.commands.rooms import (
    DeleteRoom,
    ListDeletedRooms,
    ListReports,
    ListRooms,
    RestoreRoom,
    SetRoomRole,
    SetRoomTopic,
)
from chatd.admin.commands.store import Backup, SetLogLevel, ShowStatistics

COMMANDS: tuple[type[Command], ...] = (
    ListAccounts,
    ListSessions,
    EndSessions,
    SetPassword,
    SetCertificates,
    DeleteAccount,
    ListRooms,
    DeleteRoom,
    ListDeletedRooms,
    RestoreRoom,
    SetRoomRole,
    SetRoomTopic,
    ListReports,
    CreateInviteToken,
    ListInviteTokens,
    RevokeInviteToken,
    ShowStatistics,
    Backup,
    MakeCertificate,
    SetLogLevel,
    Suspend,
    Unsuspend,
    Announce,
    ListAudit,
    BanAddress,
    UnbanAddress,
    ListAddressBans,
    DeleteAccounts,
    AccessTokens,
    ExportAccount,
    EraseAccount,
)
