"""Lists to verify that programs hand in by a key, and the rules of keys."""

from tortoise import fields, migrations
from tortoise.fields.base import OnDelete
from tortoise.migrations import operations as ops

RULES = [
    "ALTER TABLE api_key ADD CONSTRAINT api_key_hash_length CHECK (octet_length(hash) = 32)",
    "ALTER TABLE api_key ADD CONSTRAINT api_key_known_scopes CHECK (scopes <@ ARRAY["
    "'READ_SHARES', 'READ_SKILLS', 'READ_PHOTO', 'VERIFY', 'DOWNLOAD', 'MANAGE'])",
    "ALTER TABLE api_key ADD CONSTRAINT api_key_named CHECK (name <> '' AND prefix <> '')",
    "ALTER TABLE list_check ADD CONSTRAINT list_check_of_one CHECK (num_nonnulls(verifier_id, key_id) = 1)",
]


class Migration(migrations.Migration):
    """The columns, then the rules, all in one transaction."""

    dependencies = [("models", "0036_sandboxes")]
    operations = [
        ops.AddField(
            model_name="ListCheck",
            name="key",
            field=fields.ForeignKeyField(
                "models.ApiKey",
                source_field="key_id",
                null=True,
                db_constraint=True,
                to_field="id",
                related_name="list_checks",
                on_delete=OnDelete.RESTRICT,
            ),
        ),
        ops.AlterField(
            model_name="ListCheck",
            name="verifier",
            field=fields.ForeignKeyField(
                "models.VerifierUser",
                source_field="verifier_id",
                null=True,
                db_constraint=True,
                to_field="id",
                related_name="list_checks",
                on_delete=OnDelete.RESTRICT,
            ),
        ),
        ops.RunSQL(RULES),
    ]
