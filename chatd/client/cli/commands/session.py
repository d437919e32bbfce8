"""``/status`` and ``/quit``: show the state of this client, and end it."""

from __future__ import annotations

from chatd.client.cli.commands.arguments import no_arguments
from chatd.client.cli.commands.context import CommandContext
from chatd.codecs import v1_messages as c


async def status(context: CommandContext, arguments: str) -> None:
    """Show account, server, connection, rooms and target."""
    no_arguments(arguments)
    client = context.client
    welcome = client.welcome
    away = ""
    if context.away_text is not None:
        away = f" (away: {context.away_text})" if context.away_text else " (away)"
    lines = [
        f"account: {client.name}{away}",
        f"server: {welcome.server} {welcome.version} at {context.address}",
    ]
    if client.connected:
        start = context.clock.seconds()
        await context.request(c.Ping(0))
        milliseconds = (context.clock.seconds() - start) * 1000
        lines.append(f"connection: connected, round trip {milliseconds:.0f} ms")
    else:
        lines.append("connection: lost, reconnecting")
    rooms = ", ".join(info.room for info in client.rooms.values())
    lines += [f"rooms: {rooms or 'none'}", f"talking to: {context.target or 'none'}"]
    for line in lines:
        context.output.line(line)


async def quit_client(context: CommandContext, arguments: str) -> None:
    """End the client; the account stays."""
    no_arguments(arguments)
    context.quit()
