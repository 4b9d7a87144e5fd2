"""Writing together what comes at the same time: everybody's is written, whoever ends when."""

import asyncio

import pytest

from engine.together import WRITERS, Together
from errors import Unavailable
from tests.served import until


class Slow:
    """Something to write to whose every statement lasts until it is let go."""

    def __init__(self) -> None:
        self.statements: list[list[int]] = []
        self.ends: list[asyncio.Future[None]] = []

    async def write(self, some: list[int]) -> None:
        self.statements.append(some)
        end: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.ends.append(end)
        await end

    async def has(self, count: int) -> None:
        """Wait until so many statements have begun."""
        await until(lambda: len(self.ends) == count)


async def two_shared(slow: Slow, *after: int) -> tuple[Together[int], list[asyncio.Task[None]]]:
    """Two statements under way, each for one who came later; these two go on with more as soon as they are written."""
    together = Together(slow.write)

    async def add(*some: int) -> None:
        for one in some:
            await together.add(one)

    tasks = [asyncio.create_task(add(one)) for one in range(WRITERS)]
    await slow.has(WRITERS)
    for one in range(WRITERS):
        tasks.append(asyncio.create_task(add(WRITERS + one, *after)))
        await asyncio.sleep(0)
        slow.ends[one].set_result(None)
        await slow.has(WRITERS + one + 1)
    return together, tasks


async def test_whoever_comes_back_while_all_writers_end_at_once_is_written() -> None:
    """Writers that have ended but are not yet forgotten take nobody along."""
    slow = Slow()
    _, tasks = await two_shared(slow, 10)
    for end in slow.ends[WRITERS:]:
        end.set_result(None)
    await slow.has(3 * WRITERS)
    for end in slow.ends[2 * WRITERS :]:
        end.set_result(None)
    async with asyncio.timeout(60):
        await asyncio.gather(*tasks)
    assert slow.statements == [[0], [1], [2], [3], [10], [10]]


async def test_who_comes_while_all_write_shares_one_statement_and_its_failure() -> None:
    slow = Slow()
    together, tasks = await two_shared(slow)
    late = [asyncio.create_task(together.add(one)) for one in (5, 6, 7)]
    await asyncio.sleep(0)
    slow.ends[WRITERS].set_exception(Unavailable())
    await slow.has(2 * WRITERS + 1)
    assert slow.statements[-1] == [5, 6, 7]
    slow.ends[WRITERS + 1].set_result(None)
    slow.ends[-1].set_exception(ZeroDivisionError())
    told = await asyncio.gather(*tasks, *late, return_exceptions=True)
    assert [type(one) for one in told] == [type(None)] * 2 + [Unavailable, type(None)] + [ZeroDivisionError] * 3


@pytest.mark.parametrize("how_many", [1, 50])
async def test_all_of_very_many_are_written_once(how_many: int) -> None:
    """Each comes back many times, behind statements that all end at the same moment."""
    written: list[int] = []

    async def write(some: list[int]) -> None:
        await asyncio.sleep(0)
        written.extend(some)

    together = Together(write)

    async def add(one: int) -> None:
        for _ in range(20):
            await together.add(one)

    async with asyncio.timeout(30):
        await asyncio.gather(*(add(one) for one in range(how_many)))
    assert sorted(written) == sorted(list(range(how_many)) * 20)
