"""Mails about new shares, and about corrected results: whom to tell, when, and of what (N2, N3, R11).

`note` sees in the journal which institutions got any, and marks the users who are to be told at once; `send_due`
tells everybody whose time has come, daily and weekly ones too, of what came behind their own cursor. Both read events
below the horizon only (see resolvers/journal.py): nothing can appear among those any more. A letter, the cursor it
covers and the next time are written in one transaction, so a worker that dies has told all of it or nothing.
"""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import structlog

from engine import database
from engine.database import Row
from errors import NotAllowed, Unavailable
from mailers.letters import MOST_LISTED
from models.institution import APPROVED, Institution
from models.letter import WAITING
from models.names import shown_name
from models.notify import Notify, next_digest
from models.share import Share
from models.verifier import unsubscriber_of
from models.viewer import Kind, Viewer
from resolvers import columns, journal, letters

KIND = "new_shares"
CORRECTED = "result_corrected"
READER = "news"
SPACING = timedelta(minutes=1)  # between two mails to one user

# What came behind a cursor and is settled. The cursor is handed in: joined with, it would make PostgreSQL read all of
# the journal instead of going to its end by the index.
BEHIND = """(journal.xid, journal.id) > (:xid::bigint::text::xid8, :event_id)
            AND journal.xid < pg_snapshot_xmin(pg_current_snapshot())"""
# Of corrections users are told by the notices: whoever is found late to hold a version gets no second event.
NOTICES_BEHIND = """holder_notice.xid >= :xid::bigint::text::xid8
            AND holder_notice.xid < pg_snapshot_xmin(pg_current_snapshot())"""

# Told are active users of approved institutions with an address that takes mail; the others stay due until they are
# that again. One mail at a time: while the last one waits for its server, what comes is for the next.
DUE = f"""verifier_user.news_due_at <= :now AND verifier_user.notify <> 'OFF' AND verifier_user.status = 'ACTIVE'
          AND verifier_user.email_refused_at IS NULL AND {APPROVED}
          AND NOT EXISTS (SELECT 1 FROM letter
                          WHERE letter.verifier_id = verifier_user.id
                          AND letter.kind IN ('{KIND}', '{CORRECTED}') AND {WAITING})"""
CORRECTIONS = f"""SELECT count(DISTINCT holder_notice.result_id) FROM holder_notice
    WHERE holder_notice.institution_id = :institution_id AND {NOTICES_BEHIND}"""
OF_INSTITUTION = "FROM verifier_user JOIN institution ON institution.id = verifier_user.institution_id"

log = structlog.get_logger()


async def look(now: datetime) -> None:
    """Tell everybody who is to be told by now."""
    await note(now)
    await send_due(now)


# ---- whom to tell at once


async def note(now: datetime) -> None:
    """Mark whom to tell at once of what came since the last look; one worker at a time does it.

    A quiet service writes nothing here.
    """
    place = await database.row(f"SELECT xid, event_id FROM journal_reader WHERE name = '{READER}'")
    if place is not None and not await _is_anything_behind(place):
        return
    async with database.transaction():
        place = await _place()
        if place is not None:
            await _note_behind(place, now)


async def _is_anything_behind(place: Row) -> bool:
    return bool(
        await database.rows(
            f"""(SELECT 1 FROM journal WHERE {BEHIND} ORDER BY journal.xid, journal.id LIMIT 1) UNION ALL
                (SELECT 1 FROM holder_notice WHERE {NOTICES_BEHIND} ORDER BY holder_notice.xid LIMIT 1)""",
            xid=place["xid"],
            event_id=place["event_id"],
        )
    )


async def _place() -> Row | None:
    """How far the last look came, kept from other workers until the transaction ends; None if one of them is at it."""
    await database.rows(
        f"""INSERT INTO journal_reader (name, xid, event_id) SELECT '{READER}', {journal.HORIZON}, 0
            WHERE NOT EXISTS (SELECT 1 FROM journal_reader WHERE name = '{READER}') ON CONFLICT DO NOTHING"""
    )
    return await database.row(
        f"SELECT xid, event_id FROM journal_reader WHERE name = '{READER}' FOR UPDATE SKIP LOCKED"
    )


async def _note_behind(place: Row, now: datetime) -> None:
    """Everything up to the horizon counts as seen, by the same snapshot that shows what is there."""
    seen = await database.row(
        f"""SELECT {journal.HORIZON} AS horizon, array(
                SELECT institution_id FROM journal WHERE kind = 'SHARE_SENT' AND {BEHIND}
                UNION SELECT institution_id FROM holder_notice WHERE {NOTICES_BEHIND}) AS institutions""",
        xid=place["xid"],
        event_id=place["event_id"],
    )
    assert seen is not None
    if seen["institutions"]:
        await _mark(seen["institutions"], now)
    await database.rows(
        f"UPDATE journal_reader SET xid = :horizon, event_id = 0 WHERE name = '{READER}'", horizon=seen["horizon"]
    )


async def _mark(institutions: list[UUID], now: datetime) -> None:
    """Have the users told who want it at once, a minute after their last mail at the earliest.

    Those who are marked are marked again: whoever is being told at this moment, of what came before, is waited for,
    and told once more. Users who may not be told just now are marked for later.
    """
    await database.rows(
        """UPDATE verifier_user
           SET news_due_at = coalesce(news_due_at, greatest(:now, news_sent_at + :spacing::interval))
           WHERE institution_id = ANY(:institutions) AND notify = 'AT_ONCE' AND status <> 'REMOVED'""",
        now=now,
        spacing=SPACING,
        institutions=institutions,
    )


# ---- telling


async def send_due(now: datetime) -> int:
    """Write the letters that are due; tells how many. Several workers share them."""
    due = await database.rows(
        f"SELECT verifier_user.id {OF_INSTITUTION} WHERE {DUE} ORDER BY verifier_user.news_due_at", now=now
    )
    return sum([await _tell_apart(user["id"], now) for user in due])


async def _tell_apart(user_id: UUID, now: datetime) -> bool:
    """Tell one user, if it is still due; a fault of ours in one letter must not stop those behind it."""
    try:
        async with database.transaction():
            return await _tell(user_id, now)
    except Unavailable:
        raise
    except Exception:
        log.exception("news.failed", verifier=str(user_id))
        return False


async def _tell(user_id: UUID, now: datetime) -> bool:
    user = await database.row(
        f"""SELECT verifier_user.*, institution.name AS institution_name, institution.department, institution.timezone
            {OF_INSTITUTION} WHERE verifier_user.id = :id AND {DUE} FOR NO KEY UPDATE OF verifier_user SKIP LOCKED""",
        id=user_id,
        now=now,
    )
    if user is None:
        return False
    news = await _news(user, now)
    is_told: bool = news["count"] > 0 or news["corrected"] > 0
    receiver = letters.Receiver(user["email"], user["language"], verifier_id=user_id)
    if news["count"]:
        await letters.write(KIND, receiver, _facts(user, news), now)
    if news["corrected"]:
        await letters.write(CORRECTED, receiver, _facts_of_corrections(user, news), now)
    notify = Notify(user["notify"])
    await database.rows(
        """UPDATE verifier_user SET news_xid = :horizon, news_id = 0, news_due_at = :due_at,
                  news_sent_at = coalesce(:sent_at, news_sent_at) WHERE id = :id""",
        id=user_id,
        horizon=news["horizon"],
        due_at=None if notify is Notify.AT_ONCE else next_digest(notify, user["timezone"], now),
        sent_at=now if is_told else None,
    )
    return is_told


async def _news(user: Row, now: datetime) -> Row:
    """What came behind the user's cursor, is there for the institution now, and was opened by nobody yet.

    And how many results of which it has a version were corrected: it is told of those even if it may see no more of
    them, because it may have kept what it saw (R11).
    The horizon is of the same snapshot: the next letter begins where this one ends.
    """
    visible = Share.visible_to(Viewer(Kind.VERIFIER, now, institution_id=user["institution_id"]))
    found = await database.row(
        f"""WITH news AS MATERIALIZED (
                SELECT exam.title, entry.exam_date, share.sent_at, share.id
                FROM journal JOIN share ON share.id = journal.share_id
                JOIN result ON result.id = share.result_id {columns.RESULT_JOINS}
                WHERE journal.institution_id = :institution_id AND journal.kind = 'SHARE_SENT' AND {BEHIND}
                AND {visible} AND share.opened_at IS NULL)
            SELECT {journal.HORIZON} AS horizon, (SELECT count(*) FROM news) AS count, ({CORRECTIONS}) AS corrected,
                (SELECT json_agg(json_build_array(title, number) ORDER BY number DESC, title)
                   FROM (SELECT title, count(*) AS number FROM news GROUP BY title) AS exams) AS by_exam,
                (SELECT json_agg(json_build_array(title, exam_date, sent_at) ORDER BY sent_at DESC, id DESC)
                   FROM (SELECT * FROM news ORDER BY sent_at DESC, id DESC LIMIT :most) AS newest) AS latest""",
        institution_id=user["institution_id"],
        xid=user["news_xid"],
        event_id=user["news_id"],
        most=MOST_LISTED if user["notify"] == Notify.AT_ONCE.value else 0,
        **visible.named,
    )
    assert found is not None
    return found


def _facts(user: Row, news: Row) -> dict[str, Any]:
    """What the letter says: numbers, exams and times, and nothing of a candidate (N5)."""
    return {
        "verifier_id": str(user["id"]),
        "institution": shown_name(user["institution_name"], user["department"]),
        "timezone": user["timezone"],
        "period": user["notify"],
        "count": news["count"],
        "by_exam": news["by_exam"],
        "latest": news["latest"] or [],
    }


def _facts_of_corrections(user: Row, news: Row) -> dict[str, Any]:
    """How many, and nothing else."""
    return {
        "verifier_id": str(user["id"]),
        "institution": shown_name(user["institution_name"], user["department"]),
        "period": user["notify"],
        "count": news["corrected"],
    }


# ---- choosing


async def starting(institution: Institution, now: datetime, notify: Notify | None = None) -> dict[str, Any]:
    """What a new user of an institution starts with: the Primary's choice (N3), and no news from before."""
    notify = notify or institution.default_notify
    due_at = _due_at(notify, institution.timezone, now, None)
    return {"notify": notify, "news_due_at": due_at, "news_xid": await journal.position(), "news_id": 0}


async def choose(viewer: Viewer, notify: Notify | None, primary_default: Notify | None) -> None:
    """Change when the viewer is mailed, and, as the Primary User, what new users start with; None changes nothing.

    Raises NotLoggedIn or NotAllowed.
    """
    user_id = viewer.must_be(Kind.VERIFIER)
    if primary_default is not None and not viewer.is_primary:
        raise NotAllowed
    async with database.transaction():
        if notify is not None:
            await _choose(user_id, notify, viewer.at)
        if primary_default is not None:
            await database.rows(
                "UPDATE institution SET default_notify = :notify WHERE id = :id",
                notify=primary_default.value,
                id=viewer.institution_id,
            )


async def _choose(user_id: UUID, notify: Notify, now: datetime) -> None:
    """The same once more changes nothing; between two that are not OFF the cursor stays, so nothing is lost."""
    user = await database.row(
        f"""SELECT verifier_user.notify, verifier_user.news_sent_at, verifier_user.news_xid, verifier_user.news_id,
                   institution.timezone {OF_INSTITUTION}
            WHERE verifier_user.id = :id FOR NO KEY UPDATE OF verifier_user""",
        id=user_id,
    )
    assert user is not None
    if user["notify"] == notify.value:
        return
    begins = user["notify"] == Notify.OFF.value
    await database.rows(
        """UPDATE verifier_user SET notify = :notify, news_due_at = :due_at, news_xid = :xid, news_id = :event_id
           WHERE id = :id""",
        id=user_id,
        notify=notify.value,
        due_at=_due_at(notify, user["timezone"], now, user["news_sent_at"]),
        xid=await journal.position() if begins else user["news_xid"],
        event_id=0 if begins else user["news_id"],
    )


def _due_at(notify: Notify, timezone: str, now: datetime, sent_at: datetime | None) -> datetime | None:
    """When to look for news of a user who has just chosen; UTC.

    AT_ONCE is looked at once at once: what came while the choice was being written was noted for others only.
    """
    if notify is Notify.OFF:
        return None
    if notify is Notify.AT_ONCE:
        return max(now, sent_at + SPACING) if sent_at else now
    return next_digest(notify, timezone, now)


async def stop(token: str) -> bool:
    """Set to OFF the user whom the token of a mail belongs to, whoever sends it; tells whether there is one (N5)."""
    user_id = unsubscriber_of(token)
    if user_id is None:
        return False
    return bool(
        await database.rows(
            "UPDATE verifier_user SET notify = 'OFF', news_due_at = NULL WHERE id = :id RETURNING id", id=user_id
        )
    )


def can_stop(token: str) -> bool:
    """Whether we made this token; asking changes nothing, because mail scanners open every link."""
    return unsubscriber_of(token) is not None


async def default_of(viewer: Viewer) -> Notify:
    """What new users of the viewer's institution start with (N3)."""
    return Notify(
        await database.value("SELECT default_notify FROM institution WHERE id = :id", id=viewer.institution_id)
    )
