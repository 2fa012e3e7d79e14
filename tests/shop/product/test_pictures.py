"""Uploads: what is refused, what becomes of a picture, and that nothing of it stays but the pixels."""

import zlib
from io import BytesIO
from struct import pack

import pytest
from django.core.exceptions import ValidationError
from django.core.files.storage import default_storage
from django.urls import reverse
from PIL import Image, ImageCms

from shop.product import pictures
from shop.product.models import ProductPicture
from tests.shop.product.shelf import option, product, variant

PLACE = b"51 degrees north"


@pytest.fixture(autouse=True)
def _media(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path


def file(kind="JPEG", size=(800, 600), mode="RGB", colour="teal", **save):
    out = BytesIO()
    Image.new(mode, size, colour).save(out, kind, **save)
    out.seek(0)
    return out


def with_notes():
    """As a phone makes it: lying on its side, with the place in its notes."""
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees
    exif[0x010E] = PLACE.decode()
    return file(exif=exif, comment=PLACE)


def bomb(side):
    """A PNG of a few bytes that says it is enormous."""
    header = b"IHDR" + pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return BytesIO(
        b"\x89PNG\r\n\x1a\n" + pack(">I", 13) + header + pack(">I", zlib.crc32(header))
        + pack(">I", 0) + b"IEND" + pack(">I", zlib.crc32(b"IEND"))
    )  # fmt: skip


def half(upload):
    return BytesIO(upload.getvalue()[: len(upload.getvalue()) // 2])


class TestWhatIsRefused:
    @pytest.mark.parametrize(
        ("upload", "words"),
        [
            (lambda: BytesIO(b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>"), "JPEG, PNG"),
            (lambda: BytesIO(b"<?php echo 1;"), "JPEG, PNG"),
            (lambda: BytesIO(b""), "JPEG, PNG"),
            (lambda: file("GIF", mode="P", colour=0), "JPEG, PNG"),
            (lambda: file("TIFF"), "JPEG, PNG"),
            (lambda: file(size=(319, 800)), "too small"),
            (lambda: bomb(7_000), "too many pixels"),
            (lambda: bomb(60_000), "JPEG, PNG"),
            (lambda: half(file(size=(900, 900))), "can't be read"),
            (lambda: half(file("PNG", size=(900, 900))), "can't be read"),
            (lambda: BytesIO(file().getvalue() + b"\0" * pictures.MOST_BYTES), "at most 10 MB"),
        ],
    )
    def test_it_says_why(self, upload, words):
        with pytest.raises(ValidationError, match=words):
            pictures.read(upload())


class TestWhatIsKept:
    @pytest.mark.parametrize(
        ("width", "widths"),
        [(320, [320]), (500, [320, 500]), (640, [320, 640]), (1279, [320, 640, 1279]), (3000, [320, 640, 1280])],
    )
    def test_it_is_drawn_in_each_width_that_it_has(self, width, widths):
        name = pictures.store(pictures.read(file(size=(width, 400))))
        folder = name.rpartition("/")[0]
        assert name == f"{folder}/{widths[-1]}.webp"
        assert sorted(default_storage.listdir(folder)[1]) == sorted(
            f"{n}.{kind}" for n in widths for kind in ("avif", "webp")
        )
        for n in widths:
            for kind in ("avif", "webp"):
                with Image.open(default_storage.open(f"{folder}/{n}.{kind}")) as drawn:
                    assert (drawn.format, drawn.width, drawn.height) == (kind.upper(), n, round(400 * n / width))
        (avif, srcset), (webp, _srcset) = pictures.sources(name)
        assert (avif, webp) == ("image/avif", "image/webp")
        assert srcset == ", ".join(f"/media/{folder}/{n}.avif {n}w" for n in widths)

    def test_it_stands_upright_and_its_notes_are_gone(self):
        upload = with_notes()
        assert PLACE in upload.getvalue()
        name = pictures.store(pictures.read(upload))
        folder = name.rpartition("/")[0]
        for each in default_storage.listdir(folder)[1]:
            stored = default_storage.open(f"{folder}/{each}").read()
            assert PLACE not in stored and b"Exif" not in stored
            with Image.open(BytesIO(stored)) as drawn:
                assert not drawn.getexif() and drawn.width < drawn.height

    @pytest.mark.parametrize(
        ("kind", "mode", "colour"),
        [
            ("PNG", "RGBA", (0, 0, 0, 0)),
            ("PNG", "P", 0),
            ("PNG", "L", 128),
            ("JPEG", "CMYK", 0),
            ("PNG", "I;16", 9),
            ("WEBP", "RGBA", (9, 9, 9, 9)),
        ],
    )
    def test_every_mode_becomes_plain(self, kind, mode, colour):
        read = pictures.read(file(kind, mode=mode, colour=colour))
        assert read.mode == "RGB" and not read.info
        if mode == "RGBA" and colour == (0, 0, 0, 0):
            assert read.getpixel((5, 5)) == (255, 255, 255)

    def test_a_profile_is_worked_in_and_a_broken_one_is_no_error_page(self):
        srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
        assert pictures.read(file(icc_profile=srgb)).mode == "RGB"
        with pytest.raises(ValidationError, match="can't be read"):
            pictures.read(file(icc_profile=b"nonsense" * 20))


class TestServing:
    def test_it_is_served_for_a_year(self, client):
        name = pictures.store(pictures.read(file()))
        response = client.get(reverse("product:picture", args=[name]))
        assert response["Content-Type"] == "image/webp"
        assert "immutable" in response["Cache-Control"] and response["X-Content-Type-Options"] == "nosniff"
        assert Image.open(BytesIO(response.getvalue())).width == 800

    @pytest.mark.parametrize(
        "path",
        ["products/0000000000000000/320.webp", "products/../../settings.py", "products/0000000000000000/1.svg", ""],
    )
    def test_nothing_else_is(self, client, path):
        assert client.get(f"/media/{path}").status_code == 404


@pytest.mark.django_db
class TestFirst:
    def test_the_first_pictures_are_kept_where_cards_and_carts_look(self):
        mug = product()
        option(mug, "Colour", "Red", "Blue")
        red, blue = (variant(of=mug, option_values=[colour]) for colour in ("Red", "Blue"))
        for position, (path, shows) in enumerate([("a", ""), ("b", "Blue"), ("c", "Blue")]):
            ProductPicture.objects.create(
                product=mug, static_path=f"img/{path}.svg", alt=f"Mug {path}", shows=shows, position=position
            )
        pictures.choose_first(mug)
        for each in (mug, red, blue):
            each.refresh_from_db()
        assert (mug.picture, mug.picture_alt, red.picture, blue.picture) == ("img/a.svg", "Mug a", "", "img/b.svg")
        assert red.picture_url.endswith("img/a.svg")
        mug.pictures.all().delete()
        pictures.choose_first(mug)
        mug.refresh_from_db()
        blue.refresh_from_db()
        assert (mug.picture, blue.picture) == ("", "")
