"""That what is invented stays apart from what is real (P4): invented candidates, sandboxes, and shares between them."""

from tortoise import migrations
from tortoise.migrations import operations as ops

SHARES_OF_ONE_WORLD = """
    CREATE FUNCTION share_of_one_world() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF EXISTS (SELECT 1 FROM new_rows JOIN candidate ON candidate.id = new_rows.candidate_id
                   JOIN institution ON institution.id = new_rows.institution_id
                   WHERE candidate.sandbox_id IS DISTINCT FROM
                         CASE WHEN institution.sandbox_of_id IS NOT NULL THEN institution.id END) THEN
            RAISE EXCEPTION 'a share between what is invented and what is real' USING ERRCODE = 'check_violation';
        END IF;
        RETURN NULL;
    END $$"""
RULES = [
    # So nobody can log in as one, and no mail has an address to go to.
    "ALTER TABLE candidate ADD CONSTRAINT candidate_invented_has_no_account CHECK (sandbox_id IS NULL"
    " OR num_nonnulls(registered_at, email, password_hash, merged_into_id) = 0)",
    "ALTER TABLE institution ADD CONSTRAINT institution_sandbox_is_alone CHECK (sandbox_of_id IS NULL"
    " OR (status = 'APPROVED' AND num_nonnulls(parent_id, merged_into_id, domain, skeleton) = 0))",
    SHARES_OF_ONE_WORLD,
    "CREATE TRIGGER share_of_one_world AFTER INSERT ON share REFERENCING NEW TABLE AS new_rows"
    " FOR EACH STATEMENT EXECUTE FUNCTION share_of_one_world()",
]


class Migration(migrations.Migration):
    """One statement a rule, all in one transaction."""

    dependencies = [("models", "0035_allowance")]
    operations = [ops.RunSQL(RULES)]
