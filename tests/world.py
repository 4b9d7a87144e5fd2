"""Builds what a test needs, row by row, in the database that is open."""

import asyncio
from collections.abc import Callable
from datetime import date, datetime, timedelta
from functools import cache
from typing import Any
from uuid import UUID

from engine import database, keys
from engine.hashing import HASHER
from models import key_token, person_names
from models.application import AccountApplication, ApplicationStatus
from models.base import new_id
from models.candidate import Candidate
from models.consent import CONSENT_VERSION
from models.download import Download, DownloadStatus
from models.entry import Centre, Entry, sealed_secret
from models.institution import Institution, InstitutionKind, InstitutionStatus
from models.invitation import Invitation
from models.join_request import JoinRequest, JoinRequestStatus
from models.key import ApiKey
from models.layout import Column, Field, Layout
from models.letter import Letter
from models.list_check import ListCheck, ListCheckStatus
from models.result import Outcome, Result, SkillScore
from models.scope import Scope
from models.template import DownloadFormat
from models.terms import Terms
from models.totp import code_at
from models.verifier import StaffRole, StaffUser, VerifierStatus, VerifierUser
from models.viewer import Kind, Viewer
from models.webhook import DeliveryStatus, Webhook, WebhookDelivery
from resolvers import institutions, journal, news, sessions
from resolvers.shares import Consent, send
from resolvers.staff import equip
from schema.ids import global_id

PASSWORD = "correct horse 42"
NO_TERMS = Terms()
SECRET = "1234"
LAYOUT = Layout("All columns", DownloadFormat.CSV, (Column(Field.HEADLINE, "Result"),))
CES_SKILLS = {"READING": 168, "USE_OF_ENGLISH": 160, "WRITING": 176, "LISTENING": 170, "SPEAKING": 166}


@cache
def password_hash() -> str:
    """The hash of PASSWORD, made once: hashing is slow on purpose."""
    return HASHER.hash(PASSWORD.encode())


def gid(row: Any) -> str:
    """The GraphQL id of a row."""
    return str(global_id(type(row).__name__, row.pk))


async def settled() -> None:
    """Wait until every event lies below the horizon, which other workers' transactions on the server hold back too."""
    open_ones = " UNION ALL ".join(
        f"SELECT 1 FROM {table} WHERE xid >= pg_snapshot_xmin(pg_current_snapshot())"
        for table in ("journal", "result_event", "sitting_event")
    )
    async with asyncio.timeout(60):
        while await database.value(open_ones) is not None:  # noqa: ASYNC110  # other processes set no event
            await asyncio.sleep(0.01)


class World:
    """Makes rows with sensible defaults; numbers and names differ by themselves."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self.clock = clock
        self.count = 0

    def _next(self) -> int:
        self.count += 1
        return self.count

    async def centre(self) -> Centre:
        """The one centre of this world."""
        centre, _ = await Centre.get_or_create(
            number="JP901", defaults={"name": "Shiokaze Examination Centre", "city": "Yokohama", "country": "JP"}
        )
        return centre

    async def candidate(self, registered: bool = True, **facts: Any) -> Candidate:
        """A candidate, registered with PASSWORD unless told otherwise."""
        number = self._next()
        account: dict[str, Any] = {
            "email": f"candidate{number}@mail.example",
            "password_hash": password_hash(),
            "terms_version": "2026-11",
            "terms_accepted_at": self.clock(),
            "registered_at": self.clock(),
        }
        defaults: dict[str, Any] = {"family_name": f"Tanaka{number}", "given_name": "Aoi", "native_name": "田中 葵"}
        facts = defaults | {"date_of_birth": date(2001, 2, 3)} | (account if registered else {}) | facts
        searched = person_names.searched(facts["given_name"], facts["family_name"], facts["native_name"])
        return await Candidate.create(**facts | {"searched": searched, "grams": person_names.grams(searched)})

    async def entry(self, candidate: Candidate | None = None, exam: str = "C1_ADVANCED", **facts: Any) -> Entry:
        """An entry with Secret Number SECRET, claimed if its candidate is registered."""
        candidate = candidate or await self.candidate()
        number = self._next()
        id_number = facts.pop("id_number", f"ABC{number:06}")
        secret = facts.pop("secret", SECRET)
        defaults: dict[str, Any] = {
            "exam_date": date(2026, 9, 20),
            "candidate_number": f"{number:04}",
            "results_by": date(2026, 11, 1),
            "claimed_at": candidate.registered_at,
            "centre_id": (await self.centre()).id,
        }
        return await Entry.create(
            candidate_id=candidate.id,
            exam_id=exam,
            id_number=id_number,
            secret_hash=sealed_secret(id_number, secret),
            **defaults | facts,
        )

    async def result(self, entry: Entry | None = None, skills: dict[str, int] | None = None, **facts: Any) -> Result:
        """A released result: C1 Advanced 168, "Council of Europe Level B2", unless told otherwise."""
        entry = entry or await self.entry()
        number = self._next()
        defaults: dict[str, Any] = {
            "outcome": Outcome.LEVEL,
            "statement_number": f"S26{number:07}",
            "headline": "Council of Europe Level B2",
            "cefr": "B2",
            "overall_score": 168,
            "loaded_at": self.clock() - timedelta(days=3),
            "released_at": self.clock() - timedelta(days=1),
        }
        facts = defaults | facts
        if facts["released_at"] is not None and facts["released_at"] <= self.clock():
            facts.setdefault("release_told_at", facts["released_at"])
        result = await Result.create(entry_id=entry.id, **facts)
        scores = CES_SKILLS if skills is None else skills
        for skill, score in scores.items():
            await SkillScore.create(result_id=result.id, skill=skill, score=score)
        return result

    async def institution(self, name: str | None = None, aliases: list[str] | None = None, **facts: Any) -> Institution:
        """An approved institution that can be found by its name and aliases."""
        number = self._next()
        defaults: dict[str, Any] = {
            "kind": InstitutionKind.EDUCATION,
            "country": "JP",
            "city": "Yokohama",
            "website": f"https://institution{number}.example",
            "timezone": "Asia/Tokyo",
            "status": InstitutionStatus.APPROVED,
            "applied_at": self.clock() - timedelta(days=30),
            "approved_at": self.clock() - timedelta(days=25),
        }
        institution = await Institution.create(name=name or f"University {number}", **defaults | facts)
        await institutions.name_for_search(institution, aliases or [])
        return institution

    async def sandbox(self, owner: Institution, **facts: Any) -> Institution:
        """The sandbox of an institution, with nobody in it."""
        place: dict[str, Any] = {"kind": owner.kind, "country": owner.country, "city": owner.city}
        defaults = {"status": InstitutionStatus.APPROVED, "applied_at": self.clock(), "approved_at": self.clock()}
        more: dict[str, Any] = {"name": "Trials (sandbox)", "website": owner.website, "sandbox_of_id": owner.id}
        return await Institution.create(**place | defaults | more | facts)

    async def application(self, institution: Institution | None = None, **facts: Any) -> AccountApplication:
        """An application that is to be decided, of a new institution unless one is given."""
        number = self._next()
        status = InstitutionStatus.EMAIL_CONFIRMED
        institution = institution or await self.institution(status=status, approved_at=None)
        defaults: dict[str, Any] = {
            "status": ApplicationStatus.EMAIL_CONFIRMED,
            "applicant_name": f"Applicant {number}",
            "applicant_email": f"applicant{number}@office.example",
            "applied_at": self.clock(),
            "email_confirmed_at": self.clock(),
            "due_on": self.clock().date() + timedelta(days=7),
        }
        return await AccountApplication.create(institution_id=institution.id, **defaults | facts)

    async def list_check(self, user: VerifierUser | None = None, **facts: Any) -> ListCheck:
        """A list that was handed in now, without its file."""
        user = user or await self.verifier()
        defaults: dict[str, Any] = {
            "institution_id": user.institution_id,
            "verifier_id": user.id,
            "status": ListCheckStatus.QUEUED,
            "purpose": "Admission",
            "address": "192.0.2.1",
            "request_id": "",
            "file_name": "list.csv",
            "format": "CSV",
            "rows": 2,
            "asked_at": self.clock(),
        }
        return await ListCheck.create(**defaults | facts)

    async def download(self, user: VerifierUser | None = None, **facts: Any) -> Download:
        """A download of two results that was asked for now, without them."""
        user = user or await self.verifier()
        defaults: dict[str, Any] = {
            "institution_id": user.institution_id,
            "verifier_id": user.id,
            "status": DownloadStatus.QUEUED,
            "format": DownloadFormat.CSV,
            "template": LAYOUT.as_json(),
            "chosen": {},
            "address": "192.0.2.1",
            "request_id": "",
            "rows": 2,
            "asked_at": self.clock(),
        }
        return await Download.create(**defaults | facts)

    async def invitation(self, candidate: Candidate | None = None, **facts: Any) -> Invitation:
        """An invitation by a candidate, mailed now."""
        number = self._next()
        defaults: dict[str, Any] = {
            "candidate_id": (candidate or await self.candidate()).id,
            "name": f"College {number}",
            "email": f"office{number}@college{number}.example",
            "website": f"https://www.college{number}.example",
            "language": "en",
            "invited_at": self.clock(),
        }
        return await Invitation.create(**defaults | facts)

    async def webhook(self, institution: Institution | None = None, **facts: Any) -> Webhook:
        """A webhook that is told of everything that happens from now on."""
        institution = institution or await self.institution()
        defaults: dict[str, Any] = {
            "url": f"https://hooks.institution{self._next()}.example/new",
            "kinds": [],
            "created_by": new_id(),
            "created_at": self.clock(),
            "xid": await journal.position(),
            "event_id": 0,
        }
        return await Webhook.create(institution_id=institution.id, **defaults | facts)

    async def delivery(self, webhook: Webhook, **facts: Any) -> WebhookDelivery:
        """A message to a webhook that was taken; of an event that is none of the journal's."""
        defaults: dict[str, Any] = {
            "xid": 1,
            "event_id": self._next(),
            "kind": "SHARE_SENT",
            "payload": {"type": "share.sent"},
            "status": DeliveryStatus.DELIVERED,
            "tries": 1,
            "created_at": self.clock(),
            "last_try_at": self.clock(),
            "last_status": 204,
        }
        return await WebhookDelivery.create(webhook_id=webhook.id, **defaults | facts)

    async def suspend(self, institution: Institution) -> None:
        """Suspend an institution now."""
        await Institution.filter(id=institution.id).update(
            status=InstitutionStatus.SUSPENDED, suspended_at=self.clock()
        )

    async def verifier(self, institution: Institution | None = None, **facts: Any) -> VerifierUser:
        """An active verifier with PASSWORD; the first of an institution is its Primary User, a later one if told so."""
        institution = institution or await self.institution()
        number = self._next()
        defaults: dict[str, Any] = {
            "name": f"Verifier {number}",
            "email": f"verifier{number}@office.example",
            "password_hash": password_hash(),
            "status": VerifierStatus.ACTIVE,
            "created_at": self.clock(),
        }
        chosen = await news.starting(institution, self.clock(), facts.pop("notify", None))
        chosen |= {"removed_at": self.clock()} if facts.get("status") is VerifierStatus.REMOVED else {}
        facts = defaults | chosen | facts
        primaries = VerifierUser.filter(institution_id=institution.id, is_primary=True, status=VerifierStatus.ACTIVE)
        facts.setdefault("is_primary", facts["status"] is VerifierStatus.ACTIVE and not await primaries.exists())
        async with database.transaction():
            if facts["is_primary"] and facts["status"] is VerifierStatus.ACTIVE:
                await primaries.update(is_primary=False)
            return await VerifierUser.create(institution_id=institution.id, **facts)

    async def join_request(self, institution: Institution | None = None, **facts: Any) -> JoinRequest:
        """Somebody's request to join an institution, asked now."""
        institution = institution or await self.institution()
        number = self._next()
        defaults: dict[str, Any] = {"name": f"Asker {number}", "email": f"asker{number}@office.example"}
        defaults |= {"status": JoinRequestStatus.ASKED, "asked_at": self.clock()}
        return await JoinRequest.create(institution_id=institution.id, **defaults | facts)

    async def remove(self, user: Any) -> None:
        """Remove a user from their institution's account now."""
        await VerifierUser.filter(id=user.id).update(
            status=VerifierStatus.REMOVED, is_primary=False, removed_at=self.clock()
        )

    async def staff(self, centre: Centre | None = None, **facts: Any) -> StaffUser:
        """A member of the board's staff, or of a centre's, with PASSWORD."""
        defaults: dict[str, Any] = {
            "name": "Staff",
            "email": f"staff{self._next()}@board.example",
            "role": StaffRole.CENTRE if centre else StaffRole.BOARD,
            "centre_id": centre.id if centre else None,
        }
        staff = await StaffUser.create(password_hash=password_hash(), created_at=self.clock(), **defaults | facts)
        await equip(staff)
        return staff

    def code(self, staff: StaffUser) -> str:
        """The code that the authenticator of the board's staff shows now; each works once."""
        return code_at(staff.id, 1, self.clock())

    async def letter(self, owner: Candidate | VerifierUser | None = None, **facts: Any) -> Letter:
        """A letter to this account, parked now unless told otherwise; no job is waiting to send it."""
        owner = owner or await self.candidate()
        account = "candidate" if isinstance(owner, Candidate) else "verifier"
        defaults: dict[str, Any] = {
            "kind": "password_changed",
            "facts": {"account": account.upper()},
            f"{account}_id": owner.id,
            "address": owner.email,
            "language": owner.language,
            "written_at": self.clock(),
            "next_try_at": self.clock(),
        }
        if not facts.keys() & {"sent_at", "refused_at", "parked_at"}:
            defaults |= {"parked_at": self.clock(), "tries": 10}
        return await Letter.create(**defaults | facts)

    async def token(self, owner: Candidate | VerifierUser | StaffUser) -> str:
        """The token of a fresh session of this account, for `client.as_`; spares the slow log-in."""
        kinds = {Candidate: Kind.CANDIDATE, VerifierUser: Kind.VERIFIER, StaffUser: Kind.STAFF}
        return (await sessions.start(kinds[type(owner)], owner.id, self.viewer(Kind.ANONYMOUS))).token

    async def key(self, institution: Institution, *scopes: Scope, **facts: Any) -> tuple[ApiKey, str]:
        """A key of an institution with these scopes, or else all, valid for a year, and its text, for `client.as_`."""
        made_by = facts.pop("made_by", None) or await VerifierUser.filter(institution_id=institution.id).first()
        made_by = made_by or await self.verifier(institution)
        token = key_token.new(is_production=False)
        defaults: dict[str, Any] = {
            "name": f"Key {self._next()}",
            "prefix": key_token.shown(token),
            "hash": keys.hashed(token),
            "scopes": [scope.value for scope in scopes or Scope],
            "created_by_id": made_by.id,
            "created_at": self.clock(),
            "expires_at": self.clock() + timedelta(days=365),
        }
        return await ApiKey.create(institution_id=institution.id, **defaults | facts), token

    def viewer(self, kind: Kind, id: UUID | None = None, **facts: Any) -> Viewer:
        """A viewer of this kind at this moment."""
        return Viewer(kind, self.clock(), "192.0.2.1", id=id, **facts)

    async def share(self, result: Result, institution: Institution, terms: Terms = NO_TERMS) -> UUID:
        """A share, sent as the result's candidate would; answers its key."""
        candidate = await Candidate.get(entries__id=result.entry_id)
        inside: dict[str, Any] = {
            "institution_id": candidate.sandbox_id,
            "is_sandbox": candidate.sandbox_id is not None,
        }
        viewer = self.viewer(Kind.CANDIDATE, candidate.id, **inside)
        sent = await send(viewer, result.id, institution.id, Consent(CONSENT_VERSION, "en"), terms)
        share_id: UUID = sent.share["share_id"]
        return share_id
