"""The rules that the database keeps: each is there, refuses the row that breaks it, and takes the one beside it."""

import re
from collections.abc import AsyncIterator
from datetime import datetime
from importlib import import_module
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from engine import database
from models.application import AccountApplication, ApplicationStatus
from models.base import new_id
from models.download import DownloadRow
from models.entry import Entry
from models.institution import Institution
from models.invitation import Invitation
from models.join_request import JoinRequest, JoinRequestStatus
from models.journal import EventKind, JournalEvent
from models.list_check import ListCheck, ListCheckBatch, ListCheckStatus
from models.photo import Photo
from models.release import Release
from models.result import Result
from models.session import Session
from models.template import DownloadFormat, DownloadTemplate
from models.trail import TrailAct, TrailEntry, TrailSeal
from models.tries import RateWindow, WrongTries
from models.verifier import VerifierUser
from models.version import Change, HolderNotice, ResultVersion
from resolvers import letters
from tests import sitting_rules
from tests.world import World

MIGRATIONS = sorted(path.stem for path in (Path(__file__).parent.parent / "migrations").glob("[0-9]*.py"))
RULES: list[str] = [rule for name in MIGRATIONS for rule in getattr(import_module(f"migrations.{name}"), "RULES", [])]
NAMED = re.compile(r"(?:ADD CONSTRAINT|CREATE UNIQUE INDEX|CREATE INDEX) (\w+)")
A_FREE_ENTRY = "(SELECT id FROM entry WHERE NOT EXISTS (SELECT 1 FROM result WHERE entry_id = entry.id) LIMIT 1)"
OTHER_PERSON = "(SELECT id FROM verifier_user WHERE NOT is_primary LIMIT 1)"


CONFIRMED = "email_confirmed_at = now(), due_on = now()"
DECIDED = "decided_at = now(), decided_by = gen_random_uuid()"


def copied(table: str, **changes: str) -> str:
    """An order to insert a row once more, with these columns changed; values are SQL."""
    changes.setdefault("id", "gen_random_uuid()")
    facts = ", ".join(f"'{column}', {value}" for column, value in changes.items())
    return f"""INSERT INTO {table} SELECT (jsonb_populate_record({table}, jsonb_build_object({facts}))).*
               FROM {table} ORDER BY {table}.id LIMIT 1"""


def written(**changes: str) -> str:
    """An order to note the file of a download, with these columns changed."""
    digest = f"decode('{'00' * 32}', 'hex')"
    facts = {"status": "'READY'", "done": "rows", "ready_at": "now()", "size": "9", "digest": digest, "file": "'a'"}
    return "UPDATE download SET " + ", ".join(f"{column} = {value}" for column, value in (facts | changes).items())


# What breaks each rule: every statement must be refused, and by this rule.
REFUSED = {
    "candidate_registered_is_whole": [
        "UPDATE candidate SET email = NULL WHERE registered_at IS NOT NULL",
        "UPDATE candidate SET password_hash = NULL WHERE registered_at IS NOT NULL",
        "UPDATE candidate SET terms_version = NULL WHERE registered_at IS NOT NULL",
        "UPDATE candidate SET terms_accepted_at = NULL WHERE registered_at IS NOT NULL",
        "UPDATE candidate SET email = 'a@b.example' WHERE registered_at IS NULL",
        "UPDATE candidate SET password_hash = 'x' WHERE registered_at IS NULL",
        "UPDATE candidate SET registered_at = now() WHERE registered_at IS NULL",
    ],
    "candidate_language": ["UPDATE candidate SET language = 'fr'"],
    "candidate_invented_has_no_account": [
        "UPDATE candidate SET sandbox_id = (SELECT id FROM institution LIMIT 1) WHERE registered_at IS NOT NULL"
    ],
    "institution_sandbox_is_alone": [
        f"UPDATE institution SET sandbox_of_id = (SELECT min(id::text)::uuid FROM institution), {fault}"
        " WHERE id = (SELECT max(id::text)::uuid FROM institution)"
        for fault in ("parent_id = NULL, skeleton = 'a'", "skeleton = NULL, domain = 'a.example'")
    ],
    "institution_no_sandbox_of_itself": ["UPDATE institution SET sandbox_of_id = id, domain = NULL, skeleton = NULL"],
    "institution_one_sandbox": [
        """INSERT INTO institution SELECT (jsonb_populate_record(institution, jsonb_build_object(
               'id', gen_random_uuid(), 'sandbox_of_id', id, 'domain', NULL, 'skeleton', NULL))).*
           FROM institution, generate_series(1, 2) WHERE parent_id IS NULL AND status = 'APPROVED'"""
    ],
    "letter_language": ["UPDATE letter SET language = 'fr'"],
    "letter_one_end": [
        "UPDATE letter SET sent_at = now(), refused_at = now()",
        "UPDATE letter SET sent_at = now(), parked_at = now()",
        "UPDATE letter SET refused_at = now(), parked_at = now()",
    ],
    "letter_one_owner": [
        "UPDATE letter SET candidate_id = (SELECT id FROM candidate LIMIT 1),"
        " verifier_id = (SELECT id FROM verifier_user LIMIT 1)"
    ],
    "result_version_once": [copied("result_version")],
    "result_version_has_reason": ["UPDATE result_version SET reason = ''"],
    "holder_notice_once": [copied("holder_notice")],
    "result_withheld_was_released": ["UPDATE result SET withheld_at = now(), released_at = NULL"],
    "release_once": [copied("release")],
    "photo_entry_id_key": [copied("photo")],
    "photo_is_small": ["UPDATE photo SET width = 0", "UPDATE photo SET height = 2001"],
    "photo_digest": ["UPDATE photo SET digest = 'short'"],
    "entry_issue": ["UPDATE entry SET issue = 0"],
    "share_expires_later": ["UPDATE share SET expires_at = sent_at - interval '1 second'"],
    "trail_versions": [copied("trail", id="999999", versions="'{1,2}'::int[]")],
    "trail_seal_number": [copied("trail_seal", id="999999")],
    "trail_seal_hashes": [
        copied("trail_seal", id="999999", number="2", hash="'\\x00'"),
        copied("trail_seal", id="999999", number="2", previous_hash="'\\x00'"),
    ],
    "centre_number_key": [copied("centre")],
    "entry_id_number_key": [copied("entry", candidate_number="'9999'")],
    "entry_id_number_form": [
        "UPDATE entry SET id_number = 'abc000001'",
        "UPDATE entry SET id_number = 'AB0000001'",
        "UPDATE entry SET id_number = 'ABC00001'",
    ],
    "entry_secret_is_sealed": ["UPDATE entry SET secret_hash = '1234'"],
    "entry_candidate_number": [copied("entry", id_number="'XYZ000001'")],
    "grade_band_order": ["UPDATE grade_band SET lowest = highest + 1 WHERE id = (SELECT min(id) FROM grade_band)"],
    "grade_band_exam": [copied("grade_band", id="2000000000")],
    "result_entry_id_key": [copied("result", statement_number="'S9'", certificate_number="'C9'")],
    "result_statement_number_key": [copied("result", entry_id=A_FREE_ENTRY, certificate_number="'C9'")],
    "result_certificate": [copied("result", entry_id=A_FREE_ENTRY, statement_number="'S9'")],
    "result_grade_is_graded": ["UPDATE result SET grade = 'A'", "UPDATE result SET outcome = 'GRADE'"],
    "result_level_has_cefr": ["UPDATE result SET cefr = NULL"],
    "result_shown_has_headline": [
        "UPDATE result SET headline = NULL",
        "UPDATE result SET outcome = 'PENDING', overall_score = NULL, cefr = NULL",
    ],
    "result_without_award_has_no_score": [
        "UPDATE result SET outcome = 'WITHHELD', headline = NULL, cefr = NULL",
        "UPDATE result SET outcome = 'WITHHELD', headline = NULL, overall_score = NULL",
    ],
    "result_score_range": ["UPDATE result SET overall_score = 231", "UPDATE result SET overall_score = -1"],
    "result_cefr": ["UPDATE result SET cefr = 'D1'", "UPDATE result SET cefr = 'b2'"],
    "result_revoked_was_released": ["UPDATE result SET released_at = NULL, revoked_at = now()"],
    "result_version": ["UPDATE result SET version = 0"],
    "uid_skill_score_result__a7df7e": [copied("skill_score", id="999999")],
    "skill_score_range": ["UPDATE skill_score SET score = 231", "UPDATE skill_score SET score = -1"],
    "institution_country": ["UPDATE institution SET country = 'jp'", "UPDATE institution SET country = 'J'"],
    "institution_not_its_own_parent": ["UPDATE institution SET parent_id = id"],
    "institution_approved_when": [
        "UPDATE institution SET approved_at = NULL",
        "UPDATE institution SET status = 'SUSPENDED', suspended_at = now(), approved_at = NULL",
    ],
    "institution_suspended_when": [
        "UPDATE institution SET status = 'SUSPENDED'",
        "UPDATE institution SET suspended_at = now()",
    ],
    "institution_merged_into": [
        "UPDATE institution SET status = 'MERGED'",
        "UPDATE institution SET merged_into_id = (SELECT id FROM institution WHERE parent_id IS NOT NULL)"
        " WHERE parent_id IS NULL",
    ],
    "institution_not_merged_into_itself": ["UPDATE institution SET status = 'MERGED', merged_into_id = id"],
    "application_institution_id_key": [copied("application")],
    "application_language": ["UPDATE application SET language = 'fr'"],
    "application_confirmed": [
        "UPDATE application SET status = 'EMAIL_CONFIRMED', due_on = now()",
        "UPDATE application SET status = 'EMAIL_CONFIRMED', email_confirmed_at = now()",
    ],
    "application_decided": [
        f"UPDATE application SET status = 'APPROVED', {CONFIRMED}",
        f"UPDATE application SET status = 'APPROVED', {CONFIRMED}, decided_at = now()",
        "UPDATE application SET decided_at = now(), decided_by = gen_random_uuid()",
    ],
    "application_refused_has_reason": [
        f"UPDATE application SET status = 'REFUSED', {CONFIRMED}, {DECIDED}, reason = ''"
    ],
    "verifier_removed_when": [
        "UPDATE verifier_user SET status = 'REMOVED'",
        "UPDATE verifier_user SET removed_at = now()",
    ],
    "invitation_language": ["UPDATE invitation SET language = 'fr'"],
    "invitation_country": ["UPDATE invitation SET country = 'jp'"],
    "invitation_one_answer": ["UPDATE invitation SET accepted_at = now(), declined_at = now()"],
    "join_request_language": ["UPDATE join_request SET language = 'fr'"],
    "join_request_decided": [
        "UPDATE join_request SET status = 'ACCEPTED', decided_at = now()",
        f"UPDATE join_request SET {DECIDED}",
    ],
    "join_request_once": [copied("join_request", email="upper(email)")],
    "list_check_done": ["UPDATE list_check SET done = rows + 1", "UPDATE list_check SET done = -1"],
    "list_check_ready": [
        "UPDATE list_check SET status = 'READY', ready_at = now(), done = 0",
        "UPDATE list_check SET status = 'READY', done = rows",
    ],
    "list_check_failed": ["UPDATE list_check SET status = 'FAILED'", "UPDATE list_check SET failure = 'Lost'"],
    "list_check_admitted": [
        "UPDATE list_check SET admitted = rows + 1",
        "UPDATE list_check SET admitted = -1",
    ],
    "list_check_batch_once": [copied("list_check_batch")],
    "download_asked_by_one": [
        "UPDATE download SET verifier_id = NULL",
        "UPDATE download SET key_id = gen_random_uuid()",
    ],
    "download_done": ["UPDATE download SET done = rows + 1", "UPDATE download SET done = -1"],
    "download_ready": [
        written(done="0"),
        *(written(**{fact: "NULL"}) for fact in ("ready_at", "size", "digest")),
    ],
    "download_failed": ["UPDATE download SET status = 'FAILED'", "UPDATE download SET failure = 'Lost'"],
    "download_file": ["UPDATE download SET file = 'a'", written(file="NULL")],
    "download_digest": ["UPDATE download SET digest = 'short'"],
    "download_language": ["UPDATE download SET language = 'fr'"],
    "download_left_out": [
        f"UPDATE download SET {count} = -1" for count in ("not_allowed", "without_statement", "gone")
    ],
    "download_row_place": [copied("download_row")],
    "verifier_active_has_password": ["UPDATE verifier_user SET password_hash = NULL"],
    "verifier_language": ["UPDATE verifier_user SET language = 'fr'"],
    "verifier_one_primary": [f"UPDATE verifier_user SET is_primary = true WHERE id = {OTHER_PERSON}"],
    "verifier_email": [copied("verifier_user", is_primary="false", email="upper(email)")],
    "staff_email": [copied("staff_user", email="upper(email)")],
    "staff_centre": [
        "UPDATE staff_user SET role = 'CENTRE'",
        "UPDATE staff_user SET centre_id = (SELECT id FROM centre LIMIT 1)",
    ],
    "share_once": [copied("share")],
    "share_not_merged_into_itself": ["UPDATE share SET merged_into_id = id"],
    "share_expiry_told": ["UPDATE share SET expiry_told_at = now()"],
    "share_read_was_opened": ["UPDATE share SET is_read = true"],
    "share_consent": [
        "UPDATE share SET consent_text = ''",
        "UPDATE share SET consent_version = ''",
        "UPDATE share SET institution_name_shown = ''",
    ],
    "share_consent_language": ["UPDATE share SET consent_language = 'fr'"],
    "share_times": [
        "UPDATE share SET opened_at = sent_at - interval '1 microsecond'",
        "UPDATE share SET withdrawn_at = sent_at - interval '1 microsecond'",
    ],
    "template_name": [copied("download_template", name="upper(name)")],
    "template_has_name": ["UPDATE download_template SET name = ''"],
    "template_version": ["UPDATE download_template SET version = 0"],
    "template_delimiter": ["UPDATE download_template SET delimiter = ':'"],
    "template_date_format": ["UPDATE download_template SET date_format = 'DD.MM.YYYY'"],
    "webhook_paused_why": ["UPDATE webhook SET paused_at = now()", "UPDATE webhook SET pause_reason = 'GONE'"],
    "webhook_failing": ["UPDATE webhook SET failures = 1", "UPDATE webhook SET failing_since = now()"],
    "webhook_url": ["UPDATE webhook SET url = 'ftp://a.example'", "UPDATE webhook SET url = 'a'"],
    "webhook_secret": ["UPDATE webhook SET secret_number = 0"],
    "webhook_delivery_once": [copied("webhook_delivery")],
    "webhook_delivery_waits": [
        "UPDATE webhook_delivery SET status = 'WAITING'",
        "UPDATE webhook_delivery SET next_try_at = now()",
    ],
    "webhook_delivery_tries": ["UPDATE webhook_delivery SET tries = -1"],
    "webhook_delivery_event": ["UPDATE webhook_delivery SET xid = NULL", "UPDATE webhook_delivery SET event_id = NULL"],
    "api_key_hash": [copied("api_key")],
    "api_key_hash_length": ["UPDATE api_key SET hash = 'short'"],
    "api_key_ends_after_it_began": ["UPDATE api_key SET expires_at = created_at"],
    "api_key_has_scopes": ["UPDATE api_key SET scopes = '{}'"],
    "api_key_known_scopes": ["UPDATE api_key SET scopes = '{VERIFY,READ_ALL}'"],
    "api_key_named": ["UPDATE api_key SET name = ''", "UPDATE api_key SET prefix = ''"],
    "list_check_of_one": [
        "UPDATE list_check SET verifier_id = NULL",
        "UPDATE list_check SET key_id = (SELECT id FROM api_key LIMIT 1)",
    ],
    "session_one_owner": [
        "UPDATE session SET candidate_id = NULL",
        "UPDATE session SET staff_id = (SELECT id FROM staff_user LIMIT 1)",
    ],
    "session_token_is_hashed": ["UPDATE session SET token_hash = 'a token as it was told'"],
    "session_token": [copied("session")],
    "journal_version_once": ["UPDATE journal SET kind = 'RESULT_REVOKED', result_version = 2"],
    "journal_institution": ["UPDATE journal SET institution_id = gen_random_uuid()"],
    "wrong_tries_subject": [copied("wrong_tries", id="999999")],
    "wrong_tries_counts": ["UPDATE wrong_tries SET in_a_row = -1", "UPDATE wrong_tries SET ever = -1"],
    "rate_window_subject": [copied("rate_window", id="999999")],
} | sitting_rules.REFUSED
# The row beside it: what each rule must let pass.
TAKEN = [
    "UPDATE candidate SET email = NULL, password_hash = NULL, closed_at = now() WHERE registered_at IS NOT NULL",
    "UPDATE candidate SET language = 'ja'",
    "UPDATE result SET overall_score = 230",
    "UPDATE result SET overall_score = 0",
    "UPDATE result SET outcome = 'GRADE', grade = 'C', cefr = NULL",
    "UPDATE result SET outcome = 'WITHHELD', headline = NULL, overall_score = NULL, cefr = NULL",
    "UPDATE result SET revoked_at = now()",
    copied("result", entry_id=A_FREE_ENTRY, statement_number="'S9'", certificate_number="NULL"),
    "UPDATE skill_score SET score = 230",
    "UPDATE institution SET status = 'SUSPENDED', suspended_at = now()",
    "UPDATE institution SET status = 'APPLIED', approved_at = NULL",
    f"UPDATE verifier_user SET is_primary = true, status = 'DEACTIVATED' WHERE id = {OTHER_PERSON}",
    "UPDATE verifier_user SET status = 'INVITED', password_hash = NULL",
    copied("verifier_user", is_primary="false", status="'REMOVED'", removed_at="now()"),
    "UPDATE institution SET status = 'MERGED', merged_into_id = parent_id WHERE parent_id IS NOT NULL",
    f"UPDATE application SET status = 'REFUSED', {CONFIRMED}, {DECIDED}, reason = 'No such body'",
    f"UPDATE application SET status = 'APPROVED', {CONFIRMED}, {DECIDED}",
    "UPDATE invitation SET accepted_at = now(), country = 'JP'",
    copied("join_request", status="'REFUSED'", decided_at="now()", decided_by="gen_random_uuid()"),
    "UPDATE list_check SET status = 'READY', done = rows, ready_at = now()",
    "UPDATE list_check SET admitted = rows",
    "UPDATE list_check SET verifier_id = NULL, key_id = (SELECT id FROM api_key LIMIT 1)",
    "UPDATE api_key SET scopes = '{DOWNLOAD,READ_PHOTO}', expires_at = created_at + interval '1 microsecond'",
    "UPDATE list_check SET status = 'FAILED', failure = 'The file is lost'",
    copied("list_check_batch", first_row="500"),
    written(),
    written(status="'EXPIRED'", file="NULL"),
    "UPDATE download SET status = 'FAILED', failure = 'Lost'",
    copied("download_row", place="1"),
    "UPDATE staff_user SET role = 'CENTRE', centre_id = (SELECT id FROM centre LIMIT 1)",
    copied("share", withdrawn_at="'infinity'"),
    copied("share", merged_into_id="(SELECT id FROM share LIMIT 1)"),
    copied("share", expires_at="'infinity'", expiry_told_at="'infinity'"),
    "UPDATE share SET opened_at = sent_at, is_read = true, withdrawn_at = sent_at",
    copied("download_template", institution_id="(SELECT id FROM institution WHERE parent_id IS NOT NULL)"),
    "UPDATE download_template SET delimiter = chr(9), date_format = 'YYYY年M月D日'",
    "UPDATE webhook SET paused_at = now(), pause_reason = 'GONE', failures = 1, failing_since = now()",
    "UPDATE webhook_delivery SET status = 'WAITING', next_try_at = now(), tries = 0",
    copied("webhook_delivery", xid="NULL", event_id="NULL"),
    copied("webhook_delivery", event_id="999999"),
    "UPDATE wrong_tries SET in_a_row = 0, ever = 0",
    copied("rate_window", id="999999", subject="'another'"),
    "UPDATE letter SET parked_at = now()",
    "UPDATE photo SET width = 1, height = 2000",
    "UPDATE share SET expires_at = sent_at",
    "UPDATE result SET withheld_at = now()",
    copied("result_version", version="2"),
    copied("holder_notice", version="2"),
    copied("trail", id="999999"),
    copied("journal", id="999999"),
    "UPDATE journal SET kind = 'RESULT_REVOKED', result_version = id",
    copied("trail_seal", id="999999", number="2"),
    "UPDATE letter SET verifier_id = (SELECT id FROM verifier_user LIMIT 1)",
    *sitting_rules.TAKEN,
]


@pytest.fixture
async def filled(open_database: None, world: World, database_url: str) -> AsyncIterator[Any]:
    """A connection to a database with good rows in every table that has rules."""
    result = await world.result(certificate_number="C0000001")
    await world.entry(await world.candidate(registered=False))
    institution = await world.institution()
    await world.verifier(institution, is_primary=True)
    await world.verifier(institution)
    await world.staff()
    await world.share(result, institution)
    await Session.create(
        token_hash=b"h" * 32,
        candidate_id=(await Entry.get(id=result.entry_id)).candidate_id,
        created_at=world.clock(),
        used_at=world.clock(),
    )
    template: dict[str, Any] = {"name": "All", "format": DownloadFormat.CSV, "columns": []}
    await DownloadTemplate.create(**template, institution_id=institution.id, created_at=world.clock())
    await with_history(result, institution, world.clock())
    await with_requests(result, institution, world)
    await world.delivery(await world.webhook(institution))
    async with database.transaction():
        await letters.write("password_reset", letters.Receiver("a@b.example", "en"), {}, world.clock())
    await WrongTries.create(kind="k", subject=b"s", last_at=world.clock())
    await RateWindow.create(kind="k", subject="s", window_started_at=world.clock())
    await sitting_rules.with_sittings(world, result, institution)
    connection = await asyncpg.connect(database_url)
    yield connection
    await connection.close()


async def with_history(result: Result, institution: Institution, now: datetime) -> None:
    """A row in each table of versions, releases, photos and the trail."""
    entry = await Entry.get(id=result.entry_id)
    facts: dict[str, Any] = {"result_id": result.id, "version": 1}
    await ResultVersion.create(
        **facts,
        outcome=result.outcome,
        skill_scores={},
        ended_by=Change.AMENDED,
        ended_at=now,
        reason="A slip",
    )
    await HolderNotice.create(**facts, institution_id=institution.id, change=Change.AMENDED, told_at=now)
    await JournalEvent.create(
        institution_id=institution.id,
        kind=EventKind.RESULT_AMENDED,
        result_id=result.id,
        result_version=2,
        happened_at=now,
    )
    await Release.create(exam_id=entry.exam_id, exam_date=entry.exam_date, release_at=now, scheduled_at=now)
    await Photo.create(entry_id=entry.id, file="a.jpg", width=10, height=10, size=9, digest=b"d" * 32, added_at=now)
    await TrailEntry.create(
        chain=institution.id, act=TrailAct.READ, at=now, viewer_kind="verifier", candidates=[entry.candidate_id],
        results=[result.id], versions=[1], path="inbox", address="", request_id="",
    )  # fmt: skip
    hashes: dict[str, Any] = {"previous_hash": bytes(32), "hash": bytes(32)}
    await TrailSeal.create(chain=institution.id, number=1, last_xid=1, last_id=1, entries=1, sealed_at=now, **hashes)


async def with_requests(result: Result, institution: Institution, world: World) -> None:
    """A row in each table of what candidates, applicants and institutions ask for."""
    now = world.clock()
    person: dict[str, Any] = {"name": "A B", "email": "a@b.example"}
    await world.institution(parent_id=institution.id, department="Law")
    await AccountApplication.create(
        institution_id=institution.id, status=ApplicationStatus.APPLIED, applicant_name="A B",
        applicant_email="a@b.example", applied_at=now,
    )  # fmt: skip
    await Invitation.create(
        **person, candidate_id=(await Entry.get(id=result.entry_id)).candidate_id, website="https://b.example",
        language="en", invited_at=now,
    )  # fmt: skip
    await world.key(institution)
    await JoinRequest.create(**person, institution_id=institution.id, status=JoinRequestStatus.ASKED, asked_at=now)
    check = await ListCheck.create(
        institution_id=institution.id, verifier_id=(await VerifierUser.get(is_primary=True)).id, rows=2, asked_at=now,
        status=ListCheckStatus.QUEUED, purpose="Admission", address="", request_id="", file_name="a.csv", format="CSV",
    )  # fmt: skip
    await ListCheckBatch.create(list_check_id=check.id, first_row=0, verdicts=[])
    download = await world.download(await VerifierUser.get(is_primary=True))
    await DownloadRow.create(
        download_id=download.id, place=0, share_id=new_id(), result_id=result.id, version=result.version
    )


async def verdict(connection: Any, statement: str) -> str:
    """The rule that refuses a statement, or how many rows it took; either way nothing of it stays."""
    transaction = connection.transaction()
    await transaction.start()
    try:
        return str(await connection.execute(statement)).rpartition(" ")[2]
    except asyncpg.IntegrityConstraintViolationError as error:
        return str(error.constraint_name)
    finally:
        await transaction.rollback()


async def test_every_rule_of_the_migration_is_in_a_fresh_database(filled: Any) -> None:
    """Tortoise makes no constraints of its own (see migrations/0002_rules.py)."""
    found = await filled.fetch(
        """SELECT conname FROM pg_constraint WHERE connamespace = 'public'::regnamespace
           UNION SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'i'"""
    )
    dropped = {match[1] for rule in RULES if (match := re.match(r"DROP INDEX (\w+)", rule))}
    wanted = {match[1] for rule in RULES if (match := NAMED.search(rule))} - dropped
    assert len(wanted) > 50
    assert wanted - {row[0] for row in found} == set()


async def test_every_rule_in_the_database_is_tried_here(filled: Any) -> None:
    rules = await filled.fetch(
        """SELECT conname FROM pg_constraint WHERE connamespace = 'public'::regnamespace AND contype = 'c'
           UNION SELECT relname FROM pg_class JOIN pg_index ON indexrelid = pg_class.oid
           WHERE relnamespace = 'public'::regnamespace AND indisunique AND NOT indisprimary
           AND indrelid <> 'tortoise_migrations'::regclass"""
    )
    ours = {row[0] for row in rules if not row[0].startswith("pgqueuer")}
    assert ours == set(REFUSED) - {"journal_institution"}  # a foreign key


async def test_a_row_that_breaks_a_rule_is_refused_by_that_rule(filled: Any) -> None:
    tried = [(rule, statement) for rule, statements in REFUSED.items() for statement in statements]
    told = [(rule, statement, await verdict(filled, statement)) for rule, statement in tried]
    assert [one for one in told if one[2] != one[0]] == []


async def test_a_row_at_the_edge_of_a_rule_is_taken(filled: Any) -> None:
    told = [(statement, await verdict(filled, statement)) for statement in TAKEN]
    assert [one for one in told if not one[1].isdigit() or one[1] == "0"] == []
