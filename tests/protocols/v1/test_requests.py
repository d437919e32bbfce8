"""The table of requests: one handler for each, in the module of its feature."""

from __future__ import annotations

import ast
import inspect
from collections import Counter
from importlib.util import find_spec

from twisted.trial.unittest import SynchronousTestCase

from chatd.codecs import v1_messages as c
from chatd.protocols.v1 import handlers
from chatd.protocols.v1.handlers import SESSION_REQUESTS, UNAUTHENTICATED_REQUESTS

FEATURES = [getattr(handlers, name) for name in handlers.__all__ if name.islower()]
"""the modules with handlers"""


def entries() -> list[str]:
    """The class of request of each ``@handles...(c.CLASS)`` in the modules."""
    classes = []
    for module in FEATURES:
        for node in ast.parse(inspect.getsource(module)).body:
            for decorator in getattr(node, "decorator_list", ()):
                assert isinstance(decorator, ast.Call), ast.dump(decorator)
                classes += [ast.unparse(argument) for argument in decorator.args]
    return classes


class Table(SynchronousTestCase):
    """Handlers by class of request."""

    def test_every_request_has_exactly_one_handler(self) -> None:
        """Only `Send` has none, which the connection itself handles."""
        requests = {f"c.{kind.__name__}" for kind in c.REQUESTS.values()}
        self.assertEqual(Counter(entries()), Counter(requests - {"c.Send"}))
        self.assertEqual(SESSION_REQUESTS.keys() & UNAUTHENTICATED_REQUESTS.keys(), set())
        self.assertEqual(
            {f"c.{kind.__name__}" for kind in (*SESSION_REQUESTS, *UNAUTHENTICATED_REQUESTS)},
            requests - {"c.Send"},
        )

    def test_modules_are_named_as_features_of_the_realm(self) -> None:
        """Only `greeting` is not, which concerns the connection."""
        for module in FEATURES:
            name = module.__name__.rpartition(".")[2]
            if name != "greeting":
                self.assertIsNotNone(find_spec(f"chatd.realm.{name}"), name)

    def test_every_handler_is_in_a_module_of_the_table(self) -> None:
        """No other module enters a handler."""
        modules = {
            handler.__module__
            for handler in (*SESSION_REQUESTS.values(), *UNAUTHENTICATED_REQUESTS.values())
        }
        self.assertEqual(modules, {module.__name__ for module in FEATURES})

    def test_requests_before_login_are_registering_greeting_and_logging_in(self) -> None:
        """Every other request needs a session."""
        self.assertEqual(
            set(UNAUTHENTICATED_REQUESTS),
            {c.Hello, c.Ping, c.Pong, c.Register, c.LogIn, c.Resume},
        )
