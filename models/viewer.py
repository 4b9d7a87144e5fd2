"""Who is asking, and what each kind of asker may see."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Any, Generic, TypeVar
from uuid import UUID

from tortoise.models import Model

from engine import database
from engine.allowance import Left
from engine.database import Row
from errors import NotAllowed, NotLoggedIn, Sentence
from models.scope import Scope
from models.visit import Visit

M = TypeVar("M", bound=Model)


class Kind(Enum):
    """The kinds of caller there are."""

    ANONYMOUS = "anonymous"
    CANDIDATE = "candidate"
    VERIFIER = "verifier"
    KEY = "key"  # an institution's own program
    STAFF = "staff"
    PROCTOR = "proctor"  # of the staff, those who watch sittings
    WORKER = "worker"


CANDIDATE = Kind.CANDIDATE  # found in the enumeration each time, it takes longer than the rest of `saw`


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who is asking, since when (`at`, UTC), and from where; made once per request and again for every event."""

    kind: Kind
    at: datetime
    address: str = ""
    id: UUID | None = None
    institution_id: UUID | None = None
    session_id: UUID | None = None  # of a key, the key's own
    session_ends_at: datetime | None = None
    is_primary: bool = False
    is_reader: bool = False  # of an institution's users: may read and open shares, and nothing else
    scopes: frozenset[Scope] = frozenset()  # of a key
    is_sandbox: bool = False  # the institution is a sandbox: the viewer sees invented candidates, and no real ones (P4)
    is_board: bool = False  # of staff: the board's; else they work for the centre
    centre_id: UUID | None = None
    language: str = "en"  # the account's, or else the one that the client likes best (A12)
    allowance: Left | None = field(default=None, compare=False, repr=False)  # what this operation left of it (P3)
    visit: Visit = field(default_factory=Visit, compare=False, repr=False)  # what the trail has to tell of it (G1)

    def saw(self, candidate_id: UUID, result_id: UUID | None = None, version: int | None = None) -> None:
        """Keep for the trail whose data this viewer is shown; candidates, who see their own, leave none."""
        if self.kind is not CANDIDATE:
            self.visit.shown.append((candidate_id, result_id, version))

    @property
    def named(self) -> dict[str, Any]:
        """The values that the conditions of `visible_to` name."""
        return {
            "viewer_id": self.id,
            "viewer_institution_id": self.institution_id,
            "viewer_sandbox_id": self.sandbox_id,
            "viewer_centre_id": self.centre_id,
            "viewer_at": self.at,
        }

    @property
    def account(self) -> Kind:
        """The kind of account behind it: proctors have one of staff."""
        return Kind.STAFF if self.kind is Kind.PROCTOR else self.kind

    @property
    def sandbox_id(self) -> UUID | None:
        """The sandbox whose invented candidates are there for this viewer; None for everybody to whom real ones are."""
        return self.institution_id if self.is_sandbox else None

    def must_be(self, kind: Kind) -> UUID:
        """The viewer's own id, if it is of this kind; raises NotLoggedIn or NotAllowed."""
        if self.kind is Kind.ANONYMOUS or self.id is None:
            raise NotLoggedIn
        if self.kind is not kind:
            raise NotAllowed
        return self.id

    def must_be_board(self) -> UUID:
        """The id of one of the board's staff; raises NotLoggedIn or NotAllowed."""
        staff_id = self.must_be(Kind.STAFF)
        if not self.is_board:
            raise NotAllowed
        return staff_id

    def must_be_officer(self) -> UUID:
        """The id of an institution's user who may do more than read (U2); raises NotLoggedIn or NotAllowed."""
        if not self.may_more_than_read:
            raise NotAllowed
        return self.must_be(Kind.VERIFIER)

    def has(self, scope: Scope) -> bool:
        """Whether this is a key that may do this (P1)."""
        return self.kind is Kind.KEY and scope in self.scopes

    def may(self, scope: Scope) -> bool:
        """Whether nothing stands in the way: this is no key, or one with this scope."""
        return self.kind is not Kind.KEY or scope in self.scopes

    def must_act(self, scope: Scope) -> UUID:
        """The institution for which an officer, or a key with this scope, acts; raises NotLoggedIn or NotAllowed."""
        if self.kind is not Kind.KEY:
            self.must_be_officer()
        return self._institution(scope)

    def must_read(self, scope: Scope) -> UUID:
        """The institution for which any of its users, or a key with this scope, reads; raises as `must_act` does."""
        if self.kind is not Kind.KEY:
            self.must_be(Kind.VERIFIER)
        return self._institution(scope)

    def reads(self, scope: Scope) -> bool:
        """Whether this is a user of an institution, or a key of one with this scope."""
        return self.kind is Kind.VERIFIER or self.has(scope)

    def _institution(self, scope: Scope) -> UUID:
        if not self.may(scope):
            raise NotAllowed(Sentence.of("This needs a key with the scope {scope}.", scope=scope.value))
        if self.institution_id is None:
            raise NotAllowed
        return self.institution_id

    @property
    def may_more_than_read(self) -> bool:
        """Whether this is no reader of an institution's account (U2); its Primary User never counts as one."""
        return self.is_primary or not self.is_reader

    def must_be_primary(self) -> UUID:
        """The id of an institution's Primary User (U1); raises NotLoggedIn or NotAllowed."""
        user_id = self.must_be(Kind.VERIFIER)
        if not self.is_primary:
            raise NotAllowed
        return user_id


@dataclass(frozen=True, slots=True)
class Visible(Generic[M]):
    """The rows of one table that one viewer may see, as a condition for any statement on that table.

    `str()` of it is SQL that names the table by its own name; `named` holds the values it needs.
    """

    model: type[M]
    condition: str
    named: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"({self.condition})"

    async def get_or_none(self, id: UUID, lock: str = "") -> M | None:
        """The row with this id as a model instance, if it may be seen; `lock` is `FOR UPDATE` or `FOR SHARE`."""
        table = self.model._meta.db_table
        found = await database.row(
            f"SELECT {table}.* FROM {table} WHERE {table}.id = :id AND {self} {lock and f'{lock} OF {table}'}",
            id=id,
            **self.named,
        )
        return None if found is None else self._instance(found)

    async def holds(self, id: UUID) -> bool:
        """Whether the row with this id may be seen."""
        table = self.model._meta.db_table
        return bool(
            await database.rows(f"SELECT 1 FROM {table} WHERE {table}.id = :id AND {self}", id=id, **self.named)
        )

    def _instance(self, found: Row) -> M:
        return self.model._init_from_db(**found)


def visible(model: type[M], viewer: Viewer, rules: dict[Kind, str]) -> Visible[M]:
    """The rule for this kind of viewer; a kind without a rule sees nothing."""
    condition = rules.get(viewer.kind, "false")
    needed = database.numbered(condition)[1]
    named = viewer.named
    return Visible(model, condition, {name: named[name] for name in needed})
