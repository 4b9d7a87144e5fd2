"""Test-day photos (R7): who may add one and how it comes in, who is shown it, and that no old one stays behind."""

import hashlib
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

import structlog

from engine import database, pictures
from engine import files as store
from engine.database import Row
from engine.jobs import enqueue
from engine.pictures import Picture
from errors import EntryNotFound, InvalidInput, Problem
from models.entry import Entry
from models.photo import Photo
from models.trail import TrailAct
from models.viewer import Kind, Viewer
from models.visit import About
from resolvers import files, trail
from resolvers.files import File, Link

log = structlog.get_logger()

FOLDER = "photo"
SHOWN, NEW = "photo", "new-photo"  # the kinds of address
DELETE = "delete photo"
# What nobody has heard of for so long was left behind by a process that died while it took a photo.
FORGOTTEN = timedelta(days=1)

ROW = """SELECT photo.id, photo.file, photo.digest, entry.candidate_id, result.id AS result_id, result.version
         FROM photo JOIN entry ON entry.id = photo.entry_id LEFT JOIN result ON result.entry_id = entry.id"""
# One statement, because a sitting that is reported hands its photo on.
NAMED = """SELECT file FROM photo WHERE file = ANY(:names)
           UNION ALL SELECT file FROM sitting_photo WHERE file = ANY(:names)"""


# ---- adding


async def address_for(viewer: Viewer, entry_id: UUID) -> Link:
    """Where a photo of this entry can be sent, once and within 15 minutes, by whoever has the address.

    It names the photo that stands now, so whichever photo comes first ends it.
    Raises NotLoggedIn, NotAllowed, EntryNotFound or InvalidInput.
    """
    viewer.must_be(Kind.STAFF)
    entry = await _entry(viewer, entry_id)
    if entry is None:
        raise EntryNotFound
    if not entry["takes_photo"]:
        raise InvalidInput([Problem("entryId", "Results of this exam have no photo.")])
    return files.link(viewer, NEW, entry_id, mark(entry["photo_id"]))


def mark(photo_id: UUID | None) -> str:
    """What an address for sending says of the photo that stands: it ends when another one does."""
    return "" if photo_id is None else str(photo_id)


async def is_awaited(viewer: Viewer, entry_id: UUID, marked: str) -> bool:
    """Whether this viewer may still send a photo to an address with this mark."""
    entry = await _entry(viewer, entry_id)
    return entry is not None and bool(entry["takes_photo"]) and mark(entry["photo_id"]) == marked


async def take(viewer: Viewer, entry_id: UUID, marked: str, raw: bytes) -> Picture | None:
    """Make the photo anew and keep it in place of the one that the mark names; None if the address has ended.

    Raises NotAPicture or Unavailable.
    """
    return await keep(raw, partial(_replace, viewer, entry_id, marked))


async def keep(raw: bytes, replace: Callable[[Mapping[str, Any]], Awaitable[bool]]) -> Picture | None:
    """Make a photo anew and keep its file, if `replace` writes the row of these facts; None if it does not.

    Raises NotAPicture or Unavailable.
    """
    picture = await pictures.made_anew(raw)
    name = store.new_name(FOLDER)
    await store.put(name, picture.content)
    async with database.transaction():
        is_kept = await replace(_facts(picture, name))
    if not is_kept:
        await store.delete(name)
    return picture if is_kept else None


def _facts(picture: Picture, name: str) -> dict[str, Any]:
    return {
        "file": name,
        "width": picture.width,
        "height": picture.height,
        "size": len(picture.content),
        "digest": hashlib.sha256(picture.content).digest(),
    }


async def _replace(viewer: Viewer, entry_id: UUID, marked: str, facts: Mapping[str, Any]) -> bool:
    """Put a row in the place of the one that the mark names; the old file goes after the commit."""
    await Entry.visible_to(viewer).get_or_none(entry_id, lock="FOR NO KEY UPDATE")
    if not await is_awaited(viewer, entry_id, marked):
        return False
    await let_go(await database.rows("DELETE FROM photo WHERE entry_id = :id RETURNING file", id=entry_id))
    await Photo.create(entry_id=entry_id, added_at=viewer.at, staff_id=viewer.id, **facts)
    entry = await Entry.get(id=entry_id)
    await trail.note(viewer, TrailAct.CHANGED, [About(entry.candidate_id)])
    return True


async def _entry(viewer: Viewer, entry_id: UUID) -> Row | None:
    """An entry of which this member of staff may add a photo: any for the board's, their own for a centre's.

    None of an account that was closed: its photos are erased (G2).
    """
    if viewer.kind is not Kind.STAFF:
        return None
    visible = Entry.visible_to(viewer)
    of_staff = "true" if viewer.is_board else "entry.centre_id = :centre_id"
    named = {} if viewer.is_board else {"centre_id": viewer.centre_id}
    return await database.row(
        f"""SELECT exam.photo AS takes_photo, photo.id AS photo_id FROM entry
            JOIN exam ON exam.code = entry.exam_id LEFT JOIN photo ON photo.entry_id = entry.id
            JOIN candidate ON candidate.id = entry.candidate_id AND candidate.closed_at IS NULL
            WHERE entry.id = :id AND {visible} AND {of_staff}""",
        id=entry_id,
        **visible.named,
        **named,
    )


# ---- showing


async def of_results(viewer: Viewer, result_ids: Sequence[UUID]) -> dict[UUID, UUID]:
    """The photo of each of these results, by its key, as far as the viewer may see them."""
    visible = Photo.visible_to(viewer)
    found = await database.rows(
        f"""SELECT result.id AS result_id, photo.id AS photo_id FROM result
            JOIN photo ON photo.entry_id = result.entry_id WHERE result.id = ANY(:ids) AND {visible}""",
        ids=list(result_ids),
        **visible.named,
    )
    return {one["result_id"]: one["photo_id"] for one in found}


def link(viewer: Viewer, photo_id: UUID | None, kind: str = SHOWN) -> Link | None:
    """Where the viewer's session sees a photo for 15 minutes."""
    return None if photo_id is None or viewer.session_id is None else files.link(viewer, kind, photo_id)


async def file(viewer: Viewer, photo_id: UUID, _detail: str) -> File | None:
    """The photo, if the viewer may see it at this moment; whoever is not its candidate leaves it in the trail (G1)."""
    return await shown(viewer, partial(_row, viewer, photo_id))


async def shown(viewer: Viewer, read: Callable[[], Awaitable[Row | None]]) -> File | None:
    """The picture of the row that `read` finds; None if it finds none, or not the same any more afterwards."""
    row = await read()
    content = None if row is None else await store.get(row["file"])
    if row is None or await read() != row:  # withdrawn or replaced while it was read
        return None
    if content is None or hashlib.sha256(content).digest() != row["digest"]:
        log.error("photo.damaged", photo=str(row["id"]))
        return None
    about = (row["result_id"], row["version"]) if row["result_id"] else ()
    viewer.saw(row["candidate_id"], *about)
    return File("photo.jpg", "image/jpeg", content, len(content), inline=True)


async def _row(viewer: Viewer, photo_id: UUID) -> Row | None:
    visible = Photo.visible_to(viewer)
    return await database.row(f"{ROW} WHERE photo.id = :id AND {visible}", id=photo_id, **visible.named)


# ---- leaving nothing behind


async def let_go(rows: Iterable[Row]) -> None:
    """Have the files of these deleted rows deleted, after the surrounding transaction."""
    for row in rows:
        await enqueue(DELETE, {"file": row["file"]}, f"{DELETE} {row['file']}")


async def delete(facts: Mapping[str, Any], _now: datetime) -> None:
    """Delete the file of a photo whose row is gone."""
    await store.delete(facts["file"])


async def purge(now: datetime) -> None:
    """Delete files that no row names: a process died between keeping one and writing its row."""
    async for names in store.older_than(now - FORGOTTEN, FOLDER):
        named = await database.rows(NAMED, names=names)
        for name in set(names) - {one["file"] for one in named}:
            await store.delete(name)
