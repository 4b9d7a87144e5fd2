"""Chaining the trail, so that a change of what stands in it can be found (G1).

A seal covers all entries of one chain since the seal before it, in the order of their transactions as the journal has
it, and holds a hash over them and over that seal. Only entries below the horizon are sealed: nothing can appear among
them any more. Who can write to the whole database can make every hash anew: heads that are kept elsewhere tell it.
"""

import hashlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import Any
from uuid import UUID

import orjson

from engine import database
from engine.database import Row
from resolvers import journal

SEALING = 7_461_001  # the advisory lock of whoever seals
AT_ONCE = 5000  # entries of one transaction, so that it is short
PAGE = 1000
NO_HASH = bytes(32)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
ENTRY = """trail.xid::text::bigint AS xid, trail.id, trail.chain, trail.act, trail.at, trail.viewer_kind,
    trail.viewer_id, trail.institution_id, trail.candidates, trail.results, trail.versions, trail.path, trail.address,
    trail.request_id, trail.purpose"""
# The chains there are, by one step through the index for each.
CHAINS = """
    WITH RECURSIVE chains AS (
        (SELECT chain FROM trail ORDER BY chain LIMIT 1) UNION ALL
        SELECT (SELECT trail.chain FROM trail WHERE trail.chain > chains.chain ORDER BY trail.chain LIMIT 1)
        FROM chains WHERE chains.chain IS NOT NULL)"""
NEWEST = """
    LEFT JOIN LATERAL (SELECT * FROM trail_seal WHERE trail_seal.chain = chains.chain
                       ORDER BY number DESC LIMIT 1) AS seal ON true"""


async def seal(now: datetime) -> int:
    """Seal all that can be sealed, unless somebody else is at it; tells how many entries that were."""
    in_all = 0
    while True:
        async with database.transaction():
            if not await database.value("SELECT pg_try_advisory_xact_lock(:key)", key=SEALING):
                return in_all
            sealed = await _seal_some(now)
        in_all += sealed
        if sealed < AT_ONCE:
            return in_all


async def _seal_some(now: datetime) -> int:
    """One more seal for each chain that needs one, over so many entries in all as one transaction may have."""
    horizon = await journal.position()
    newest = {seal["chain"]: seal for seal in await _ends_before(horizon)}
    entries = await _behind(list(newest.values()), horizon) if newest else []
    chains = groupby(entries, key=lambda entry: entry["chain"])
    seals = [_next_seal(newest[chain], list(some), now) for chain, some in chains]
    await database.many(
        """INSERT INTO trail_seal (chain, number, last_xid, last_id, entries, previous_hash, hash, sealed_at)
           VALUES (:chain, :number, :last_xid, :last_id, :entries, :previous_hash, :hash, :sealed_at)""",
        seals,
    )
    return len(entries)


async def _ends_before(horizon: int) -> list[Row]:
    """Where each chain with something to seal has been sealed to; the beginning for one that never was."""
    return await database.rows(
        f"""{CHAINS} SELECT chains.chain, coalesce(seal.number, 0) AS number, coalesce(seal.last_xid, 0) AS last_xid,
               coalesce(seal.last_id, 0) AS last_id, coalesce(seal.hash, :no_hash) AS hash
            FROM chains {NEWEST} WHERE EXISTS (
                SELECT 1 FROM trail WHERE trail.chain = chains.chain AND trail.xid < :horizon::bigint::text::xid8
                AND (trail.xid, trail.id)
                    > (coalesce(seal.last_xid, 0)::text::xid8, coalesce(seal.last_id, 0)))
            ORDER BY chains.chain""",
        horizon=horizon,
        no_hash=NO_HASH,
    )


async def _behind(ends: list[Row], horizon: int) -> list[Row]:
    """The entries behind these ends and below the horizon, chain by chain, in order."""
    return await database.rows(
        f"""SELECT found.* FROM unnest(:chains::uuid[], :xids::bigint[], :ids::bigint[]) AS ends (chain, xid, id)
            CROSS JOIN LATERAL (
                SELECT {ENTRY} FROM trail WHERE trail.chain = ends.chain
                AND (trail.xid, trail.id) > (ends.xid::text::xid8, ends.id)
                AND trail.xid < :horizon::bigint::text::xid8 ORDER BY trail.xid, trail.id LIMIT {AT_ONCE}) AS found
            ORDER BY found.chain, found.xid, found.id LIMIT {AT_ONCE}""",
        chains=[end["chain"] for end in ends],
        xids=[end["last_xid"] for end in ends],
        ids=[end["last_id"] for end in ends],
        horizon=horizon,
    )


def _next_seal(newest: Row, entries: list[Row], now: datetime) -> dict[str, Any]:
    seal = {
        "chain": newest["chain"],
        "number": newest["number"] + 1,
        "last_xid": entries[-1]["xid"],
        "last_id": entries[-1]["id"],
        "entries": len(entries),
        "previous_hash": newest["hash"],
        "sealed_at": now,
    }
    digest = hashlib.sha256()
    for entry in entries:
        digest.update(written(entry))
    return seal | {"hash": _sealed(digest, seal)}


def written(entry: Row) -> bytes:
    """An entry as it is hashed: one line of JSON, its columns in this order, moments in microseconds since 1970."""
    return _line(
        entry["id"], entry["xid"], entry["chain"], entry["act"], entry["at"], entry["viewer_kind"], entry["viewer_id"],
        entry["institution_id"], entry["candidates"], entry["results"], entry["versions"], entry["path"],
        entry["address"], entry["request_id"], entry["purpose"],
    )  # fmt: skip


def _sealed(digest: Any, seal: Mapping[str, Any]) -> bytes:
    """The hash of a seal, from the digest of its entries."""
    digest = digest.copy()
    digest.update(
        _line(seal["chain"], seal["number"], seal["last_xid"], seal["last_id"], seal["entries"], seal["sealed_at"])
    )
    digest.update(seal["previous_hash"])
    found: bytes = digest.digest()
    return found


def _line(*values: Any) -> bytes:
    return orjson.dumps([_plain(value) for value in values]) + b"\n"


def _plain(value: Any) -> Any:
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, datetime):
        return (value - EPOCH) // timedelta(microseconds=1)
    return [_plain(one) for one in value] if isinstance(value, list) else value


# ---- looking whether it is as it was


@dataclass(frozen=True, slots=True)
class Head:
    """The newest seal of a chain: kept elsewhere, it tells later that nothing before it was made anew."""

    chain: UUID
    number: int
    hash: bytes

    def __str__(self) -> str:
        return f"{self.chain} {self.number} {self.hash.hex()}"

    @classmethod
    def of(cls, text: str) -> "Head":
        """The head that a line tells; raises ValueError."""
        chain, number, digest = text.split()
        return cls(UUID(chain), int(number), bytes.fromhex(digest))


async def heads() -> list[Head]:
    """The newest seal of every chain."""
    found = await database.rows(
        "SELECT DISTINCT ON (chain) chain, number, hash FROM trail_seal ORDER BY chain, number DESC"
    )
    return [Head(row["chain"], row["number"], row["hash"]) for row in found]


@dataclass(slots=True)
class Verification:
    """A look through one chain or all of them, and what it came by. Memory does not grow with the trail."""

    kept: list[Head] = field(default_factory=list)
    entries: int = 0
    seals: int = 0
    unsealed: int = 0
    oldest_unsealed_at: datetime | None = None

    async def faults(self, chain: UUID | None = None) -> AsyncIterator[str]:
        """What is wrong, and where, chain by chain."""
        chains = [chain] if chain else await self._chains()
        for one in chains:
            async for fault in self._of_chain(one):
                yield f"Chain {one}: {fault}"

    async def _chains(self) -> list[UUID]:
        found = await database.rows(
            f"""{CHAINS} SELECT chain FROM chains WHERE chain IS NOT NULL
                UNION SELECT chain FROM trail_seal UNION SELECT unnest(:kept::uuid[]) ORDER BY chain""",
            kept=[head.chain for head in self.kept],
        )
        return [row["chain"] for row in found]

    async def _of_chain(self, chain: UUID) -> AsyncIterator[str]:
        missing = {head.number: head.hash for head in self.kept if head.chain == chain}
        newest = await database.value("SELECT max(number) FROM trail_seal WHERE chain = :chain", chain=chain)
        entries = Entries(chain)  # all that a seal up to the newest covers has been there before it
        number, previous = 0, NO_HASH
        async for seal in _seals(chain, newest or 0):
            self.seals += 1
            where = f"seal {seal['number']}, of {seal['sealed_at']:%Y-%m-%d %H:%M:%S} UTC,"
            for fault in await self._of_seal(seal, number, previous, entries):
                yield f"{where} {fault}"
            if missing.pop(seal["number"], seal["hash"]) != seal["hash"]:
                yield f"{where} is not the one that was kept."
            number, previous = seal["number"], seal["hash"]
        for one in sorted(missing):
            yield f"seal {one} was kept, and is not there."
        await self._count_unsealed(entries)

    async def _of_seal(self, seal: Row, number: int, previous: bytes, entries: "Entries") -> list[str]:
        """What is wrong with one seal or its entries, after the seal with this number and hash."""
        covered = await entries.up_to((seal["last_xid"], seal["last_id"]))
        self.entries += covered.count
        if seal["number"] != number + 1:
            return [f"follows seal {number}: those between are missing, and its entries cannot be told from theirs."]
        faults = []
        if seal["previous_hash"] != previous:
            faults.append(f"is not bound to seal {number} as it is now.")
        if covered.count < seal["entries"]:
            faults.append(f"covers {covered}: {seal['entries'] - covered.count} missing.")
        elif covered.count > seal["entries"]:
            faults.append(f"covers {covered}: {covered.count - seal['entries']} inserted.")
        elif seal["hash"] != _sealed(covered.digest, seal):
            faults.append(f"covers {covered}: changed or reordered, or the seal was.")
        return faults

    async def _count_unsealed(self, entries: "Entries") -> None:
        rest = await entries.up_to((2**63 - 1, 2**63 - 1))
        self.unsealed += rest.count
        if rest.first_at is not None:
            self.oldest_unsealed_at = min(rest.first_at, self.oldest_unsealed_at or rest.first_at)


@dataclass(slots=True)
class Covered:
    """Entries one behind the other, and the digest of them."""

    digest: Any = field(default_factory=hashlib.sha256)
    count: int = 0
    first_id: int = 0
    last_id: int = 0
    first_at: datetime | None = None

    def add(self, entry: Row) -> None:
        """One more."""
        if not self.count:
            self.first_id, self.first_at = entry["id"], entry["at"]
        self.digest.update(written(entry))
        self.count, self.last_id = self.count + 1, entry["id"]

    def __str__(self) -> str:
        if self.first_at is None:
            return "no entry"
        return f"entries {self.first_id} to {self.last_id}, from {self.first_at:%Y-%m-%d %H:%M:%S} UTC"


class Entries:
    """The entries of one chain in order, read page by page."""

    def __init__(self, chain: UUID) -> None:
        self._chain = chain
        self._place = (0, 0)
        self._page: list[Row] = []
        self._is_last = False

    async def up_to(self, end: tuple[int, int]) -> Covered:
        """Take those up to a place, that one included."""
        covered = Covered()
        while await self._fill():
            while self._page:
                if (self._page[-1]["xid"], self._page[-1]["id"]) > end:
                    return covered
                covered.add(self._page.pop())
        return covered

    async def _fill(self) -> bool:
        """Whether there is one more."""
        if not self._page and not self._is_last:
            found = await database.rows(
                f"""SELECT {ENTRY} FROM trail WHERE trail.chain = :chain
                    AND (trail.xid, trail.id) > (:xid::bigint::text::xid8, :id)
                    ORDER BY trail.xid, trail.id LIMIT {PAGE}""",
                chain=self._chain,
                xid=self._place[0],
                id=self._place[1],
            )
            self._is_last = len(found) < PAGE
            self._page = found[::-1]
            self._place = (found[-1]["xid"], found[-1]["id"]) if found else self._place
        return bool(self._page)


async def _seals(chain: UUID, newest: int) -> AsyncIterator[Row]:
    """The seals of a chain in order, up to this number."""
    number = 0
    while True:
        found = await database.rows(
            f"""SELECT * FROM trail_seal WHERE chain = :chain AND number > :number AND number <= :newest
                ORDER BY number LIMIT {PAGE}""",
            chain=chain,
            number=number,
            newest=newest,
        )
        for seal in found:
            yield seal
        if len(found) < PAGE:
            return
        number = found[-1]["number"]
