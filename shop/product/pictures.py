"""Pictures of products: an upload is drawn anew in a few widths, as AVIF and WebP, and nothing else of it is kept.

So no camera's notes (EXIF: place, time, name), no second meaning of a file and no odd format leaves the shop. A stored
picture is a folder of files named by their width, and known by the name of the widest: `products/<token>/1280.webp`.
"""

import warnings
from collections.abc import Sequence
from io import BytesIO
from secrets import token_hex
from typing import IO, Any

from django.core.exceptions import ValidationError
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import transaction
from django.db.models.signals import post_delete
from django.dispatch import receiver
from django.utils.translation import gettext as _
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

from shop.product.models import UPLOADS, Product, ProductPicture, Variant, picture_url

WIDTHS = (320, 640, 1280)
FORMATS = {"avif": {"quality": 60, "speed": 8}, "webp": {"quality": 80, "method": 4}}
READ = ("JPEG", "PNG", "WEBP", "AVIF")
MOST_BYTES = 10 * 1024 * 1024
MOST_PIXELS = 40_000_000
LEAST_SIDE = 320


def sources(path: str) -> list[tuple[str, str]]:
    """Media type and `srcset` of what a stored picture may be shown with; a static file has none."""
    if not path.startswith(UPLOADS):
        return []
    folder, _slash, file = path.rpartition("/")
    widths = _widths(int(file.partition(".")[0]))
    return [
        (
            f"image/{kind}",
            ", ".join(f"{picture_url(f'{folder}/{width}.{kind}')} {width}w" for width in widths),
        )
        for kind in FORMATS
    ]


def read(upload: IO[bytes]) -> Image.Image:
    """The picture in an upload, upright and in sRGB. Raises ValidationError with words for whoever uploads it."""
    size = upload.seek(0, 2)
    upload.seek(0)
    if size > MOST_BYTES:
        raise ValidationError(_("Please choose a picture of at most %(n)d MB.") % {"n": MOST_BYTES // 1024**2})
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            picture: Any = Image.open(upload, formats=READ)
            if picture.width * picture.height > MOST_PIXELS:  # told by the first bytes, before any more are unpacked
                raise ValidationError(_("This picture has too many pixels. Please make it smaller."))
            if min(picture.size) < LEAST_SIDE:
                raise ValidationError(
                    _("This picture is too small: it needs %(n)d pixels or more each way.") % {"n": LEAST_SIDE}
                )
            picture.load()
            return _as_srgb(ImageOps.exif_transpose(picture))
    except (UnidentifiedImageError, Image.DecompressionBombWarning, Image.DecompressionBombError) as refusal:
        raise ValidationError(_("Please choose a JPEG, PNG, WebP or AVIF picture.")) from refusal
    except (OSError, ValueError, SyntaxError, ImageCms.PyCMSError) as broken:  # what Pillow says of broken files
        raise ValidationError(_("This picture can't be read. Is the file whole?")) from broken


def store(picture: Image.Image) -> str:
    """Draw it in all widths and formats; the name by which it is known."""
    folder = f"{UPLOADS}{token_hex(8)}"
    name = ""
    for width in _widths(picture.width):
        drawn = picture.resize((width, round(picture.height * width / picture.width)), Image.Resampling.LANCZOS)
        for kind, settings in FORMATS.items():
            file = BytesIO()
            drawn.save(file, kind.upper(), **settings)
            name = default_storage.save(f"{folder}/{width}.{kind}", ContentFile(file.getvalue()))
    return name


def throw_away(path: str) -> None:
    """The files of a stored picture, once the transaction that no longer knows it is through."""
    if path.startswith(UPLOADS):
        transaction.on_commit(lambda: _delete(path))


def choose_first(product: Product) -> None:
    """Keep the first pictures, of the product and of each variant, where cards, carts and orders look for them."""
    pictures = list(product.pictures.all())
    first = pictures[0] if pictures else ProductPicture()
    Product.objects.filter(pk=product.pk).update(picture=first.path, picture_alt=first.alt)
    for variant in product.variants.order_by("pk"):
        shown = next(
            (each.path for each in pictures if each.shows and shows(each, variant.name, variant.option_values)), ""
        )
        if shown != variant.picture:
            Variant.objects.filter(pk=variant.pk).update(picture=shown)


def of_nothing(product: Product) -> list[str]:
    """What pictures of the product are said to show, and no variant is."""
    known = {"", *product.variants.values_list("name", flat=True)}
    known.update(*product.options.values_list("values", flat=True))
    return [each.shows for each in product.pictures.all() if each.shows not in known]


def shows(picture: ProductPicture, name: str, option_values: Sequence[str]) -> bool:
    """Does it show the variant of that name, or with these values?"""
    return not picture.shows or picture.shows == name or picture.shows in option_values


def _widths(whole: int) -> list[int]:
    widest = min(whole, WIDTHS[-1])
    return [*(width for width in WIDTHS if width < widest), widest]


def _as_srgb(picture: Any) -> Image.Image:
    """Without transparency (on white), without a profile and all other notes."""
    profile = picture.info.get("icc_profile")
    if profile and picture.mode in ("RGB", "RGBA"):  # of other modes (CMYK, grey, palette) Pillow's own conversion does
        picture = ImageCms.profileToProfile(
            picture, ImageCms.ImageCmsProfile(BytesIO(profile)), ImageCms.createProfile("sRGB"), outputMode=picture.mode
        )
    if picture.has_transparency_data:
        picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture.convert("RGBA"))
    plain = Image.new("RGB", picture.size)
    plain.paste(picture.convert("RGB"))
    return plain


@receiver(post_delete, sender=ProductPicture)
def _throw_away_with_its_row(sender: Any, instance: ProductPicture, **kwargs: Any) -> None:
    throw_away(instance.path)


def _delete(path: str) -> None:
    folder = path.rpartition("/")[0]
    for file in default_storage.listdir(folder)[1]:
        default_storage.delete(f"{folder}/{file}")
    default_storage.delete(folder)
