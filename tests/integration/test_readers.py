"""The pool of reader connections: reuse, waiting, and connections that were lost while idle."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import psycopg
import pytest

from geoservice.cluster import SUPERUSER
from geoservice.readers import ReaderPool
from layers.errors import DatabaseUnavailable
from layers.roles import Role
from tests.support import City


def with_pool(city: City, work: Callable[[ReaderPool], Awaitable[None]], *, size: int = 1) -> None:
    """Run something on a pool of the public reader role, and close the pool."""

    async def run() -> None:
        url = city.address.libpq_url(Role.READ_PUBLIC)
        pool = ReaderPool(url, size=size, timeout_s=0.05, options={})
        await work(pool)
        await pool.close()

    asyncio.run(run())


async def backend(pool: ReaderPool) -> int:
    """The process that serves a connection of the pool."""
    async with pool.connection() as connection:
        return connection.info.backend_pid


def test_a_connection_is_used_again(city: City) -> None:
    async def work(pool: ReaderPool) -> None:
        assert await backend(pool) == await backend(pool)

    with_pool(city, work)


def test_a_connection_that_was_lost_while_idle_is_replaced_unseen(city: City) -> None:
    cluster = city.address.cluster
    assert cluster is not None
    as_superuser = cluster.url(city.address.database, SUPERUSER)

    async def work(pool: ReaderPool) -> None:
        lost = await backend(pool)
        async with await psycopg.AsyncConnection.connect(as_superuser) as other:
            await other.execute("SELECT pg_terminate_backend(%s, 5000)", [lost])

        async with pool.connection() as connection:
            assert (await (await connection.execute("SELECT 1")).fetchone()) == (1,)

    with_pool(city, work)


def test_a_connection_that_fails_in_use_is_not_used_again(city: City) -> None:
    async def work(pool: ReaderPool) -> None:
        async with pool.connection() as connection:
            failed = connection.info.backend_pid
            with pytest.raises(psycopg.errors.AdminShutdown):
                await connection.execute("SELECT pg_terminate_backend(pg_backend_pid())")

        assert failed != await backend(pool)

    with_pool(city, work)


def test_a_statement_that_fails_costs_no_connection(city: City) -> None:
    async def work(pool: ReaderPool) -> None:
        before = await backend(pool)
        with pytest.raises(psycopg.errors.DivisionByZero):
            async with pool.connection() as connection:
                await connection.execute("SELECT 1 / 0")

        assert before == await backend(pool)

    with_pool(city, work)


def test_waiting_for_a_connection_ends(city: City) -> None:
    async def work(pool: ReaderPool) -> None:
        async with pool.connection():
            with pytest.raises(DatabaseUnavailable):
                await backend(pool)
        await backend(pool)

    with_pool(city, work)


def test_a_request_that_is_given_up_leaves_its_place(city: City) -> None:
    async def work(pool: ReaderPool) -> None:
        async def sleep() -> None:
            async with pool.connection() as connection:
                await connection.execute("SELECT pg_sleep(5)")

        with pytest.raises(TimeoutError):
            await asyncio.wait_for(sleep(), 0.2)

        await backend(pool)

    with_pool(city, work)
