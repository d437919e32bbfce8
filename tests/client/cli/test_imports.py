"""The imports between the modules of the command line client."""

from __future__ import annotations

import ast

from twisted.trial.unittest import SynchronousTestCase

from tests.test_layers import sources

PREFIX = "chatd.client.cli"


def import_graph() -> dict[str, set[str]]:
    """For each module, the modules it imports, including those for type checking only."""
    files = {name: file for name, file in sources("client") if name.startswith(PREFIX)}
    graph: dict[str, set[str]] = {}
    for name, file in files.items():
        imported: set[str] = set()
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module is not None:
                imported |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
            elif isinstance(node, ast.Import):
                imported |= {alias.name for alias in node.names}
        graph[name] = imported & files.keys()
    return graph


class ImportTests(SynchronousTestCase):
    """The direction of imports."""

    def test_imports_have_no_cycle(self) -> None:
        """No module reaches itself; commands, in particular, do not know the chat."""
        graph = import_graph()
        self.assertIn(f"{PREFIX}.commands.table", graph[f"{PREFIX}.chat"])
        for module in graph:
            reached: set[str] = set()
            waiting = set(graph[module])
            while waiting:
                current = waiting.pop()
                reached.add(current)
                waiting |= graph[current] - reached
            self.assertNotIn(module, reached)
