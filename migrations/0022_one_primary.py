"""That an institution with an active user has an active Primary User (U1), and why one is suspended (O3)."""

from tortoise import fields, migrations
from tortoise.migrations import operations as ops

RULES = [
    """UPDATE verifier_user SET is_primary = true WHERE id IN (
           SELECT DISTINCT ON (institution_id) id FROM verifier_user AS first_user
           WHERE status = 'ACTIVE' AND NOT EXISTS (
               SELECT 1 FROM verifier_user WHERE institution_id = first_user.institution_id
               AND status = 'ACTIVE' AND is_primary)
           ORDER BY institution_id, created_at, id)""",
    # The institution is locked first: of two transactions that each leave somebody, both may not take the last one.
    """CREATE FUNCTION check_primary() RETURNS trigger LANGUAGE plpgsql AS $$
       DECLARE
           touched uuid[] := '{}';
           one uuid;
       BEGIN
           IF TG_OP <> 'INSERT' THEN touched := touched || OLD.institution_id; END IF;
           IF TG_OP <> 'DELETE' THEN touched := touched || NEW.institution_id; END IF;
           FOR one IN SELECT DISTINCT id FROM unnest(touched) AS id ORDER BY id LOOP
               PERFORM 1 FROM institution WHERE id = one FOR NO KEY UPDATE;
               IF EXISTS (SELECT 1 FROM verifier_user WHERE institution_id = one AND status = 'ACTIVE')
                  AND NOT EXISTS (SELECT 1 FROM verifier_user
                                  WHERE institution_id = one AND status = 'ACTIVE' AND is_primary) THEN
                   RAISE EXCEPTION 'institution % has active users and no Primary User', one
                   USING ERRCODE = 'check_violation', CONSTRAINT = 'verifier_has_primary';
               END IF;
           END LOOP;
           RETURN NULL;
       END $$""",
    """CREATE CONSTRAINT TRIGGER verifier_has_primary
       AFTER INSERT OR DELETE OR UPDATE OF institution_id, status, is_primary ON verifier_user
       DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION check_primary()""",
]


class Migration(migrations.Migration):
    """One statement a rule, all in one transaction."""

    dependencies = [("models", "0021_merged_shares")]
    operations = [
        ops.AddField(
            model_name="Institution", name="suspension_reason", field=fields.TextField(null=True, unique=False)
        ),
        ops.RunSQL(RULES),
    ]
