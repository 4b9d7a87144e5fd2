"""Every kind of job, and everything that is done at fixed times: a line each."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

from engine.clock import Clock
from engine.jobs import Job, Schedule
from resolvers import (
    corrections,
    inboxes,
    key_endings,
    letters,
    list_checks,
    news,
    notices,
    password_links,
    photos,
    purges,
    releases,
    seals,
    shares,
)
from resolvers.downloads import jobs as download_jobs
from resolvers.sittings import moves, proctors, recordings
from resolvers.sittings import photos as sitting_photos

SCHEDULES = [
    Schedule("tell of new shares", "* * * * * */3", news.look),
    Schedule("seal the trail", "* * * * * */5", seals.seal),
    Schedule("find letters without a job", "* * * * *", letters.find_forgotten),
    Schedule("tell of expired shares", "* * * * *", shares.tell_expired),
    Schedule("sum up counts of inboxes", "* * * * *", inboxes.sum_up),
    Schedule("tell of released results", "* * * * * */5", releases.tell),
    Schedule("tell late holders of corrected results", "* * * * *", corrections.tell_late_holders),
    Schedule("end what is late of sittings", "* * * * * */5", moves.settle),
    Schedule("tell of lost proctors", "* * * * * */5", proctors.tell_of_lost),
    Schedule("delete recordings of sittings", "27 * * * *", recordings.delete_due),
    Schedule("purge forgotten recordings", "27 3 * * *", recordings.purge),
    Schedule("delete photos of sittings", "7 * * * *", sitting_photos.let_go_due),
    Schedule("tell of keys that end", "*/5 * * * *", key_endings.tell),
    Schedule("purge", "17 3 * * *", purges.purge),
    Schedule("purge forgotten photos", "37 3 * * *", photos.purge),
    Schedule("purge downloads", "57 3 * * *", download_jobs.give_up),
    Schedule("purge lists", "47 3 * * *", list_checks.purge),
]


def jobs(send: letters.Send, public_url: str, mail_seconds: float, clock: Clock) -> list[Job]:
    """The jobs, for a worker that sends mail by `send`, each in so many seconds; `public_url` is where links lead.

    A job that takes long asks the clock again.
    """

    async def letter(facts: Mapping[str, Any], now: datetime) -> timedelta | None:
        return await letters.deliver(UUID(facts["id"]), send, public_url, now, mail_seconds)

    return [
        Job(letters.JOB, letter),
        Job(notices.LOCKED, notices.write_of_lock),
        Job(password_links.FORGOTTEN, password_links.write_reset),
        Job(photos.DELETE, photos.delete),
        Job(download_jobs.JOB, partial(download_jobs.work, clock)),
        Job(list_checks.JOB, partial(list_checks.work, clock)),
    ]
