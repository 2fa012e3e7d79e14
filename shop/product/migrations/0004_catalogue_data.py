from typing import Any

from django.db import migrations
from django.db.models import F, Q
from django.utils import timezone


def forwards(apps: Any, schema_editor: Any) -> None:
    """Paths, publishing, options and pictures as rows. One word for what differs becomes an option with its values."""
    models = {name: apps.get_model("product", name) for name in ("Category", "Product", "Option", "ProductPicture")}
    for category in models["Category"].objects.all():
        models["Category"].objects.filter(pk=category.pk).update(path=f"{category.slug}/")
    products = models["Product"].objects
    products.update(publish_at=F("created_at"))
    products.filter(is_published=False).update(status="draft")
    for product in products.exclude(picture="").iterator():
        models["ProductPicture"].objects.create(
            product=product, static_path=product.picture, alt=product.picture_alt or product.name
        )
    for product in products.exclude(option="").prefetch_related("variants").iterator(chunk_size=500):
        variants = sorted(product.variants.all(), key=lambda variant: variant.pk)
        if not variants or not all(variant.name for variant in variants):
            continue
        names = [variant.name for variant in variants]
        models["Option"].objects.create(product=product, name=product.option, values=names)
        for variant in variants:
            variant.option_values = [variant.name]
            variant.save(update_fields=["option_values"])


def backwards(apps: Any, schema_editor: Any) -> None:
    """What the older shop can tell: the first option's name, and whether a product is shown now."""
    Product, Option = apps.get_model("product", "Product"), apps.get_model("product", "Option")
    Product.objects.filter(Q(status="draft") | Q(publish_at__gt=timezone.now())).update(is_published=False)
    for option in Option.objects.order_by("-position", "-pk").iterator():
        Product.objects.filter(pk=option.product_id).update(option=option.name)


class Migration(migrations.Migration):
    dependencies = [("product", "0003_catalogue")]

    operations = [migrations.RunPython(forwards, backwards)]
