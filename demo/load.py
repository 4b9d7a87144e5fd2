"""Fill an empty database with the demo, and tell the log-ins. All is invented but the titles of the exams."""

import csv
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from engine import database, hashing
from models import person_names
from models.base import new_id
from models.candidate import Candidate
from models.consent import CONSENT_VERSION, TERMS_VERSION, consent_sentence
from models.entry import Centre, Entry, sealed_secret
from models.exam import Exam, GradeBand
from models.grades import PASSING_WORDS, Award, award, award_in_words, scale_of_exam
from models.institution import Institution, InstitutionKind, InstitutionStatus
from models.journal import EventKind
from models.names import full_name, shown_name
from models.result import Outcome, Result, SkillScore
from models.share import Share
from models.verifier import StaffRole, StaffUser, VerifierStatus, VerifierUser
from models.viewer import Kind, Viewer
from resolvers import exams, institutions, journal, news, staff
from resolvers.shares import Consent
from resolvers.sittings import bookings
from resolvers.sittings.bookings import Appointment

Logins = dict[str, Any]

FOLDER = Path(__file__).parent
PASSWORD = "demo-pass-2026"  # printed for everybody to log in with
LOCK = 0xDE30  # of two processes that load at once, the second finds the data there
RESULTS = 500
REGISTERED = 150
SHARES_OF_REGISTERED = 2
ROUND = timedelta(minutes=15)
SOON = timedelta(minutes=5)
AT_HOME = "Asia/Tokyo"
PROCTORS = ("proctor", "next.proctor")  # who is lost is replaced by the next one
NO_AWARD = [Outcome.PENDING, Outcome.WITHHELD, Outcome.ABSENT_FROM_PART, Outcome.ABSENT_FROM_ALL]


@dataclass
class Demo:
    """What is being loaded, and what `var/demo.json` will tell."""

    now: datetime
    dice: random.Random
    password_hash: str
    exams: dict[str, Exam] = field(default_factory=dict)
    bands: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    centres: list[Centre] = field(default_factory=list)
    institutions: list[Institution] = field(default_factory=list)
    candidates: list[Candidate] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)
    secrets: dict[str, str] = field(default_factory=dict)
    results: list[Result] = field(default_factory=list)
    verifiers: list[VerifierUser] = field(default_factory=list)
    staff: list[StaffUser] = field(default_factory=list)
    otpauth: dict[UUID, str | None] = field(default_factory=dict)
    appointment: Appointment | None = None


async def load(now: datetime, keep: Callable[[Logins], None] = lambda _: None) -> Logins | None:
    """Load the demo in one transaction and return the log-ins; None, and no change, when there is data already.

    `keep` is handed the log-ins just before the commit: whoever dies after it has both, before it neither counts.
    """
    demo = Demo(now, random.Random("seiseki"), await hashing.hash_password(PASSWORD))
    async with database.transaction():
        await database.rows("SELECT pg_advisory_xact_lock(:lock)", lock=LOCK)
        if await database.value("SELECT 1 FROM institution LIMIT 1"):
            return None
        await _reference(demo)
        await _institutions(demo)
        await _people(demo)
        await _entries_and_results(demo)
        await _shares(demo)
        await _sitting_at_home(demo)
        keep(_logins(demo))
    return _logins(demo)


def lines(name: str) -> list[dict[str, str]]:
    """The rows of one of the demo's CSV files."""
    return list(csv.DictReader((FOLDER / name).read_text("utf-8").splitlines()))


async def _reference(demo: Demo) -> None:
    await exams.load_reference_data()
    demo.exams = {exam.code: exam for exam in await Exam.all()}
    for band in await GradeBand.all().values():
        demo.bands.setdefault(band["exam_code"], []).append(band)
    demo.centres = [Centre(**line) for line in lines("centres.csv")]
    await Centre.bulk_create(demo.centres)


async def _institutions(demo: Demo) -> None:
    by_slug: dict[str, Institution] = {}
    for number, line in enumerate(lines("institutions.csv")):
        institution = Institution(
            name=line["name"],
            department=line["department"] or None,
            parent_id=by_slug[line["parent_slug"]].id if line["parent_slug"] else None,
            kind=InstitutionKind(line["kind"]),
            country=line["country"],
            city=line["city"],
            website=line["website"],
            timezone=line["timezone"],
            status=InstitutionStatus.APPROVED,
            applied_at=demo.now - timedelta(days=90 + number),
            approved_at=demo.now - timedelta(days=85 + number),
        )
        await institution.save()
        await institutions.name_for_search(institution, [alias for alias in line["aliases"].split("|") if alias])
        by_slug[line["slug"]] = institution
        demo.verifiers += _users(demo, institution, line, await news.starting(institution, demo.now))
    demo.institutions = list(by_slug.values())
    await VerifierUser.bulk_create(demo.verifiers)


def _users(
    demo: Demo, institution: Institution, line: dict[str, str], chosen: dict[str, Any]
) -> Iterator[VerifierUser]:
    host = line["website"].removeprefix("https://").strip("/")
    for role, is_primary in (("primary", True), ("office", False)):
        yield VerifierUser(
            institution_id=institution.id,
            name=f"{role.title()} of {shown_name(institution.name, institution.department)}",
            email=f"{role}@{host}",
            password_hash=demo.password_hash,
            is_primary=is_primary,
            status=VerifierStatus.ACTIVE,
            language="ja" if line["country"] == "JP" else "en",
            created_at=demo.now,
            **chosen,
        )


async def _people(demo: Demo) -> None:
    for number, line in enumerate(lines("people.csv")):
        searched = person_names.searched(line["given_name"], line["family_name"], line["native_name"])
        demo.candidates.append(
            Candidate(
                family_name=line["family_name"],
                given_name=line["given_name"],
                native_name=line["native_name"] or None,
                searched=searched,
                grams=person_names.grams(searched),
                date_of_birth=date.fromisoformat(line["date_of_birth"]),
                language=line["language"],
                **(_account(demo, number) if number < REGISTERED else {}),
            )
        )
    await Candidate.bulk_create(demo.candidates)
    demo.staff = [
        _member(demo, "board", StaffRole.BOARD),
        _member(demo, "centre", StaffRole.CENTRE, demo.centres[0].id),
        *(_member(demo, name, StaffRole.PROCTOR) for name in PROCTORS),
    ]
    await StaffUser.bulk_create(demo.staff)
    for one in demo.staff:
        demo.otpauth[one.id] = await staff.equip(one)


def _member(demo: Demo, name: str, role: StaffRole, centre_id: UUID | None = None) -> StaffUser:
    shown = name.replace(".", " ").capitalize()
    return StaffUser(
        name=shown if role is StaffRole.PROCTOR else f"{shown} staff",
        email=f"{name}@lanternfield.example",
        password_hash=demo.password_hash,
        role=role,
        centre_id=centre_id,
        created_at=demo.now,
    )


def _account(demo: Demo, number: int) -> dict[str, Any]:
    return {
        "email": f"candidate{number + 1}@mail.example",
        "password_hash": demo.password_hash,
        "terms_version": TERMS_VERSION,
        "terms_accepted_at": demo.now - timedelta(days=30),
        "registered_at": demo.now - timedelta(days=30),
    }


async def _entries_and_results(demo: Demo) -> None:
    scores: list[SkillScore] = []
    for number in range(RESULTS):
        candidate = demo.candidates[number % len(demo.candidates)]
        exam, exam_date, score = _sitting(demo, number)
        entry = _entry(demo, number, candidate, exam, exam_date)
        result, its_scores = _result(demo, number, entry, exam, score)
        demo.entries.append(entry)
        demo.results.append(result)
        scores += its_scores
    await Entry.bulk_create(demo.entries)
    await Result.bulk_create(demo.results)
    await SkillScore.bulk_create(scores)


def _sitting(demo: Demo, number: int) -> tuple[Exam, date, int | None]:
    """Which exam, when, and with which score; the first two are the cases that people ask to see."""
    if number == 0:
        return demo.exams["C1_ADVANCED"], demo.now.date() - timedelta(days=60), 168
    if number == 1:
        return demo.exams["PET_STD100"], date(2014, 6, 14), 85
    codes = sorted(demo.exams)
    exam = demo.exams[codes[number % len(codes)]]
    last = min(exam.last_date or date.max, demo.now.date() - timedelta(days=45))
    exam_date = max(exam.first_date, last - timedelta(days=demo.dice.randrange(1200)))
    bands = demo.bands.get(scale_of_exam(exam.code), [])
    if not bands:
        return exam, exam_date, None
    return exam, exam_date, demo.dice.randint(min(b["lowest"] for b in bands), max(b["highest"] for b in bands))


def _entry(demo: Demo, number: int, candidate: Candidate, exam: Exam, exam_date: date) -> Entry:
    letters = "".join(demo.dice.choices("ABCDEFGHJKLMNPQRSTUVWXYZ", k=3))
    id_number, secret = f"{letters}{100000 + number * 17}", f"{demo.dice.randrange(10_000):04}"
    demo.secrets[id_number] = secret
    return Entry(
        candidate_id=candidate.id,
        exam_id=exam.code,
        centre_id=demo.centres[number % len(demo.centres)].id,
        exam_date=exam_date,
        candidate_number=f"{number + 1:04}",
        id_number=id_number,
        secret_hash=sealed_secret(id_number, secret),
        results_by=exam_date + timedelta(weeks=6),
        claimed_at=candidate.registered_at,
    )


def _result(demo: Demo, number: int, entry: Entry, exam: Exam, score: int | None) -> tuple[Result, list[SkillScore]]:
    released_at = datetime.combine(entry.exam_date + timedelta(weeks=6), datetime.min.time(), UTC)
    no_award = NO_AWARD[number // 97 % len(NO_AWARD)] if number % 97 == 96 else None  # now and then
    result = Result(
        id=new_id(),
        entry_id=entry.id,
        outcome=no_award or Outcome.GRADE,
        statement_number=f"S{entry.exam_date:%y}{number:07}",
        loaded_at=released_at - timedelta(days=2),
        released_at=released_at,
        release_told_at=released_at if released_at <= demo.now else None,
    )
    if no_award:
        return result, []
    _set_award(result, _award(demo, exam, entry.exam_date, score), score, number)
    return result, _skill_scores(demo, result.id, exam, score)


def _award(demo: Demo, exam: Exam, exam_date: date, score: int | None) -> Award:
    if score is None:  # DELTA Module One is graded in words, without a score
        return award_in_words(demo.dice.choice(PASSING_WORDS))
    try:
        return award(demo.bands[scale_of_exam(exam.code)], exam_date, score)
    except LookupError:  # below the lowest published band
        return Award("FAIL", "Fail", None, None, certificate=False)


def _set_award(result: Result, given: Award, score: int | None, number: int) -> None:
    certificate_number = f"C{number:08}" if given.certificate else None
    facts = {"headline": given.headline, "grade": given.grade, "cefr": given.cefr, "overall_score": score}
    result.update_from_dict({"outcome": Outcome(given.outcome), "certificate_number": certificate_number, **facts})


def _skill_scores(demo: Demo, result_id: UUID, exam: Exam, score: int | None) -> list[SkillScore]:
    """Skills whose mean is the overall score, as the exam says; the 0 to 100 scale has no numbers for skills."""
    if score is None or exam.scale_id == "STD100":
        return []
    if exam.scale_id == "IBT120":
        parts = [score // 4 + (1 if place < score % 4 else 0) for place in range(4)]
    else:
        shift = min(demo.dice.randrange(6), score - 80, 230 - score)
        parts = [score] * len(exam.skills)
        parts[-2], parts[-1] = score - shift, score + shift
    return [
        SkillScore(result_id=result_id, skill=skill, score=part) for skill, part in zip(exam.skills, parts, strict=True)
    ]


async def _shares(demo: Demo) -> None:
    """Some shares of registered candidates, so that dashboards are not empty."""
    entries = {entry.id: entry for entry in demo.entries}
    sendable = [
        result
        for result in demo.results
        if entries[result.entry_id].claimed_at and result.outcome in (Outcome.GRADE, Outcome.LEVEL)
    ]
    for number, result in enumerate(sendable):
        for place in range(SHARES_OF_REGISTERED):
            institution = demo.institutions[(number * 7 + place * 3) % len(demo.institutions)]
            share = _share(demo, entries[result.entry_id], result, institution, number)
            await share.save()
            await journal.write(EventKind.SHARE_SENT, institution.id, share.id, result.id, share.sent_at)


def _share(demo: Demo, entry: Entry, result: Result, institution: Institution, number: int) -> Share:
    shown = shown_name(institution.name, institution.department)
    assert result.released_at is not None
    sent_at = max(result.released_at, demo.now - timedelta(hours=number * 3, minutes=number % 60))
    opened_at = sent_at + timedelta(hours=2) if number % 3 == 0 and number else None
    return Share(
        result_id=result.id,
        institution_id=institution.id,
        candidate_id=entry.candidate_id,
        sent_at=sent_at,
        is_read=opened_at is not None,
        opened_at=opened_at,
        consent_text=consent_sentence(shown, "en"),
        consent_version=CONSENT_VERSION,
        consent_language="en",
        institution_name_shown=shown,
    )


async def _sitting_at_home(demo: Demo) -> None:
    """A sitting of the first candidate, at the next full quarter of an hour, so that there is one to be tried."""
    local = quarter_behind(demo.now + SOON).astimezone(ZoneInfo(AT_HOME)).replace(tzinfo=None)
    held = [exam for exam in demo.exams.values() if _is_held_at_home(exam, local.date())]
    if not held:  # in no year of these exams
        return
    demo.appointment = Appointment(held[0].code, local, AT_HOME)
    candidate = Viewer(Kind.CANDIDATE, demo.now, id=demo.candidates[0].id)
    await bookings.book(candidate, demo.appointment, [demo.institutions[0].id], Consent(CONSENT_VERSION, "en"))


def quarter_behind(moment: datetime) -> datetime:
    """The next full quarter of an hour, or the moment itself if it is one."""
    return moment + (datetime.min.replace(tzinfo=UTC) - moment) % ROUND


def _is_held_at_home(exam: Exam, day: date) -> bool:
    is_at_home = exam.scale_id == bookings.SCALE_AT_HOME
    return is_at_home and exam.first_date <= day <= (exam.last_date or date.max)


def _sittings(demo: Demo) -> list[Logins]:
    """Who can be checked in when, with the name as a proctor reads it in their document."""
    if demo.appointment is None:
        return []
    candidate, entry, at = demo.candidates[0], demo.entries[0], demo.appointment
    startable = {"idNumber": entry.id_number, "password": PASSWORD, "exam": at.exam_code}
    name = full_name(candidate.given_name, candidate.family_name)
    return [{**startable, "name": name, "startsAt": f"{at.starts_at:%Y-%m-%dT%H:%M}", "timezone": at.timezone}]


def _logins(demo: Demo) -> Logins:
    """What `var/demo.json` tells: who can log in, and which entries wait to be claimed."""
    names = {candidate.id: full_name(candidate.given_name, candidate.family_name) for candidate in demo.candidates}
    shown = {one.id: shown_name(one.name, one.department) for one in demo.institutions}
    claimed = [entry for entry in demo.entries if entry.claimed_at]
    waiting = [entry for entry in demo.entries if not entry.claimed_at]
    return {
        "password": PASSWORD,
        "candidates": [
            {"idNumber": entry.id_number, "password": PASSWORD,
             "name": names[entry.candidate_id], "exam": entry.exam_id}
            for entry in claimed
        ],
        "unclaimed": [
            {"idNumber": entry.id_number, "secretNumber": demo.secrets[entry.id_number],
             "name": names[entry.candidate_id], "exam": entry.exam_id}
            for entry in waiting
        ],
        "verifiers": [
            {"email": user.email, "password": PASSWORD, "institution": shown[user.institution_id],
             "primary": user.is_primary}
            for user in demo.verifiers
        ],
        "staff": [
            {"email": user.email, "password": PASSWORD, "role": user.role.value}
            | ({"otpauth": otpauth} if (otpauth := demo.otpauth[user.id]) else {})
            for user in demo.staff
        ],
        "sittings": _sittings(demo),
    }  # fmt: skip
