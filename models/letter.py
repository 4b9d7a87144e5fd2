"""Letters waiting to be mailed: rows written in the transaction that causes them, sent after it."""

from datetime import datetime
from typing import Any
from uuid import UUID

from tortoise import fields

from models.application import CONFIRM_VALID
from models.base import Table
from models.candidate import Candidate
from models.invitation import VALID
from models.session import EMAIL_CHANGE_VALID, INVITATION_VALID, RESET_VALID
from models.verifier import VerifierUser
from models.viewer import Kind, Viewer, Visible, visible

# How long after it was written the link of a letter works; the others hold none, or one that does not end.
LINK_VALID = {
    "password_reset": RESET_VALID,
    "confirm_address": EMAIL_CHANGE_VALID,
    "user_invited": INVITATION_VALID,
    "application_confirm": CONFIRM_VALID,
    "application_approved": INVITATION_VALID,
    "institution_invited": VALID,
}
# Letters about the very address that they go to: no other ever gets them.
OF_ONE_ADDRESS = frozenset({"address_changed", "confirm_address", "account_closed"})
# Letters about new shares and corrections, which users of institutions choose to get (N2).
NEWS = frozenset({"new_shares", "result_corrected"})
# Letters to an address that nobody keeps: their rows go as soon as they were sent or refused.
LAST = "account_closed"


class Letter(Table):
    """One letter to one address. `facts` names rows; secrets are made when it is written out, never stored.

    It is waiting, or it was sent, was refused for good, or was parked after ten tries. `begun_at` is set while a
    worker tries to send it.
    """

    kind = fields.CharField(max_length=40)
    candidate: fields.ForeignKeyNullableRelation[Candidate] = fields.ForeignKeyField(
        "models.Candidate", related_name="letters", null=True, on_delete=fields.CASCADE
    )
    candidate_id: UUID | None
    verifier: fields.ForeignKeyNullableRelation[VerifierUser] = fields.ForeignKeyField(
        "models.VerifierUser", related_name="letters", null=True, on_delete=fields.CASCADE
    )
    verifier_id: UUID | None
    address = fields.TextField()
    language = fields.CharField(max_length=2)
    facts = fields.JSONField[dict[str, Any]]()
    written_at = fields.DatetimeField()
    next_try_at = fields.DatetimeField()
    begun_at = fields.DatetimeField(null=True)
    tries = fields.IntField(default=0)
    sent_at = fields.DatetimeField(null=True)
    refused_at = fields.DatetimeField(null=True)
    parked_at = fields.DatetimeField(null=True)
    last_error = fields.TextField(null=True)

    class Meta:
        table = "letter"

    @classmethod
    def visible_to(cls, viewer: Viewer) -> Visible["Letter"]:
        """All, for the board's staff; those to candidates of their own centre, for a centre's. Nobody else sees any."""
        to_own_candidates = """EXISTS (SELECT 1 FROM entry WHERE entry.candidate_id = letter.candidate_id
                               AND entry.centre_id = :viewer_centre_id)"""
        return visible(cls, viewer, {Kind.STAFF: "true" if viewer.is_board else to_own_candidates})


def link_is_dead(kind: str, written_at: datetime, now: datetime) -> bool:
    """Whether the link of a letter works no more: then it helps nobody to send it."""
    return kind in LINK_VALID and now - written_at >= LINK_VALID[kind]


# What a worker may still try.
WAITING = "letter.sent_at IS NULL AND letter.refused_at IS NULL AND letter.parked_at IS NULL"
