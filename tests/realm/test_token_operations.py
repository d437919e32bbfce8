"""What operators may ask about invite tokens."""

from __future__ import annotations

from chatd.core.errors import InviteInvalid
from chatd.realm.token_operations import InviteTokenInfo, NewInviteToken
from tests.realm.operations_case import OperationsCase


class InviteTokenOperations(OperationsCase):
    """Invite tokens."""

    def create(self, seconds: int | None = 60) -> NewInviteToken:
        """A new token for two accounts."""
        token: NewInviteToken = self.result(
            self.operations.create_invite_token(2, seconds, "the choir")
        )
        return token

    def test_a_token_is_listed_without_its_text(self) -> None:
        """Times are in milliseconds."""
        self.harness.now = 500
        token = self.create()
        self.assertEqual(token.expires, 60_500)
        self.assertEqual(
            self.result(self.operations.invite_tokens()),
            [InviteTokenInfo(token.key, 500, 60_500, 2, "the choir")],
        )

    def test_a_token_need_not_expire(self) -> None:
        """A token without a lifetime does not expire."""
        self.assertIsNone(self.create(None).expires)

    def test_a_token_is_revoked_by_itself_or_its_key(self) -> None:
        """A token can be revoked once."""
        first, second = self.create(), self.create()
        self.assertEqual(self.result(self.operations.revoke_invite_token(first.token)), first.key)
        self.assertEqual(
            self.result(self.operations.revoke_invite_token(second.key[:12])), second.key
        )
        self.assertEqual(self.result(self.operations.invite_tokens()), [])
        self.refused(InviteInvalid, self.operations.revoke_invite_token(first.token))
