from django.db import migrations, models
import django.db.models.functions.text

# At the end of each transaction: an active variant has one value of each option of its product, in their order. The
# product's row is locked, so that two who change its options and its variants at once wait for each other.
FUNCTION = """
CREATE FUNCTION product_variants_fit_options() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    changed bigint := CASE WHEN TG_OP = 'DELETE' THEN OLD.product_id ELSE NEW.product_id END;
BEGIN
    PERFORM FROM product_product WHERE id = changed FOR NO KEY UPDATE;
    IF EXISTS (
        SELECT FROM product_variant v
        WHERE v.product_id = changed AND v.is_active AND (
            cardinality(v.option_values) <> (SELECT count(*) FROM product_option WHERE product_id = changed)
            OR EXISTS (
                SELECT FROM (
                    SELECT "values", row_number() OVER (ORDER BY position, id) AS nth
                    FROM product_option WHERE product_id = changed
                ) o
                WHERE NOT v.option_values[o.nth] = ANY (o."values")
            )
        )
    ) THEN
        RAISE EXCEPTION 'a variant of product % has not one value of each option', changed
            USING ERRCODE = 'check_violation', CONSTRAINT = 'variant_fits_its_options';
    END IF;
    RETURN NULL;
END $$
"""
TRIGGERS = {
    "variant_fits_when_added": "AFTER INSERT ON product_variant {deferred}",
    "variant_fits_when_changed": (
        "AFTER UPDATE ON product_variant {deferred} WHEN "
        "((OLD.product_id, OLD.is_active, OLD.option_values)"
        " IS DISTINCT FROM (NEW.product_id, NEW.is_active, NEW.option_values))"
    ),
    "option_fits_when_changed": "AFTER INSERT OR UPDATE OR DELETE ON product_option {deferred}",
}


def trigger(name: str, when: str) -> migrations.RunSQL:
    when = when.format(deferred="DEFERRABLE INITIALLY DEFERRED FOR EACH ROW")
    table = when.split(" ON ")[1].split()[0]
    return migrations.RunSQL(
        f"CREATE CONSTRAINT TRIGGER {name} {when} EXECUTE FUNCTION product_variants_fit_options()",
        f"DROP TRIGGER {name} ON {table}",
    )


class Migration(migrations.Migration):
    dependencies = [("product", "0004_catalogue_data")]

    operations = [
        migrations.RemoveField(
            model_name='product',
            name='is_published',
        ),
        migrations.RemoveField(
            model_name='product',
            name='option',
        ),
        migrations.AlterField(
            model_name='category',
            name='path',
            field=models.CharField(editable=False, max_length=400, unique=True),
        ),
        migrations.AddConstraint(
            model_name='category',
            constraint=models.CheckConstraint(condition=models.Q(('path__endswith', django.db.models.functions.text.Concat(models.F('slug'), models.Value('/')))), name='category_path_ends_with_its_slug'),
        ),
        migrations.RunSQL(FUNCTION, "DROP FUNCTION product_variants_fit_options()"),
        *[trigger(name, when) for name, when in TRIGGERS.items()],
    ]
