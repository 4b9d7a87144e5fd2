"""What an inbox is searched and counted by. Triggers keep both tables, whoever changes a share, a result or a name.

See `migrations/0024_inboxes.py` and `docs/decisions/0019-inboxes.md`.
"""

from uuid import UUID

from tortoise import fields
from tortoise.contrib.postgres.fields import ArrayField
from tortoise.models import Model


class InboxLine(Model):
    """What one share is found by: its candidate's names, and keys for everything that can be asked for.

    A key is the hash of the institution and of one fact (a pair of signs of a name, an exam, a CEFR level, the month of
    the exam, a number), so that one index finds the shares of one institution, however many others there are.
    """

    share_id: UUID = fields.UUIDField(primary_key=True)
    institution_id: UUID = fields.UUIDField()
    sent_at = fields.DatetimeField()
    exam_date = fields.DateField()
    released_at = fields.DatetimeField()  # of the result; "infinity" where it has no moment
    searched = fields.TextField()
    keys = ArrayField(element_type="bigint")

    class Meta:
        table = "inbox_line"


class InboxCount(Model):
    """By how much one order changed an institution's counts: the sum of its rows is how many shares there are.

    Rows are only added, so that nobody who sends waits for another; now and then they are summed up into one.
    """

    id = fields.BigIntField(primary_key=True, generated=True)
    institution_id: UUID = fields.UUIDField()
    total = fields.BigIntField()
    unread = fields.BigIntField()

    class Meta:
        table = "inbox_count"
