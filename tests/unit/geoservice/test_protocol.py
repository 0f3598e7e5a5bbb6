"""Writes of one turn of the event loop go out together, in order, and none is lost."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import cast

from geoservice.protocol import JoinedWrites


class Socket:
    """What was done to a transport."""

    def __init__(self) -> None:
        self.done: list[str | list[bytes]] = []

    def write(self, data: bytes) -> None:
        self.done.append([data])

    def writelines(self, parts: list[bytes]) -> None:
        self.done.append(list(parts))

    def close(self) -> None:
        self.done.append("closed")

    def is_closing(self) -> bool:
        return "closed" in self.done


def done_by(write: Callable[[JoinedWrites], Awaitable[None]]) -> list[str | list[bytes]]:
    socket = Socket()

    async def run() -> None:
        await write(JoinedWrites(cast("asyncio.Transport", socket)))
        await asyncio.sleep(0)

    asyncio.run(run())
    return socket.done


def test_head_and_content_go_out_at_once() -> None:
    async def write(joined: JoinedWrites) -> None:
        joined.write(b"head")
        joined.writelines([b"con", b"tent"])

    assert [[b"head", b"con", b"tent"]] == done_by(write)


def test_what_is_written_in_another_turn_goes_out_by_itself() -> None:
    async def write(joined: JoinedWrites) -> None:
        joined.write(b"first")
        await asyncio.sleep(0)
        joined.write(b"second")

    assert [[b"first"], [b"second"]] == done_by(write)


def test_a_connection_closes_after_what_was_written() -> None:
    async def write(joined: JoinedWrites) -> None:
        joined.write(b"last")
        joined.close()

    assert [[b"last"], "closed"] == done_by(write)


def test_much_is_not_gathered() -> None:
    async def write(joined: JoinedWrites) -> None:
        joined.write(b"x" * 40_000)
        joined.write(b"y" * 40_000)
        joined.write(b"z")

    assert [2, 1] == [len(parts) for parts in done_by(write)]


def test_all_else_is_the_transports_own() -> None:
    async def write(joined: JoinedWrites) -> None:
        assert not joined.is_closing()
        joined.close()
        assert joined.is_closing()

    assert ["closed"] == done_by(write)
