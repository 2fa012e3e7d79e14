"""Goods by the hundred thousand, to see how the shop behaves with them. What the n-th is depends on n alone."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import product
from random import Random
from typing import Any

from django.db import connection, models, transaction
from django.utils.text import slugify

from shop.demo import shelves
from shop.product.models import AttributeValue, Brand, Category, Option, Product, ProductPicture, Variant

BATCH = 5_000
LOCK = 7_240_115  # any number that nobody else locks
NEWEST = datetime(2026, 1, 1, tzinfo=UTC)


def _words(text: str) -> list[str]:
    return text.split()


LOOKS = _words("""
    Plain Slender Broad Quiet Sturdy Little Tall Round Narrow Deep Light Heavy Folded Fluted Ribbed Speckled Striped
    Polished Brushed Dipped Woven Stacking Travelling Everyday Sunday Winter Summer Village Harbour Orchard Meadow
    Market Studio Cabin Cottage Northern Coastal Alpine Classic Simple
""")
BRANDS = _words("""
    Alder Birchmoor Copperfield Dunmore Eastlight Fernhill Greyling Harrowgate Inglenook Juniper Kestrel Larkspur
    Millrace Northway Oakhanger Pinefield Quayside Rowanberry Stonebridge Thistledown Underwood Valehouse Westering
    Yarrow Ashcombe Brackenbury Coldstream Dovecote Elmstead Foxglove
""")
COLOURS = {
    "Red": ("Rust", "Brick", "Cherry"),
    "Yellow": ("Honey", "Straw"),
    "Green": ("Moss", "Fern", "Olive"),
    "Teal": ("Teal", "Lagoon"),
    "Blue": ("Ink blue", "Sky", "Navy"),
    "Natural": ("Sand", "Oat", "Tan"),
    "White": ("Cream", "Chalk"),
    "Black and grey": ("Slate", "Soot"),
}
SIZES = ("Small", "Medium", "Large", "Extra large")
MATERIALS = {
    "Wood": ("oak", "beech", "ash", "walnut", "cherry wood", "cedar"),
    "Stoneware and clay": ("stoneware", "clay", "porcelain"),
    "Enamel": ("enamel",),
    "Iron and steel": ("steel", "iron", "zinc"),
    "Brass": ("brass",),
    "Leather": ("leather",),
    "Cotton": ("cotton", "canvas"),
    "Linen": ("linen",),
    "Wool": ("wool", "lambswool", "felt"),
    "Willow": ("willow",),
    "Plant oils": ("olive", "lavender", "rosemary", "marigold"),
}


@dataclass(frozen=True)
class Kind:
    """Things of a kind: where they are, whose picture they borrow, of what they are made, what one costs and weighs."""

    category: str
    picture: str
    nouns: Sequence[str]
    materials: Sequence[str]
    price: tuple[int, int]
    grams: int


def _kind(category: str, picture: str, nouns: str, materials: str, price: tuple[int, int], grams: int) -> Kind:
    return Kind(category, picture, nouns.split(", "), materials.split(", "), price, grams)


KINDS = (
    _kind("tableware", "enamel-mug", "mug, cup, bowl, plate, jug, saucer", "Enamel, Stoneware and clay", (6, 40), 400),
    _kind("tableware", "stoneware-teapot", "teapot, coffee pot, milk jug", "Stoneware and clay", (24, 90), 1400),
    _kind("cooking", "cast-iron-skillet", "pan, casserole, griddle, wok", "Iron and steel, Enamel", (25, 140), 2600),
    _kind("cooking", "beech-chopping-board", "board, rolling pin, spoon, spatula", "Wood", (5, 60), 700),
    _kind("writing", "clothbound-notebook", "notebook, folder, diary, album", "Cotton, Linen, Leather", (8, 60), 400),
    _kind("writing", "fountain-pen", "pen, pencil case, ink well", "Brass, Wood, Leather", (9, 120), 150),
    _kind("desk-tools", "oak-desk-clock", "clock, tray, bookend, pen stand", "Wood, Brass", (12, 130), 900),
    _kind("desk-tools", "paper-scissors", "scissors, ruler, letter opener", "Iron and steel, Brass", (6, 50), 250),
    _kind(
        "lamps", "jointed-task-lamp", "desk lamp, wall lamp, floor lamp", "Iron and steel, Brass, Wood", (49, 320), 2900
    ),
    _kind("lamps", "enamel-pendant", "pendant, shade, ceiling lamp", "Enamel, Linen, Cotton", (29, 220), 1800),
    _kind("candlelight", "storm-lantern", "lantern, candlestick, tealight", "Iron and steel, Brass", (7, 90), 900),
    _kind("everyday-bags", "canvas-tote", "tote, shopper, pouch, wallet", "Cotton, Leather, Linen", (9, 140), 350),
    _kind("everyday-bags", "willow-basket", "basket, hamper", "Willow", (18, 90), 1500),
    _kind("travel", "roll-top-backpack", "backpack, duffel, holdall, satchel", "Cotton, Leather", (49, 360), 1700),
    _kind("camp", "vacuum-flask", "flask, kettle, plate set, cutlery set", "Iron and steel, Enamel", (12, 80), 700),
    _kind("camp", "folding-stool", "stool, chair, table, hammock", "Cotton, Wood", (24, 190), 2800),
    _kind("on-foot", "field-umbrella", "umbrella, walking stick, rain hat", "Cotton, Wood", (15, 90), 700),
    _kind(
        "garden-tools", "hand-trowel", "trowel, fork, rake, dibber, hoe", "Wood, Iron and steel, Brass", (8, 70), 600
    ),
    _kind("garden-tools", "zinc-watering-can", "watering can, bucket, tub", "Iron and steel", (14, 90), 1900),
    _kind("pots-and-birds", "terracotta-pot", "flowerpot, planter, saucer", "Stoneware and clay", (3, 80), 2200),
    _kind("pots-and-birds", "cedar-nest-box", "nest box, feeder, bird table", "Wood", (14, 80), 1800),
    _kind("linen-and-cotton", "linen-tea-towel", "tea towel, napkin, tablecloth", "Linen, Cotton", (5, 110), 250),
    _kind("linen-and-cotton", "linen-cushion", "cushion, bolster, seat pad", "Linen, Cotton", (14, 90), 900),
    _kind("wool", "lambswool-blanket", "blanket, throw, scarf, rug", "Wool", (19, 260), 1100),
    _kind("wool", "wool-walking-socks", "socks, mittens, hat, slippers", "Wool", (9, 60), 150),
    _kind("soap-and-balm", "olive-oil-soap", "soap, shampoo bar, bath salt", "Plant oils", (3, 24), 200),
    _kind("soap-and-balm", "hand-balm", "balm, hand cream, bath oil", "Plant oils", (6, 36), 120),
    _kind("brushes", "beech-dish-brush", "dish brush, broom, nail brush", "Wood", (3, 45), 300),
)


@dataclass(frozen=True)
class World:
    """What the goods refer to."""

    categories: dict[str, int]
    brands: list[int]
    facts: dict[str, int]


def fill(count: int, say: Callable[[str], object]) -> int:
    """Products number 1 to `count`, where they are not there yet; how many that were. Call `create_goods` before."""
    world, created = _world(), 0
    for first in range(1, count + 1, BATCH):
        numbers = range(first, min(first + BATCH, count + 1))
        created += _write(numbers, world)
        say(f"{numbers[-1]:,} of {count:,} products")
    if created:
        with connection.cursor() as cursor:  # what the planner knows of empty tables would make the first pages slow
            cursor.execute("ANALYZE product_product, product_variant, product_product_attribute_values, product_option")
    return created


def _world() -> World:
    for name in BRANDS:
        Brand.objects.get_or_create(slug=slugify(name), defaults={"name": name})
    return World(
        categories=dict(Category.objects.values_list("slug", "pk")),
        brands=list(Brand.objects.filter(name__in=BRANDS).order_by("slug").values_list("pk", flat=True)),
        facts=dict(AttributeValue.objects.values_list("name", "pk")),
    )


@transaction.atomic
def _write(numbers: Sequence[int], world: World) -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])  # one at a time makes goods
        goods = {number: _Good(number, world) for number in numbers}
        there = {
            *Product.objects.filter(slug__in=[good.slug for good in goods.values()]).values_list("slug", flat=True)
        }
        new = [good for good in goods.values() if good.slug not in there]
        cursor.execute(
            "SELECT nextval(pg_get_serial_sequence('product_product', 'id')) FROM generate_series(1, %s)", [len(new)]
        )
        for good, (pk,) in zip(new, cursor.fetchall(), strict=True):
            good.pk = pk
        _copy(cursor, Product, (good.product() for good in new))
        _copy(cursor, Product.attribute_values.through, (row for good in new for row in good.facts()))
        _copy(cursor, ProductPicture, (good.shown() for good in new))
        _copy(cursor, Option, (option for good in new for option in good.options()))
        _copy(cursor, Variant, (variant for good in new for variant in good.variants()))
    return len(new)


def _copy(cursor: Any, model: type[models.Model], rows: Iterable[models.Model]) -> None:
    fields = [
        field
        for field in model._meta.concrete_fields
        if not field.generated and (model is Product or not field.primary_key)
    ]
    columns = ", ".join(f'"{field.column}"' for field in fields)
    with cursor.copy(f"COPY {model._meta.db_table} ({columns}) FROM STDIN") as copy:
        for row in rows:
            copy.write_row([field.get_db_prep_save(getattr(row, field.attname), connection) for field in fields])


class _Good:
    """The n-th product."""

    pk: int

    def __init__(self, number: int, world: World) -> None:
        self.number, self.world, self.random = number, world, Random(number)  # noqa: S311
        self.kind = self.random.choice(KINDS)
        self.family = self.random.choice(self.kind.materials)
        self.noun = self.random.choice(self.kind.nouns)
        material = self.random.choice(MATERIALS[self.family])
        self.name = f"{self.random.choice(LOOKS)} {material} {self.noun}"
        self.slug = f"{slugify(self.name)}-{number}"
        self.colour = self.random.choice([*COLOURS])
        self.values = self._values()

    def _values(self) -> dict[str, Sequence[str]]:
        """The options: none, sizes, colours, or both; at most six variants."""
        sizes, colours = SIZES[: self.random.randint(2, 4)], COLOURS[self.colour]
        shape = self.random.randrange(10)
        if shape < 4:
            return {}
        if shape < 7:
            return {"Size": sizes}
        return {"Colour": colours} if shape < 9 else {"Size": sizes[:2], "Colour": colours}

    def product(self) -> Product:
        article = "an" if self.family[0] in "EI" else "a"
        return Product(
            pk=self.pk,
            category_id=self.world.categories[self.kind.category],
            brand_id=self.random.choice(self.world.brands),
            name=self.name,
            slug=self.slug,
            summary=f"A {self.noun} of {self.family.lower()}, made to be used every day.",
            description=f"{self.name}, {article} {self.family.lower()} thing that lasts. Number {self.number}.",
            picture=f"img/demo/{self.kind.picture}.svg",
            picture_alt=self.name,
            publish_at=NEWEST - timedelta(minutes=self.random.randrange(2 * 365 * 24 * 60)),
        )

    def facts(self) -> Iterator[models.Model]:
        through = Product.attribute_values.through
        for name in (self.family, self.colour, self.random.choice([*shelves.FACTS["Made in"]])):
            yield through(product_id=self.pk, attributevalue_id=self.world.facts[name])

    def shown(self) -> ProductPicture:
        return ProductPicture(
            product_id=self.pk, static_path=f"img/demo/{self.kind.picture}.svg", alt=f"{self.name}, drawn"
        )

    def options(self) -> Iterator[Option]:
        for position, (name, values) in enumerate(self.values.items()):
            yield Option(product_id=self.pk, name=name, values=list(values), position=position)

    def variants(self) -> Iterator[Variant]:
        low, high = self.kind.price
        price = Decimal(self.random.randint(low, high)) - Decimal("0.10") * self.random.randint(0, 5)
        reduced = self.random.randrange(8) == 0
        for nth, values in enumerate(product(*self.values.values())):
            now = price + nth * Decimal("1.50")
            yield Variant(
                product_id=self.pk,
                sku=f"D{self.number:07}-{nth + 1}",
                name=", ".join(values),
                option_values=list(values),
                price=now,
                sale_price=(now * Decimal("0.8")).quantize(Decimal("0.1")) if reduced else None,
                weight=self.kind.grams + 50 * nth,
                on_hand=self.random.choice((0, 1, 3, 8, 20, 60, 150)),
            )
