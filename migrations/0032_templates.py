"""Templates belong to institutions: the one with all columns is made where it is read, and stored no more."""

from tortoise import fields, migrations
from tortoise.fields.base import OnDelete
from tortoise.migrations import operations as ops

RULES = [
    "ALTER TABLE download_template ADD CONSTRAINT template_has_name CHECK (name <> '')",
    "ALTER TABLE download_template ADD CONSTRAINT template_version CHECK (version > 0)",
    r"ALTER TABLE download_template ADD CONSTRAINT template_delimiter CHECK (delimiter IN (',', ';', '|', E'\t'))",
    "ALTER TABLE download_template ADD CONSTRAINT template_date_format CHECK (date_format IN"
    " ('YYYY-MM-DD', 'YYYY/MM/DD', 'DD/MM/YYYY', 'MM/DD/YYYY', 'YYYY年M月D日'))",
]


class Migration(migrations.Migration):
    """The columns, then the rules, all in one transaction."""

    dependencies = [("models", "0028_rules_of_integrators")]
    operations = [
        ops.RunSQL("DELETE FROM download_template WHERE institution_id IS NULL"),
        ops.AlterField(
            model_name="DownloadTemplate",
            name="institution",
            field=fields.ForeignKeyField(
                "models.Institution",
                source_field="institution_id",
                db_constraint=True,
                to_field="id",
                related_name="templates",
                on_delete=OnDelete.CASCADE,
            ),
        ),
        ops.AddField(model_name="DownloadTemplate", name="version", field=fields.IntField(default=1, db_default=1)),
        ops.AlterModelOptions(
            name="DownloadTemplate",
            options={
                "table": "download_template",
                "app": "models",
                "pk_attr": "id",
                "table_description": "A template of an institution; `version` is one more after each change (D2).",
            },
        ),
        ops.RunSQL(RULES),
    ]
