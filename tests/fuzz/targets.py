"""The table of fuzz targets: for each name, what makes the function that gets an input.

The function raises if the input does what it must not. Modules are imported when a target is made,
so that atheris can measure what it reaches in them.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

Target = Callable[[bytes], None]


def _function(name: str) -> Callable[[], Target]:
    def make() -> Target:
        target: Target = getattr(import_module("tests.fuzz.codecs"), name)
        return target

    return make


def _method(module: str, name: str) -> Callable[[], Target]:
    def make() -> Target:
        target: Target = getattr(import_module(f"tests.fuzz.{module}"), name)().check
        return target

    return make


TARGETS: dict[str, Callable[[], Target]] = {
    "classic": _function("check_classic"),
    "v1": _function("check_v1"),
    "chat10": _function("check_chat10"),
    "ops": _function("check_ops"),
    "admin": _function("check_admin"),
    "sniffer": _method("connections", "FirstBytes"),
    "connections": _method("connections", "Connections"),
    "grpc": _method("grpc_port", "GrpcPort"),
}
