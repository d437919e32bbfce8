"""The answers of the catalogue."""

from __future__ import annotations

import re

from twisted.trial.unittest import SynchronousTestCase

from chatd.client.library.answers import ANSWERS, WITHOUT_ORDER
from chatd.codecs import v1_messages as c


class AnswersTests(SynchronousTestCase):
    """The table."""

    def test_answers_are_those_of_the_catalogue(self) -> None:
        """Each request names its answer in its docstring."""
        for request in c.REQUESTS.values():
            if request in (c.Pong, c.Ack):
                continue
            [name] = re.findall(r"Answer:\s+`(\w+)`", request.__doc__ or "")
            self.assertEqual(ANSWERS.get(request, c.Done).__name__, name, request)

    def test_messages_with_a_key_are_answered_without_order(self) -> None:
        """As the document of the protocol says."""
        keyed = {kind.command for kind in c.REQUESTS.values() if "key" in kind.__struct_fields__}
        self.assertEqual(WITHOUT_ORDER, keyed)
