"""Turns are fair, bounded, and never lost."""

from __future__ import annotations

import asyncio
from random import Random

import pytest

from geoservice.fair_queue import FairQueue, Party
from geoservice.shared_work import SharedWork, while_connected
from layers.errors import ServiceBusy


def test_a_hungry_client_does_not_starve_another() -> None:
    order: list[str] = []

    async def work(queue: FairQueue, client: str) -> None:
        async with queue.turn(Party(client)):
            order.append(client)
            await asyncio.sleep(0)

    async def run() -> None:
        queue = FairQueue(running=2, waiting=1000, waiting_per_client=500)
        hungry = [asyncio.create_task(work(queue, "hungry")) for _ in range(200)]
        await asyncio.sleep(0)
        modest = [asyncio.create_task(work(queue, "modest")) for _ in range(3)]
        await asyncio.gather(*hungry, *modest)

    asyncio.run(run())
    last = max(place for place, client in enumerate(order) if client == "modest")
    assert last < 15


def test_work_takes_the_first_turn_of_any_client_that_joins_it() -> None:
    order: list[int] = []

    async def work(queue: FairQueue, number: int, party: Party) -> None:
        async with queue.turn(party):
            order.append(number)
            await asyncio.sleep(0)

    async def run() -> None:
        queue = FairQueue(running=2, waiting=1000, waiting_per_client=500)
        parties = [Party("hungry") for _ in range(200)]
        works = [asyncio.create_task(work(queue, *one)) for one in enumerate(parties)]
        await asyncio.sleep(0)
        queue.join(parties[150], "modest")
        await asyncio.gather(*works)

    asyncio.run(run())
    assert order.index(150) < 15
    assert list(range(200)) == sorted(order)


def test_past_its_bounds_a_queue_refuses() -> None:
    async def run() -> list[str]:
        queue = FairQueue(running=1, waiting=3, waiting_per_client=2)
        refused = []

        async def work(client: str) -> None:
            try:
                async with queue.turn(Party(client)):
                    await asyncio.sleep(0.01)
            except ServiceBusy:
                refused.append(client)

        await asyncio.gather(*(work(client) for client in "aaaabb"))
        return refused

    # One a works, two wait, the fourth is too many; then one b waits, and the queue is full.
    assert ["a", "b"] == asyncio.run(run())


@pytest.mark.parametrize("seed", range(5))
def test_no_turn_is_lost_however_waiters_give_up(seed: int) -> None:
    random = Random(seed)

    async def work(queue: FairQueue, party: Party) -> None:
        async with queue.turn(party):
            await asyncio.sleep(random.random() / 1000)

    async def run() -> None:
        queue = FairQueue(running=3, waiting=1000, waiting_per_client=1000)
        parties = [Party(random.choice("abc")) for _ in range(150)]
        tasks = [asyncio.create_task(work(queue, party)) for party in parties]
        for task in random.sample(tasks, 70):
            await asyncio.sleep(random.random() / 2000)
            queue.join(random.choice(parties), random.choice("abcd"))
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        # All turns are free again: as many as may work do so at once.
        async with queue.turn(Party("x")), queue.turn(Party("y")), queue.turn(Party("z")):
            pass

    asyncio.run(asyncio.wait_for(run(), 20))


def test_work_is_done_once_and_goes_on_while_anyone_waits() -> None:
    made: list[str] = []

    async def make(result: asyncio.Future[str]) -> None:
        await asyncio.sleep(0.02)
        made.append("once")
        result.set_result("done")

    async def run() -> list[object]:
        shared: SharedWork[str] = SharedWork()
        waiters = [asyncio.create_task(shared.result("tile", make)) for _ in range(3)]
        await asyncio.sleep(0.005)
        waiters[0].cancel()
        waiters[1].cancel()
        return await asyncio.gather(*waiters, return_exceptions=True)

    assert "done" == asyncio.run(run())[2]
    assert ["once"] == made


def test_work_that_nobody_waits_for_is_broken_off() -> None:
    ends: list[str] = []

    async def make(result: asyncio.Future[str]) -> None:
        try:
            await asyncio.sleep(10)
        except asyncio.CancelledError:
            ends.append("broken off")
            raise

    async def run() -> None:
        shared: SharedWork[str] = SharedWork()
        waiter = asyncio.create_task(shared.result("tile", make))
        await asyncio.sleep(0.005)
        waiter.cancel()
        await asyncio.gather(waiter, return_exceptions=True)
        await asyncio.sleep(0.005)
        assert not shared.is_under_way("tile")

    asyncio.run(run())
    assert ["broken off"] == ends


def test_who_asks_while_work_is_broken_off_gets_it_made_anew() -> None:
    async def make(result: asyncio.Future[str]) -> None:
        try:
            await asyncio.sleep(0.02)
            result.set_result("done")
        except asyncio.CancelledError:
            await asyncio.sleep(0.02)  # as a database takes a while to break a statement off
            raise

    async def run() -> str:
        shared: SharedWork[str] = SharedWork()
        gone = asyncio.create_task(shared.result("tile", make))
        await asyncio.sleep(0.005)
        gone.cancel()
        await asyncio.sleep(0.005)
        found = await shared.result("tile", make)
        await shared.settled()
        return found

    assert "done" == asyncio.run(asyncio.wait_for(run(), 5))


def test_a_failure_reaches_all_who_wait() -> None:
    async def make(_: asyncio.Future[str]) -> None:
        message = "no"
        raise ValueError(message)

    async def run() -> list[object]:
        shared: SharedWork[str] = SharedWork()
        waiters = [shared.result("tile", make) for _ in range(2)]
        return await asyncio.gather(*waiters, return_exceptions=True)

    assert all(isinstance(one, ValueError) for one in asyncio.run(run()))


def test_a_client_that_goes_ends_its_wait() -> None:
    async def receive() -> dict[str, object]:
        await asyncio.sleep(0.01)
        return {"type": "http.disconnect"}

    async def run() -> object:
        return await while_connected(receive, asyncio.sleep(10, "late"))

    assert asyncio.run(asyncio.wait_for(run(), 5)) is None
