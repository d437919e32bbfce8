"""The calls under way: how many there may be in all and from one address, and who may make any.

gRPC does not show its connections, so calls are counted in place of connections without login. A
call waits for its request, which a client may hold back; then it is carried out. It is counted
until it ends or, if it is a stream of an account, until that has its session, which is counted as
every other.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextvars import ContextVar
from functools import partial
from typing import Any

import grpc
import msgspec

from chatd.core.addresses import network_of
from chatd.core.errors import Refused
from chatd.protocols.grpc.caller import Caller
from chatd.protocols.grpc.refusals import Refusals
from chatd.protocols.grpc.service import SERVICE, STATUS
from chatd.realm.permissions import check_call_count
from chatd.server.deadlines import Deadlines
from chatd.server.factory import ConnectionFactory
from chatd.server.unauthenticated import Unauthenticated

_ENDED = {
    "unauthenticated": "too many calls wait for their clients; try again later",
    "address_unauthenticated": "too many calls from your address wait for their client",
    "login_time": "the call has waited for its client for too long",
    "frame_time": "the request of the call did not come in time",
}
"""the sentences with which a call is ended, by the bound that is met"""


class Call:
    """A call under way, made by a task of asyncio. `ended_by` is the bound for which it is ended
    from here, `working` whether it is being carried out, `watches` whether it waits for the health
    of the service to change, however long that takes."""

    def __init__(self, caller: Caller) -> None:
        self.caller = caller
        self.network = network_of(caller.address)
        self.ended_by = ""
        self.working = self.watches = False
        self._task = asyncio.current_task()

    def end(self, bound: str = "") -> None:
        """End the call, because a bound is met or, without one, because its address is banned."""
        self.ended_by = bound
        if self._task is not None:
            self._task.cancel()


_current: ContextVar[Call | None] = ContextVar("current", default=None)


def caller_of(context: Any) -> Caller:
    """The client of the call that this task carries out."""
    call = _current.get()
    return Caller(context) if call is None else call.caller


class Calls:
    """Counts the calls of a port.

    `idle` are those that wait for their client. Of too many, the one that has waited longest is
    ended, of those from the same address if there are more than its share. `working` are those that
    are being carried out, by what their clients are counted as; beyond a bound, others are refused.
    """

    def __init__(self, factory: ConnectionFactory, refusals: Refusals) -> None:
        self._limits = factory.limits
        self._counters = factory.realm.counters
        self._refusals = refusals
        self._bans = factory.realm.address_bans
        self._bans.on_banned.append(self._end_banned)
        self._open: dict[Call, None] = {}
        self.working: Counter[str] = Counter()
        self._working_in_all = 0
        self.idle: Unauthenticated[Call] = Unauthenticated(
            factory.clock,
            msgspec.structs.replace(factory.limits, unauthenticated=factory.limits.calls),
            self._expired,
            Call.end,
        )
        self.requests: Deadlines[Call] = Deadlines(
            factory.clock, factory.limits.frame_time, lambda call: call.end("frame_time")
        )
        factory.realm.counters.watch_queue("gRPC calls that wait", lambda: len(self.idle))

    def __len__(self) -> int:
        return len(self._open)

    def stop(self) -> None:
        """Cancel all deadlines."""
        self.idle.stop()
        self.requests.stop()

    async def carry_out(self, context: Any, behavior: Callable[[Call], Awaitable[Any]]) -> Any:
        """Count a call while it is carried out; its answer. A refusal ends it with a status."""
        caller = Caller(context)
        call = Call(caller)
        caller.has_session = partial(self.released, call)
        self._open[call] = None
        token = _current.set(call)
        try:
            self._bans.check(caller.address)
            self.idle.touch(call)
            return await behavior(call)
        except Refused as refused:
            self._refusals.log(caller, refused, "")
            await context.abort(STATUS[type(refused)], str(refused))
        except asyncio.CancelledError:
            if not call.ended_by:
                raise
            self._counters.quota_met(call.ended_by)
            await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, _ENDED[call.ended_by])
        finally:
            _current.reset(token)
            self.released(call)
            del self._open[call]

    def request_arrived(self, call: Call) -> None:
        """A call is carried out from now on. Raises `LimitReached`."""
        self.idle.discard(call)
        network = call.network
        check_call_count(self._working_in_all, self.working[network], network, self._limits)
        call.working = True
        self.working[network] += 1
        self._working_in_all += 1

    def released(self, call: Call) -> None:
        """A call has ended, or has a session."""
        self.idle.discard(call)
        if call.working:
            call.working = False
            self._working_in_all -= 1
            self.working[call.network] -= 1
            if not self.working[call.network]:
                del self.working[call.network]

    def _expired(self, call: Call) -> None:
        """A call has waited for its client for `Limits.login_time`."""
        if call.watches:
            self.idle.touch(call)
        else:
            call.end("login_time")

    def _end_banned(self, banned: Callable[[str], bool]) -> int:
        """End the calls without a session whose addresses are banned; return their number."""
        ended = [
            call
            for call in self._open
            if (call.working or call in self.idle) and banned(call.caller.address)
        ]
        for call in ended:
            call.end()
        return len(ended)


class CountingInterceptor(grpc.aio.ServerInterceptor):  # type: ignore[misc]
    """Has `calls` count the calls of all methods, those of health checking and reflection as well.

    Every method takes its requests as a stream, which is the same to clients: else grpcio would
    wait for a request before the address of its client is known here.
    """

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        # By the name of the method; only those that exist.
        self._handlers: dict[str, grpc.RpcMethodHandler] = {}

    async def intercept_service(self, continuation: Any, details: Any) -> Any:
        """Return what carries out the calls of a method; see grpc.aio.ServerInterceptor."""
        handler = self._handlers.get(details.method)
        if handler is None:
            handler = await continuation(details)
            if handler is None:
                return None
            handler = self._handlers[details.method] = self._counting(handler, details.method)
        return handler

    def _counting(self, handler: grpc.RpcMethodHandler, method: str) -> grpc.RpcMethodHandler:
        if handler.request_streaming:
            behavior = self._several(handler.stream_stream)
        else:
            idle = not method.startswith(f"/{SERVICE}/")
            behavior = self._one(handler.unary_unary or handler.unary_stream, idle)
        make: Any = (
            grpc.stream_stream_rpc_method_handler
            if handler.response_streaming
            else grpc.stream_unary_rpc_method_handler
        )
        return make(
            behavior,
            request_deserializer=handler.request_deserializer,
            response_serializer=handler.response_serializer,
        )

    def _one(self, method: Any, idle: bool) -> Any:
        """A method with one request. A call that is `idle` waits for its client even then, as that
        of a client that watches the health of the service."""
        calls = self._calls

        async def behavior(requests: AsyncIterator[Any], context: Any) -> Any:
            async def carry_out(call: Call) -> Any:
                calls.requests.touch(call)
                try:
                    request = await anext(requests, None)
                finally:
                    calls.requests.discard(call)
                if request is None:
                    await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "there is no request")
                if idle:
                    call.watches = True
                else:
                    calls.request_arrived(call)
                return await method(request, context)

            return await calls.carry_out(context, carry_out)

        return behavior

    def _several(self, method: Any) -> Any:
        """A method with several requests, which waits for its client most of the time."""
        calls = self._calls

        async def behavior(requests: AsyncIterator[Any], context: Any) -> None:
            async def carry_out(call: Call) -> None:
                async def touching() -> AsyncIterator[Any]:
                    async for request in requests:
                        calls.idle.touch(call)
                        yield request

                async for answer in method(touching(), context):
                    await context.write(answer)

            await calls.carry_out(context, carry_out)

        return behavior
