"""Users of institutions' accounts, and the board's own staff."""

from enum import Enum
from uuid import UUID

from tortoise import fields

from engine import keys
from models.base import Table
from models.entry import Centre
from models.institution import Institution
from models.notify import Notify
from models.scope import Scope
from models.viewer import Kind, Viewer, Visible, visible


class VerifierStatus(Enum):
    """How far a verifier's account has come."""

    INVITED = "INVITED"
    ACTIVE = "ACTIVE"
    DEACTIVATED = "DEACTIVATED"
    REMOVED = "REMOVED"


class VerifierRole(Enum):
    """What a user may do beside reading the inbox (U2); the Primary User may do everything."""

    OFFICER = "OFFICER"
    READER = "READER"


class VerifierUser(Table):
    """A user of an institution's account; exactly one active one is the Primary User (U1)."""

    institution: fields.ForeignKeyRelation[Institution] = fields.ForeignKeyField(
        "models.Institution", related_name="users", on_delete=fields.RESTRICT
    )
    institution_id: UUID
    name = fields.TextField()
    email = fields.TextField()
    password_hash = fields.TextField(null=True)
    is_primary = fields.BooleanField(default=False)
    role = fields.CharEnumField(
        VerifierRole, max_length=20, default=VerifierRole.OFFICER, db_default=VerifierRole.OFFICER, description="Role"
    )
    status = fields.CharEnumField(VerifierStatus, max_length=20, description="State of the account")
    language = fields.CharField(max_length=2, default="en")
    notify = fields.CharEnumField(
        Notify, max_length=20, default=Notify.OFF, description="When mail about new shares is sent"
    )
    email_refused_at = fields.DatetimeField(null=True)
    # What the mails about new shares have told so far: a cursor of the journal; and when the next one is due.
    news_xid = fields.BigIntField(default=0, db_default=0)
    news_id = fields.BigIntField(default=0, db_default=0)
    news_sent_at = fields.DatetimeField(null=True)
    news_due_at = fields.DatetimeField(null=True)
    created_at = fields.DatetimeField()
    deactivated_at = fields.DatetimeField(null=True)
    removed_at = fields.DatetimeField(null=True)

    class Meta:
        table = "verifier_user"

    @classmethod
    def visible_to(cls, viewer: Viewer) -> Visible["VerifierUser"]:
        """The users of one's own institution (U3), for a key if it manages; all, for the board's staff."""
        own = "verifier_user.institution_id = :viewer_institution_id"
        return visible(
            cls,
            viewer,
            {
                Kind.VERIFIER: own,
                Kind.KEY: own if viewer.has(Scope.MANAGE) else "false",
                Kind.STAFF: "true" if viewer.is_board else "false",
            },
        )


UNSUBSCRIBE = "unsubscribe"


def unsubscribe_token(user_id: UUID) -> str:
    """The token of a mail's link to stop such mails; the same in every mail, and stored nowhere."""
    return keys.sealed_id(UNSUBSCRIBE, user_id)


def unsubscriber_of(token: str) -> UUID | None:
    """The user that a token belongs to; None for anything we did not make."""
    return keys.id_in(UNSUBSCRIBE, token)


def may_know_refusal(viewer: Viewer, user_id: UUID) -> bool:
    """Who, of those who see a user, is told that the user's address takes no mail: oneself, the Primary, staff."""
    return viewer.kind is Kind.STAFF or viewer.is_primary or viewer.id == user_id


class StaffRole(Enum):
    """What a member of staff works for."""

    BOARD = "BOARD"
    CENTRE = "CENTRE"
    PROCTOR = "PROCTOR"


class StaffUser(Table):
    """A member of the board's or a centre's staff."""

    name = fields.TextField()
    email = fields.TextField()
    password_hash = fields.TextField()
    role = fields.CharEnumField(StaffRole, max_length=20, description="Board or centre")
    centre: fields.ForeignKeyNullableRelation[Centre] = fields.ForeignKeyField(
        "models.Centre", related_name="staff", null=True, on_delete=fields.RESTRICT
    )
    centre_id: UUID | None
    created_at = fields.DatetimeField()

    class Meta:
        table = "staff_user"
