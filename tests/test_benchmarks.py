"""The benchmarks go on working: tiny data, real processes, no clock looked at."""

import json
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from benchmarks import database, driver, finding, measure, processes, report, trail
from benchmarks.cases import CASES, Case
from benchmarks.data import Size
from benchmarks.measure import Effort
from engine.clock import system_clock

TINY = Size(candidates=400, results=1_000, institutions=15, dashboards=4)
SHORT = Effort(rounds=1, seconds=0.1, alerts=2)


@pytest.fixture
def name(worker_id: str) -> str:
    """What this worker's databases of the benchmark are called."""
    return f"bench_{worker_id}"


async def test_floor_answers_what_the_service_answers(server_url: str, name: str, tmp_path: Path) -> None:
    """A floor that answers less than the service would be no measure of it."""
    async with database.fresh_copy(server_url, name, TINY, system_clock()) as url:
        with processes.service(url, tmp_path) as service, processes.floor(url, tmp_path) as floor:
            for case in CASES:
                for number in (0, 1, 16):  # 16: a result without skill scores
                    asked = case.asked(number, TINY)
                    answer = await _asked(service.port, driver.to_service(case, asked))
                    least = await _asked(floor.port, driver.to_floor(case, asked))
                    assert _comparable(case, answer) == _comparable(case, least)


async def _asked(port: int, request: bytes) -> Any:
    async with driver.connected(port) as (reader, writer):
        status, body = await driver.ask(reader, writer, request)
    assert status == 200, body
    return json.loads(body)["data"]


def _comparable(case: Case, answer: Any) -> Any:
    """The whole answer; of the second to send the same, what does not say that it was the second."""
    return answer["sendResult"]["share"] if case.name == "send" else answer


async def test_every_case_is_measured_and_reported(server_url: str, name: str, tmp_path: Path) -> None:
    async with database.fresh_copy(server_url, name, TINY, system_clock()) as url:
        outcomes = await measure.cases(url, tmp_path, TINY, SHORT)
        alert = await measure.fan_out(url, tmp_path, TINY, SHORT)
    table = report.table(outcomes)
    assert [case.title in table for case in CASES] == [True] * len(CASES)
    assert len(alert.last) == SHORT.alerts
    assert "4 dashboards, 2 times" in report.alert(alert)


async def test_the_same_page_is_measured_with_the_trail_and_without(server_url: str, name: str, tmp_path: Path) -> None:
    """G1: without it nothing is written; with it, an entry for every page."""
    async with database.fresh_copy(server_url, name, TINY, system_clock()) as url:
        costs = await trail.measure(url, tmp_path, TINY, pairs=1)
        connection = await asyncpg.connect(url)
        written = await connection.fetchval("SELECT count(*) FROM trail")
        await connection.close()
    assert written == sum(2 * max(trail.PAGES, clients * 2) for clients in costs)  # one pair is to warm up
    assert [len(cost.with_it) for cost in costs.values()] == [1] * len(costs)
    assert "(1 pairs)" in trail.report(costs)


async def test_searches_of_institutions_are_measured_beside_their_floor(
    server_url: str, name: str, tmp_path: Path
) -> None:
    """S1: every search by both, once to warm up."""
    url = await finding.filled(server_url, f"{name}_finding", count=300)
    (outcome,) = await finding.measure(url, tmp_path, {"some": ["waseda", "un", "a", "早稲田"]}, rounds=2)
    for side in (outcome.service, outcome.floor):
        assert len(side.cpu) == len(side.wall) == 8
        assert max(side.cpu) > 0
    assert "| some | 4 |" in finding.report([outcome])
    connection = await asyncpg.connect(server_url)
    await connection.execute(f"DROP DATABASE {name}_finding WITH (FORCE)")
    await connection.close()


async def test_data_are_kept_until_what_they_depend_on_changes(server_url: str, name: str) -> None:
    kept = f"{name}_kept"
    assert await database.keep(server_url, kept, TINY) is True
    assert await database.keep(server_url, kept, TINY) is False
    connection = await asyncpg.connect(server_url)
    await connection.execute(f"COMMENT ON DATABASE {kept} IS 'as of another migration'")
    assert await database.keep(server_url, kept, TINY) is True
    await connection.execute(f"DROP DATABASE {kept}")
    await connection.close()


async def test_a_run_leaves_no_trace_in_the_kept_data(server_url: str, name: str) -> None:
    for _ in range(2):
        async with database.fresh_copy(server_url, name, TINY, system_clock()) as url:
            connection = await asyncpg.connect(url)
            assert await connection.fetchval("SELECT count(*) FROM share") == TINY.results
            await connection.execute("DELETE FROM share")
            await connection.close()


async def test_a_wrong_answer_ends_the_measuring(server_url: str, name: str, tmp_path: Path) -> None:
    """Errors are fast: they must not be counted as answers."""
    async with database.fresh_copy(server_url, name, TINY, system_clock()) as url:
        with processes.service(url, tmp_path) as service:
            request = driver.post("/graphql", b'{"query": "{ me { nothingOfTheKind } }"}')
            with pytest.raises(RuntimeError, match="A wrong answer"):
                await driver.drive(service.port, iter([request]), b'"me"', clients=1, seconds=0.1)
