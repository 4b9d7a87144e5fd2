"""At-home sittings, and all that belongs to them."""

from uuid import uuid4

from tortoise import fields, migrations
from tortoise.contrib.postgres.fields import ArrayField
from tortoise.fields.base import OnDelete
from tortoise.migrations import operations as ops

from models.base import new_id
from models.sittings.check_in import Step
from models.sittings.proctoring import AppealOutcome
from models.sittings.reasons import Reason
from models.sittings.sitting import Happening
from models.sittings.states import Actor, SittingState


class Migration(migrations.Migration):
    """Tables; their rules are in the next one."""

    dependencies = [("models", "0036_sandboxes")]

    operations = [
        ops.CreateModel(
            name="ProctorPresence",
            fields=[
                ("staff_id", fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True)),
                ("seen_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "proctor_presence",
                "app": "models",
                "pk_attr": "staff_id",
                "table_description": "When a proctor's page last gave a sign of life, which is of all the sittings that they watch.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Sitting",
            fields=[
                ("id", fields.UUIDField(primary_key=True, default=new_id, unique=True, db_index=True)),
                (
                    "candidate",
                    fields.ForeignKeyField(
                        "models.Candidate",
                        source_field="candidate_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="sittings",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                (
                    "exam",
                    fields.ForeignKeyField(
                        "models.Exam",
                        source_field="exam_id",
                        db_constraint=True,
                        to_field="code",
                        related_name="sittings",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                ("appointment_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("timezone", fields.TextField(unique=False)),
                ("booked_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("state", fields.CharEnumField(description="Where it stands", enum_type=SittingState, max_length=20)),
                ("since", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                (
                    "reason",
                    fields.CharEnumField(null=True, description="Why it ended", enum_type=Reason, max_length=30),
                ),
                ("words", fields.TextField(null=True, unique=False)),
                ("steps", fields.IntField(default=0, db_default=0)),
                ("sections", ArrayField(element_type="TEXT")),
                ("sections_done", fields.IntField(default=0, db_default=0)),
                ("is_in_section", fields.BooleanField(default=False, db_default=False)),
                ("seen_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                (
                    "proctor",
                    fields.ForeignKeyField(
                        "models.StaffUser",
                        source_field="proctor_id",
                        null=True,
                        db_constraint=True,
                        to_field="id",
                        related_name="sittings",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                ("check_in_started_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("test_id", fields.CharField(null=True, max_length=12)),
                ("test_password_seal", fields.BinaryField(null=True)),
                ("break_started_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("cancel_asked_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                (
                    "entry",
                    fields.OneToOneField(
                        "models.Entry",
                        source_field="entry_id",
                        null=True,
                        db_constraint=True,
                        to_field="id",
                        related_name="sitting",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
            ],
            options={
                "table": "sitting",
                "app": "models",
                "pk_attr": "id",
                "table_description": "One at-home, proctored taking of an exam. `entry` is made when its candidate reports the scores (H8).",
            },
            bases=["Table"],
        ),
        ops.CreateModel(
            name="Appeal",
            fields=[
                ("id", fields.UUIDField(primary_key=True, default=new_id, unique=True, db_index=True)),
                (
                    "sitting",
                    fields.OneToOneField(
                        "models.Sitting",
                        source_field="sitting_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="appeal",
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                ("text", fields.TextField(unique=False)),
                ("made_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                (
                    "outcome",
                    fields.CharEnumField(
                        null=True, description="What came of it", enum_type=AppealOutcome, max_length=20
                    ),
                ),
                ("answer", fields.TextField(null=True, unique=False)),
                ("answered_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("staff_id", fields.UUIDField(null=True)),
            ],
            options={
                "table": "appeal",
                "app": "models",
                "pk_attr": "id",
                "table_description": "A candidate's word against the end of a sitting, and the board's answer (H9); one a sitting.",
            },
            bases=["Table"],
        ),
        ops.CreateModel(
            name="Break",
            fields=[
                ("id", fields.UUIDField(primary_key=True, default=new_id, unique=True, db_index=True)),
                (
                    "sitting",
                    fields.OneToOneField(
                        "models.Sitting",
                        source_field="sitting_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="break_row",
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                ("started_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("ended_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "sitting_break",
                "app": "models",
                "pk_attr": "id",
                "table_description": "The one break (H6); without `ended_at` it is not over, or was overrun.",
            },
            bases=["Table"],
        ),
        ops.CreateModel(
            name="CheckInStep",
            fields=[
                ("id", fields.UUIDField(primary_key=True, default=new_id, unique=True, db_index=True)),
                (
                    "sitting",
                    fields.ForeignKeyField(
                        "models.Sitting",
                        source_field="sitting_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="check_in_steps",
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                ("step", fields.CharEnumField(description="Which step", enum_type=Step, max_length=20)),
                ("confirmed_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("proctor_id", fields.UUIDField()),
            ],
            options={
                "table": "check_in_step",
                "app": "models",
                "pk_attr": "id",
                "table_description": "One confirmed step of a check-in (H3).",
            },
            bases=["Table"],
        ),
        ops.CreateModel(
            name="Incident",
            fields=[
                ("id", fields.UUIDField(primary_key=True, default=new_id, unique=True, db_index=True)),
                (
                    "sitting",
                    fields.ForeignKeyField(
                        "models.Sitting",
                        source_field="sitting_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="incidents",
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                ("proctor_id", fields.UUIDField()),
                ("text", fields.TextField(unique=False)),
                ("noted_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "incident",
                "app": "models",
                "pk_attr": "id",
                "table_description": "What a proctor noted (H7).",
            },
            bases=["Table"],
        ),
        ops.CreateModel(
            name="Message",
            fields=[
                ("id", fields.UUIDField(primary_key=True, default=new_id, unique=True, db_index=True)),
                (
                    "sitting",
                    fields.ForeignKeyField(
                        "models.Sitting",
                        source_field="sitting_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="messages",
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                ("proctor_id", fields.UUIDField(null=True)),
                ("text", fields.TextField(unique=False)),
                ("sent_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("read_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("answered_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "sitting_message",
                "app": "models",
                "pk_attr": "id",
                "table_description": "One message of the chat; `answered_at` is when the proctor wrote next after the candidate had (H4).",
            },
            bases=["Table"],
        ),
        ops.CreateModel(
            name="Recording",
            fields=[
                ("id", fields.UUIDField(primary_key=True, default=new_id, unique=True, db_index=True)),
                (
                    "sitting",
                    fields.ForeignKeyField(
                        "models.Sitting",
                        source_field="sitting_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="recordings",
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                ("reference", fields.TextField(null=True, unique=False)),
                ("recorded_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("delete_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("deleted_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "recording",
                "app": "models",
                "pk_attr": "id",
                "table_description": "A reference to a recording, which is kept elsewhere, and until when; the reference goes with it.",
            },
            bases=["Table"],
        ),
        ops.CreateModel(
            name="Section",
            fields=[
                ("id", fields.UUIDField(primary_key=True, default=new_id, unique=True, db_index=True)),
                (
                    "sitting",
                    fields.ForeignKeyField(
                        "models.Sitting",
                        source_field="sitting_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="section_rows",
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                ("place", fields.IntField()),
                ("skill", fields.CharField(max_length=30)),
                ("started_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("ended_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("unofficial_score", fields.IntField(null=True)),
            ],
            options={
                "table": "sitting_section",
                "app": "models",
                "pk_attr": "id",
                "table_description": "One section of the test, at its place (counted from 0), and its unofficial score where there is one (H8).",
            },
            bases=["Table"],
        ),
        ops.CreateModel(
            name="SittingEvent",
            fields=[
                ("id", fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ("sitting_id", fields.UUIDField()),
                ("kind", fields.CharEnumField(description="What happened", enum_type=Happening, max_length=30)),
                (
                    "state",
                    fields.CharEnumField(description="Where it stood then", enum_type=SittingState, max_length=20),
                ),
                ("happened_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("actor", fields.CharEnumField(description="Who did it", enum_type=Actor, max_length=20)),
                ("actor_id", fields.UUIDField(null=True)),
                ("detail", fields.TextField(null=True, unique=False)),
            ],
            options={
                "table": "sitting_event",
                "app": "models",
                "pk_attr": "id",
                "table_description": "One event, written with the change. `xid`, added by the migration, is as in the journal (H10).",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="SittingPhoto",
            fields=[
                ("id", fields.UUIDField(primary_key=True, default=new_id, unique=True, db_index=True)),
                (
                    "sitting",
                    fields.OneToOneField(
                        "models.Sitting",
                        source_field="sitting_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="photo",
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                ("file", fields.TextField(unique=False)),
                ("width", fields.IntField()),
                ("height", fields.IntField()),
                ("size", fields.IntField()),
                ("digest", fields.BinaryField()),
                ("added_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("proctor_id", fields.UUIDField(null=True)),
            ],
            options={
                "table": "sitting_photo",
                "app": "models",
                "pk_attr": "id",
                "table_description": "The photo taken at the check-in, as `Photo`, until the sitting has an entry that it goes to (R7, H4).",
            },
            bases=["Table"],
        ),
        ops.CreateModel(
            name="SittingRecipient",
            fields=[
                ("id", fields.UUIDField(primary_key=True, default=new_id, unique=True, db_index=True)),
                (
                    "sitting",
                    fields.ForeignKeyField(
                        "models.Sitting",
                        source_field="sitting_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="recipients",
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                (
                    "institution",
                    fields.ForeignKeyField(
                        "models.Institution",
                        source_field="institution_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="sitting_recipients",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                ("named_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("consent_text", fields.TextField(unique=False)),
                ("consent_version", fields.CharField(max_length=20)),
                ("consent_language", fields.CharField(max_length=2)),
                ("institution_name_shown", fields.TextField(unique=False)),
                (
                    "share",
                    fields.ForeignKeyField(
                        "models.Share",
                        source_field="share_id",
                        null=True,
                        db_constraint=True,
                        to_field="id",
                        related_name="recipients",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
            ],
            options={
                "table": "sitting_recipient",
                "app": "models",
                "pk_attr": "id",
                "table_description": "An institution that is to get the result, and the candidate's consent of the moment it was named (S3, H8).",
            },
            bases=["Table"],
        ),
        ops.CreateModel(
            name="SystemCheck",
            fields=[
                ("id", fields.UUIDField(primary_key=True, default=new_id, unique=True, db_index=True)),
                (
                    "sitting",
                    fields.ForeignKeyField(
                        "models.Sitting",
                        source_field="sitting_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="checks",
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                ("checked_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("failed", ArrayField(element_type="TEXT")),
            ],
            options={
                "table": "system_check",
                "app": "models",
                "pk_attr": "id",
                "table_description": "One system check; it passed if nothing failed.",
            },
            bases=["Table"],
        ),
    ]
