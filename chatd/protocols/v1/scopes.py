"""Version 1: which right of an access token each request needs.

A session without a scope has every right. In a session with one, a request whose right is `ALL` is
refused; of those with `SEND` and `READ`, `chatd.realm` checks the room or account as well.
"""

from __future__ import annotations

from chatd.codecs import v1_messages as c
from chatd.realm.access_token import ALL, READ, SEND
from chatd.realm.permissions import ANY_SCOPE

RIGHTS: dict[type[c.Message], str] = {
    c.Send: SEND,
    # Without the right to read, entries are not pushed. Nothing is acknowledged for the account.
    c.Ack: READ,
    c.History: READ,
    c.LogOut: ANY_SCOPE,
    # They change the account, or what can log in to it.
    c.ChangePassword: ALL,
    c.SetCertificates: ALL,
    c.DeleteAccount: ALL,
    c.CreateAccessToken: ALL,
    c.GetAccessTokens: ALL,
    c.RevokeAccessToken: ALL,
    c.ClearMailbox: ALL,
    c.Block: ALL,
    c.GetBlocked: ALL,
    c.SetPresence: ALL,
    # They refer to entries that a token which only sends cannot read, and change them.
    c.Edit: ALL,
    c.Retract: ALL,
    c.React: ALL,
    c.Report: ALL,
    # They are about what people have read and do.
    c.MarkRead: ALL,
    c.GetReceipts: ALL,
    c.SayTyping: ALL,
    c.Who: ALL,
    c.Unwatch: ALL,
    # They list, or change rooms and memberships.
    c.FindAccounts: ALL,
    c.FindRooms: ALL,
    c.FindMembers: ALL,
    c.CreateRoom: ALL,
    c.Join: ALL,
    c.Leave: ALL,
    c.SetTopic: ALL,
    c.SetPrivate: ALL,
    c.SetHistory: ALL,
    c.ConfigureRoom: ALL,
    c.Invite: ALL,
    c.Kick: ALL,
    c.Ban: ALL,
    c.Unban: ALL,
    c.FindBans: ALL,
    c.Silence: ALL,
    c.Unsilence: ALL,
    c.FindSilenced: ALL,
    c.SetRole: ALL,
    c.DeleteRoom: ALL,
}
"""the right that a request needs, for every request that needs a session"""
