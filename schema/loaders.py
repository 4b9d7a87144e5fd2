"""Edges ask loaders, which answer many at once; every loader sees what its viewer may see, and nothing else."""

from collections.abc import Awaitable, Callable
from functools import cached_property
from typing import Any, TypeVar
from uuid import UUID

from strawberry.dataloader import DataLoader

from engine.database import Row
from models.viewer import Viewer
from resolvers import (
    api_keys,
    applications,
    candidates,
    corrections,
    details,
    entries,
    exams,
    flags,
    inboxes,
    institutions,
    invitations,
    join_requests,
    list_checks,
    parked_mail,
    photos,
    results,
    shares,
    templates,
    verifiers,
    webhooks,
)
from resolvers.downloads import history as download_history
from resolvers.pages import Page, Place
from resolvers.sittings import chat, parts, views
from resolvers.sittings import photos as sitting_photos

K = TypeVar("K")
V = TypeVar("V")

SharesKey = tuple[UUID, Place]
ReadPages = Callable[[Viewer, list[UUID], Place], Awaitable[dict[UUID, Page]]]


def _by_key(read: Callable[[list[K]], Awaitable[dict[K, V]]]) -> DataLoader[K, V | None]:
    """A loader that answers None for what the viewer may not see."""

    async def load(keys: list[K]) -> list[V | None]:
        found = await read(list(dict.fromkeys(keys)))
        return [found.get(key) for key in keys]

    return DataLoader(load_fn=load)


class Loaders:
    """The loaders of one operation, each made when it is first asked."""

    def __init__(self, viewer: Viewer) -> None:
        self.viewer = viewer

    def _rows(self, read: Callable[[Viewer, list[Any]], Awaitable[dict[Any, V]]]) -> DataLoader[Any, V | None]:
        return _by_key(lambda keys: read(self.viewer, keys))

    @cached_property
    def candidate(self) -> DataLoader[UUID, Row | None]:
        """Candidates by id."""
        return self._rows(candidates.by_ids)

    @cached_property
    def pending_email(self) -> DataLoader[UUID, str | None]:
        """The address of a candidate that waits to be confirmed."""
        return self._rows(details.pending_emails)

    @cached_property
    def entry(self) -> DataLoader[UUID, Row | None]:
        """Entries by id."""
        return self._rows(entries.by_ids)

    @cached_property
    def result(self) -> DataLoader[UUID, Row | None]:
        """Results by id."""
        return self._rows(results.by_ids)

    @cached_property
    def photo_of_result(self) -> DataLoader[UUID, UUID | None]:
        """Keys of photos by the ids of their results."""
        return self._rows(photos.of_results)

    @cached_property
    def result_by_number(self) -> DataLoader[str, Row | None]:
        """Results by statement number."""
        return self._rows(results.by_numbers)

    @cached_property
    def share(self) -> DataLoader[UUID, Row | None]:
        """Shares by id."""
        return self._rows(shares.by_ids)

    @cached_property
    def inbox_counts(self) -> DataLoader[UUID, inboxes.Counts | None]:
        """How many shares the viewer's institution has, and how many of them nobody has read."""
        return self._rows(inboxes.counts_of)

    @cached_property
    def institution(self) -> DataLoader[UUID, Row | None]:
        """Institutions by id."""
        return self._rows(institutions.by_ids)

    @cached_property
    def has_departments(self) -> DataLoader[UUID, bool | None]:
        """Whether an institution has accounts of departments beside this one."""
        return self._rows(institutions.with_departments)

    @cached_property
    def aliases_of(self) -> DataLoader[UUID, list[str] | None]:
        """The names beside its own that an institution is found by."""
        return _by_key(institutions.aliases_of)

    @cached_property
    def application(self) -> DataLoader[UUID, Row | None]:
        """Applications by id."""
        return self._rows(applications.by_ids)

    @cached_property
    def flags_of(self) -> DataLoader[UUID, list[flags.Flag] | None]:
        """What is remarkable about an application."""
        return self._rows(flags.of_applications)

    @cached_property
    def invitation(self) -> DataLoader[UUID, Row | None]:
        """Invitations by id."""
        return self._rows(invitations.by_ids)

    @cached_property
    def list_check(self) -> DataLoader[UUID, Row | None]:
        """Lists to verify by id."""
        return self._rows(list_checks.by_ids)

    @cached_property
    def api_key(self) -> DataLoader[UUID, Row | None]:
        """Keys of institutions' programs by id."""
        return self._rows(api_keys.by_ids)

    @cached_property
    def download(self) -> DataLoader[UUID, Row | None]:
        """Downloads by id."""
        return self._rows(download_history.by_ids)

    @cached_property
    def standing_of_download(self) -> DataLoader[UUID, download_history.Standing | None]:
        """Whether the file of a download is out of date, or holds what was withdrawn."""
        return self._rows(download_history.standings)

    @cached_property
    def share_of_download(self) -> DataLoader[tuple[UUID, int], Row | None]:
        """Shares by the id of a download and their place in it."""
        return self._rows(download_history.shares_at)

    @cached_property
    def verifier(self) -> DataLoader[UUID, Row | None]:
        """Users of institutions by id."""
        return self._rows(verifiers.by_ids)

    @cached_property
    def join_request(self) -> DataLoader[UUID, Row | None]:
        """Requests to join by id."""
        return self._rows(join_requests.by_ids)

    @cached_property
    def letter(self) -> DataLoader[UUID, Row | None]:
        """Mails by id."""
        return self._rows(parked_mail.by_ids)

    @cached_property
    def template(self) -> DataLoader[UUID, Row | None]:
        """Download templates by id."""
        return self._rows(templates.by_ids)

    @cached_property
    def exam(self) -> DataLoader[str, Row | None]:
        """Exams by code."""
        return _by_key(exams.by_codes)

    @cached_property
    def results_of(self) -> DataLoader[UUID, list[Row] | None]:
        """A candidate's results, latest exam first."""
        return self._rows(results.of_candidates)

    @cached_property
    def versions_of(self) -> DataLoader[UUID, list[Row] | None]:
        """A result's earlier versions, the last one first."""
        return self._rows(corrections.versions_of)

    @cached_property
    def notices_of(self) -> DataLoader[UUID, list[Row] | None]:
        """Who was told of the end of a result's versions, latest first."""
        return self._rows(corrections.notices_of)

    @cached_property
    def entries_of(self) -> DataLoader[UUID, list[Row] | None]:
        """A candidate's entries, latest exam first."""
        return self._rows(entries.of_candidates)

    @cached_property
    def shares_of_candidate(self) -> DataLoader[SharesKey, Page]:
        """A page of a candidate's shares, newest first."""
        return self._pages(shares.of_candidates)

    @cached_property
    def shares_of_result(self) -> DataLoader[SharesKey, Page]:
        """A page of a result's shares, newest first."""
        return self._pages(shares.of_results)

    @cached_property
    def sitting(self) -> DataLoader[UUID, Row | None]:
        """Sittings by id."""
        return self._rows(views.by_ids)

    @cached_property
    def photo_of_sitting(self) -> DataLoader[UUID, UUID | None]:
        """Keys of photos by the ids of their sittings."""
        return self._rows(sitting_photos.of_sittings)

    @cached_property
    def timeline_of(self) -> DataLoader[UUID, list[Row] | None]:
        """What happened to a sitting, in order."""
        return self._rows(parts.EVENTS.of)

    @cached_property
    def checks_of(self) -> DataLoader[UUID, list[Row] | None]:
        """The system checks of a sitting, the last one first."""
        return self._rows(parts.CHECKS.of)

    @cached_property
    def steps_of(self) -> DataLoader[UUID, list[Row] | None]:
        """The confirmed steps of a check-in, in order."""
        return self._rows(parts.STEPS.of)

    @cached_property
    def sections_of(self) -> DataLoader[UUID, list[Row] | None]:
        """The sections of a sitting that were started, in order."""
        return self._rows(parts.SECTIONS.of)

    @cached_property
    def break_of(self) -> DataLoader[UUID, list[Row] | None]:
        """The break of a sitting: one, or none."""
        return self._rows(parts.BREAKS.of)

    @cached_property
    def messages_of(self) -> DataLoader[UUID, list[Row] | None]:
        """The chat of a sitting, in order."""
        return self._rows(parts.MESSAGES.of)

    @cached_property
    def chat_of(self) -> DataLoader[UUID, Row | None]:
        """What is unread and unanswered in a sitting."""
        return self._rows(chat.waits)

    @cached_property
    def incidents_of(self) -> DataLoader[UUID, list[Row] | None]:
        """What was noted in a sitting, in order."""
        return self._rows(parts.INCIDENTS.of)

    @cached_property
    def recipients_of(self) -> DataLoader[UUID, list[Row] | None]:
        """Who gets the result of a sitting, in the order in which they were named."""
        return self._rows(parts.RECIPIENTS.of)

    @cached_property
    def unofficial_of(self) -> DataLoader[UUID, list[Row] | None]:
        """The unofficial scores of a sitting, in order."""
        return self._rows(parts.unofficial)

    @cached_property
    def appeal_of(self) -> DataLoader[UUID, list[Row] | None]:
        """The appeal against the end of a sitting: one, or none."""
        return self._rows(parts.APPEALS.of)

    @cached_property
    def recordings_of(self) -> DataLoader[UUID, list[Row] | None]:
        """The recordings of a sitting, in order."""
        return self._rows(parts.RECORDINGS.of)

    @cached_property
    def recorded_until(self) -> DataLoader[UUID, Row | None]:
        """Until when the last recording of a sitting is kept."""
        return self._rows(parts.recorded_until)

    @cached_property
    def queue_place(self) -> DataLoader[UUID, Row | None]:
        """The place of a sitting in the queue for a proctor."""
        return self._rows(parts.places)

    @cached_property
    def webhook(self) -> DataLoader[UUID, Row | None]:
        """Webhooks by id."""
        return self._rows(webhooks.by_ids)

    @cached_property
    def deliveries_of_webhook(self) -> DataLoader[SharesKey, Page]:
        """A page of a webhook's messages, newest first."""
        return self._pages(webhooks.deliveries_of)

    def _pages(self, read: ReadPages) -> DataLoader[SharesKey, Page]:
        """One statement per different place; a document rarely asks for more than one."""

        async def load(keys: list[SharesKey]) -> list[Page]:
            pages: dict[SharesKey, Page] = {}
            for place in dict.fromkeys(place for _, place in keys):
                found = await read(self.viewer, [id for id, wanted in keys if wanted == place], place)
                pages.update({(id, place): page for id, page in found.items()})
            return [pages[key] for key in keys]

        return DataLoader(load_fn=load)
