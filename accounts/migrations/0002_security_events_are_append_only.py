from django.db import migrations

CREATE = """
CREATE FUNCTION accounts_securityevent_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'security events are append-only';
END $$;
CREATE TRIGGER accounts_securityevent_append_only BEFORE UPDATE OR DELETE ON accounts_securityevent
    FOR EACH ROW EXECUTE FUNCTION accounts_securityevent_refuse();
"""
DROP = """
DROP TRIGGER accounts_securityevent_append_only ON accounts_securityevent;
DROP FUNCTION accounts_securityevent_refuse();
"""


class Migration(migrations.Migration):
    dependencies = [("accounts", "0001_initial")]
    operations = [migrations.RunSQL(CREATE, DROP)]
