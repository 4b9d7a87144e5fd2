"""Downloads: what was chosen, how it was written, and what has become of it (D1-D4)."""

from enum import Enum
from typing import Any
from uuid import UUID

from tortoise import fields

from models.base import Table
from models.institution import Institution
from models.key import ApiKey
from models.scope import Scope
from models.template import DownloadFormat
from models.verifier import VerifierUser
from models.viewer import Kind, Viewer, Visible, visible


class DownloadStatus(Enum):
    """How far a download has come."""

    QUEUED = "QUEUED"
    RUNNING = "RUNNING"
    READY = "READY"
    EXPIRED = "EXPIRED"
    FAILED = "FAILED"


class Download(Table):
    """One download, asked for by a user or by a key; `template` is what the template was then."""

    institution: fields.ForeignKeyRelation[Institution] = fields.ForeignKeyField(
        "models.Institution", related_name="downloads", on_delete=fields.RESTRICT
    )
    institution_id: UUID
    verifier: fields.ForeignKeyNullableRelation[VerifierUser] = fields.ForeignKeyField(
        "models.VerifierUser", related_name="downloads", null=True, on_delete=fields.RESTRICT
    )
    verifier_id: UUID | None
    key: fields.ForeignKeyNullableRelation[ApiKey] = fields.ForeignKeyField(
        "models.ApiKey", related_name="downloads", null=True, on_delete=fields.RESTRICT
    )
    key_id: UUID | None
    repeated: fields.ForeignKeyNullableRelation["Download"] = fields.ForeignKeyField(
        "models.Download", related_name="repetitions", null=True, on_delete=fields.RESTRICT
    )
    repeated_id: UUID | None
    status = fields.CharEnumField(DownloadStatus, max_length=20, description="State of the download")
    format = fields.CharEnumField(DownloadFormat, max_length=10, description="Kind of file")
    template: fields.Field[dict[str, Any]] = fields.JSONField()
    chosen: fields.Field[dict[str, Any]] = fields.JSONField()  # which shares were asked for
    language = fields.CharField(max_length=2, default="en")
    address = fields.TextField()  # where the request came from, for the trail
    request_id = fields.TextField()
    rows = fields.IntField()
    done = fields.IntField(default=0, db_default=0)
    asked_at = fields.DatetimeField()
    ready_at = fields.DatetimeField(null=True)
    size = fields.BigIntField(null=True)
    digest = fields.BinaryField(null=True)
    failure = fields.TextField(null=True)
    file = fields.TextField(null=True)  # its name in the store, while it is kept
    ends_at = fields.DatetimeField(null=True)  # when the first of its shares expires, as the file was made
    # How many of those that were asked for it does not hold: that may not be downloaded, that have no statement (of a
    # PDF), and that were withdrawn or expired before it was made.
    not_allowed = fields.IntField(default=0, db_default=0)
    without_statement = fields.IntField(default=0, db_default=0)
    gone = fields.IntField(default=0, db_default=0)

    class Meta:
        table = "download"

    @classmethod
    def visible_to(cls, viewer: Viewer) -> Visible["Download"]:
        """Those of one's own institution, unless one may only read; all, for the board's staff."""
        own = "download.institution_id = :viewer_institution_id"
        return visible(
            cls,
            viewer,
            {
                Kind.VERIFIER: own if viewer.may_more_than_read else "false",
                Kind.KEY: own if viewer.has(Scope.DOWNLOAD) else "false",
                Kind.STAFF: "true" if viewer.is_board else "false",
            },
        )


class DownloadRow(Table):
    """One result of a download, at its place (counted from 0), in the version that stood when it was asked for."""

    download: fields.ForeignKeyRelation[Download] = fields.ForeignKeyField(
        "models.Download", related_name="contents", on_delete=fields.CASCADE
    )
    download_id: UUID
    place = fields.IntField()
    share_id: UUID = fields.UUIDField()
    result_id: UUID = fields.UUIDField()
    version = fields.IntField()  # and, once there is a file, the one that it shows

    class Meta:
        table = "download_row"
