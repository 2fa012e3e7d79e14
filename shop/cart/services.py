"""What a visitor has picked.

Whoever changes a cart locks its row first, so two posts at once add up, and none slips in between an order and the
emptying of its cart.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

from django.contrib.sessions.backends.base import SessionBase
from django.db import IntegrityError, transaction
from django.db.models import F, OuterRef, Q, Subquery, Sum
from django.db.models.functions import Coalesce
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from shop.cart.models import MOST_OF_ONE, Cart, CartLine
from shop.product.models import Variant, not_counting, option_names

SESSION_KEY = "cart_id"

# What a checkout of this cart has set aside is free for this cart. The token is read through the relation, for the
# checkout lies above the cart and is not to be imported here.
OWN_HOLDER = OuterRef("cart__checkout__attempt_token")


class NotSold(Exception):
    """There is no such variant, or it is no longer on sale."""


class NotEnough(Exception):
    """More was asked for than there is, or than one may buy. `words` say so to the shopper."""

    def __init__(self, variant: Variant, free: int, in_cart: int = 0) -> None:
        self.variant, self.free, self.in_cart = variant, free, in_cart
        super().__init__(self.words)

    @property
    def words(self) -> str:
        if self.free <= 0:
            return _("%(name)s is sold out.") % {"name": self.variant}
        if self.free >= MOST_OF_ONE:
            return _("We sell at most %(most)d of one thing at a time.") % {"most": MOST_OF_ONE}
        left = ngettext("There is %(n)d left", "There are %(n)d left", self.free) % {"n": self.free}
        if self.in_cart <= 0:
            return _("%(left)s, so we can't put more than that into your cart.") % {"left": left}
        if self.in_cart < self.free:
            return _("%(left)s; your cart has %(n)d of them already.") % {"left": left, "n": self.in_cart}
        if self.free == 1:
            return _("%(left)s; your cart has it.") % {"left": left}
        return _("%(left)s; your cart has all of them.") % {"left": left}


@dataclass(frozen=True)
class Line:
    """A line of a cart, at the price and with the stock of now."""

    variant: Variant
    quantity: int
    price_seen: Decimal
    available: int
    option_names: list[str]

    @property
    def price(self) -> Decimal:
        return self.variant.price_now

    @property
    def total(self) -> Decimal:
        return self.price * self.quantity

    @property
    def price_changed(self) -> bool:
        return self.price != self.price_seen

    @property
    def is_on_sale(self) -> bool:
        return self.variant.is_active and self.variant.product.is_public

    @property
    def can_be_bought(self) -> bool:
        return self.quantity <= self.available

    @property
    def most(self) -> int:
        return min(self.available, MOST_OF_ONE)

    @property
    def name(self) -> str:
        return self.variant.product.name

    @property
    def options(self) -> str:
        """ "Size: Small, Colour: Red"; the name alone where the product has no options."""
        if not self.option_names:
            return self.variant.name
        pairs = zip(self.option_names, self.variant.option_values, strict=False)
        return ", ".join(f"{name}: {value}" for name, value in pairs)

    @property
    def picture_url(self) -> str:
        return self.variant.picture_url


@dataclass(frozen=True)
class Added:
    variant: Variant
    quantity: int
    in_cart: int  # of this variant, now
    count: int  # of all, now


@dataclass(frozen=True)
class Merged:
    moved: int
    left_out: int


def owned_by(session: SessionBase, user: Any) -> Q:
    """The condition under which a cart is the visitor's: a person's in every browser, a guest's by the session."""
    if user.is_authenticated:
        return Q(user=user)
    return Q(pk=session.get(SESSION_KEY), user=None)


def cart_of(session: SessionBase, user: Any) -> Cart | None:
    """The visitor's cart, if there is one."""
    if not user.is_authenticated and SESSION_KEY not in session:
        return None
    return Cart.objects.filter(owned_by(session, user)).first()


def lock(cart_id: UUID) -> Cart:
    """The cart, kept from changing until the transaction ends: the first lock of all (design.md, section 6).

    Raises Cart.DoesNotExist.
    """
    return Cart.objects.select_for_update().get(pk=cart_id)


def lines_of(cart: Cart | None, now: datetime | None = None) -> list[Line]:
    """What is in the cart in the order in which it was picked, in one query."""
    if cart is None:
        return []
    stock = F("variant__on_hand") - F("variant__reserved")
    lines = (
        CartLine.objects.filter(cart=cart)
        .select_related("variant__product")
        .annotate(
            free=stock + not_counting("variant", holder=OWN_HOLDER, now=now),
            option_names=option_names("variant__product"),
        )
        .order_by("added_at", "pk")
    )
    return [
        Line(
            variant=line.variant,
            quantity=line.quantity,
            price_seen=line.price_seen,
            available=max(line.free, 0) if line.variant.is_active and line.variant.product.is_public else 0,
            option_names=line.option_names,
        )
        for line in lines
    ]


def subtotal_of(lines: list[Line]) -> Decimal:
    """What the lines that are still on sale cost."""
    return sum((line.total for line in lines if line.is_on_sale), Decimal("0.00"))


def count_items(session: SessionBase, user: Any) -> int:
    """The number in the header; a visitor who has picked nothing costs no query."""
    if user.is_authenticated:
        lines = CartLine.objects.filter(cart__user=user)
    elif cart_id := session.get(SESSION_KEY):
        lines = CartLine.objects.filter(cart=cart_id, cart__user=None)
    else:
        return 0
    return lines.aggregate(count=Coalesce(Sum("quantity"), 0))["count"]


def add(*, session: SessionBase, user: Any, variant_id: int, quantity: int, now: datetime | None = None) -> Added:
    """Put something into the visitor's cart, beside what is there already. Raises NotSold and NotEnough."""
    now = now or timezone.now()
    with transaction.atomic():
        cart = _opened(session, user, now)
        variant = _variant(cart, variant_id, now)
        in_cart = variant.in_cart + quantity
        _write(cart, variant, in_cart, now)
    if not user.is_authenticated:
        session[SESSION_KEY] = str(cart.pk)
    return Added(variant=variant, quantity=quantity, in_cart=in_cart, count=variant.in_all + quantity)


def set_quantity(*, cart: Cart, variant_id: int, quantity: int, now: datetime | None = None) -> None:
    """Make it so many; 0 takes the line out. Raises NotSold and NotEnough. Less is always granted."""
    now = now or timezone.now()
    if quantity <= 0:
        remove(cart=cart, variant_id=variant_id, now=now)
        return
    with transaction.atomic():
        _touch(lock(cart.pk), now)
        variant = _variant(cart, variant_id, now)
        if variant.in_cart:  # otherwise it was taken out in another tab
            _write(cart, variant, quantity, now)


def remove(*, cart: Cart, variant_id: int, now: datetime | None = None) -> None:
    with transaction.atomic():
        _touch(lock(cart.pk), now or timezone.now())
        CartLine.objects.filter(cart=cart, variant=variant_id).delete()


def empty(cart: Cart, now: datetime | None = None) -> None:
    with transaction.atomic():
        _touch(lock(cart.pk), now or timezone.now())
        CartLine.objects.filter(cart=cart).delete()


def merge(*, session: SessionBase, user: Any, now: datetime | None = None) -> Merged:
    """The cart that a guest filled joins the cart of the person who the guest turned out to be.

    The rule: somebody without a cart takes over the guest's as it is, checkout and all. Otherwise quantities of the
    same variant add up, to at most what is free and MOST_OF_ONE, but never to less than the person's cart had. What
    is sold out goes over as one piece, and the cart says that it is sold out. The guest's cart is gone afterwards; a
    second sign-in with it finds nothing to move.
    """
    now = now or timezone.now()
    guest_id = session.pop(SESSION_KEY, None)
    if guest_id is None:
        return Merged(0, 0)
    with transaction.atomic():
        try:
            with transaction.atomic():
                taken_over = Cart.objects.filter(pk=guest_id, user=None).update(user=user, changed_at=now)
        except IntegrityError:  # the person has a cart
            return _join(guest_id, user, now)
        moved = CartLine.objects.filter(cart=guest_id, cart__user=user).aggregate(n=Coalesce(Sum("quantity"), 0))
        return Merged(moved["n"] if taken_over else 0, 0)


def _join(guest_id: str, user: Any, now: datetime) -> Merged:
    # The person's cart is locked before the guest's, here and nowhere the other way round.
    cart = Cart.objects.select_for_update().get(user=user)
    guest = Cart.objects.select_for_update().filter(pk=guest_id, user=None).first()
    if guest is None:
        return Merged(0, 0)
    own = dict(CartLine.objects.filter(cart=cart).values_list("variant_id", "quantity"))
    moved = left_out = 0
    joined = []
    for line in lines_of(guest, now):
        had = own.get(line.variant.pk, 0)
        quantity = max(min(had + line.quantity, line.most), had, 1)
        moved += quantity - had
        left_out += had + line.quantity - quantity
        joined.append(
            CartLine(cart=cart, variant=line.variant, quantity=quantity, price_seen=line.price_seen, added_at=now)
        )
    _upsert(joined)
    _touch(cart, now)
    guest.delete()
    return Merged(moved, left_out)


def _opened(session: SessionBase, user: Any, now: datetime) -> Cart:
    """The visitor's cart, made if need be, stamped and locked: by one statement, however many posts come at once."""
    fresh: dict[str, Any] = {"update_conflicts": True, "update_fields": ["changed_at"]}
    if user.is_authenticated:
        Cart.objects.bulk_create([Cart(user_id=user.pk, changed_at=now)], unique_fields=["user"], **fresh)
        return Cart.objects.get(user=user)
    cart = Cart(pk=UUID(session.get(SESSION_KEY) or str(uuid4())), changed_at=now)
    Cart.objects.bulk_create([cart], unique_fields=["id"], **fresh)
    return cart


def _touch(cart: Cart, now: datetime) -> None:
    Cart.objects.filter(pk=cart.pk).update(changed_at=now)


def _variant(cart: Cart, variant_id: int, now: datetime) -> Any:
    """What is on sale, with `free`, and how many of it (`in_cart`) and of all (`in_all`) the cart has, in one query."""
    lines = CartLine.objects.filter(cart=cart).order_by()
    holder = Subquery(Cart.objects.filter(pk=cart.pk).values("checkout__attempt_token"))
    variant = (
        Variant.objects.on_sale()
        .with_free(holder=holder, now=now)
        .annotate(
            in_cart=Coalesce(Subquery(lines.filter(variant=OuterRef("pk")).values("quantity")), 0),
            in_all=Coalesce(Subquery(lines.values("cart").annotate(sum=Sum("quantity")).values("sum")), 0),
        )
        .filter(pk=variant_id)
        .first()
    )
    if variant is None:
        raise NotSold
    return variant


def _write(cart: Cart, variant: Any, quantity: int, now: datetime) -> None:
    if quantity > variant.in_cart and quantity > min(variant.free, MOST_OF_ONE):
        raise NotEnough(variant, variant.free, variant.in_cart)
    _upsert([CartLine(cart=cart, variant=variant, quantity=quantity, price_seen=variant.price_now, added_at=now)])


def _upsert(lines: list[CartLine]) -> None:
    CartLine.objects.bulk_create(
        lines,
        update_conflicts=True,
        unique_fields=["cart", "variant"],
        update_fields=["quantity", "price_seen"],
    )
