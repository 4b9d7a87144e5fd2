"""How webhooks fail: since when, how often, until when they are left alone, and whether anybody was told."""

from tortoise import fields, migrations
from tortoise.migrations import operations as ops

from models.webhook import DeliveryFailure, PauseReason

MOMENTS = ("failing_since", "held_until", "told_at")
RULES = [
    "ALTER TABLE webhook ADD CONSTRAINT webhook_failing CHECK ((failures > 0) = (failing_since IS NOT NULL))",
    "ALTER TABLE webhook ADD CONSTRAINT webhook_url CHECK (url ~ '^https?://')",
    "ALTER TABLE webhook ADD CONSTRAINT webhook_secret CHECK (secret_number > 0)",
    "ALTER TABLE webhook_delivery ADD CONSTRAINT webhook_delivery_tries CHECK (tries >= 0)",
    "ALTER TABLE webhook_delivery ADD CONSTRAINT webhook_delivery_event CHECK ((xid IS NULL) = (event_id IS NULL))",
    # What is due is asked webhook by webhook: one that is paused must not stand in the way with all that waits for it.
    "DROP INDEX webhook_delivery_due",
    "CREATE INDEX webhook_delivery_next ON webhook_delivery (webhook_id, next_try_at) WHERE status = 'WAITING'",
]


class Migration(migrations.Migration):
    """The columns, then the rules, all in one transaction."""

    dependencies = [("models", "0032_templates"), ("models", "0033_kept_downloads")]
    operations = [
        ops.AlterField(
            model_name="Webhook",
            name="pause_reason",
            field=fields.CharEnumField(
                description="Why nothing is sent", enum_type=PauseReason, null=True, max_length=20
            ),
        ),
        ops.AddField(model_name="Webhook", name="failures", field=fields.IntField(default=0, db_default=0)),
        *(
            ops.AddField(
                model_name="Webhook",
                name=name,
                field=fields.DatetimeField(null=True, auto_now=False, auto_now_add=False),
            )
            for name in MOMENTS
        ),
        ops.AddField(
            model_name="WebhookDelivery",
            name="give_up_at",
            field=fields.DatetimeField(null=True, auto_now=False, auto_now_add=False),
        ),
        ops.AlterField(
            model_name="WebhookDelivery",
            name="last_failure",
            field=fields.CharEnumField(
                description="Why the last try failed", enum_type=DeliveryFailure, null=True, max_length=30
            ),
        ),
        ops.RunSQL(RULES),
    ]
