from django.contrib.postgres.operations import UnaccentExtension
from django.db import migrations


class Migration(migrations.Migration):
    """Search finds "crème" where "creme" was typed."""

    dependencies = [("product", "0001_initial")]

    operations = [UnaccentExtension()]
