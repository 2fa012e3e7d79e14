"""Stock and holds. Every change of a variant's numbers is one conditional UPDATE, in primary-key order."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from shop.product.models import Hold, Variant

# Longer than a code's life (10 min from the request) and the payment after it.
HOLD_LIFE = timedelta(minutes=25)
# However often it is renewed, stock is set aside for one checkout no longer than this.
HOLD_LIMIT = timedelta(minutes=60)


class OutOfStock(Exception):
    """`missing` maps the id of each variant of which there is too little to what is available."""

    def __init__(self, missing: dict[int, int]) -> None:
        super().__init__(missing)
        self.missing = missing


def place_hold(holder: UUID, quantities: Mapping[int, int], now: datetime | None = None) -> datetime:
    """Set aside `quantities` (variant id -> pieces) for the holder, in place of what it held; until when.

    All of it or nothing. Raises OutOfStock.
    """
    now = now or timezone.now()
    with transaction.atomic():
        held = {hold.variant_id: hold for hold in Hold.objects.select_for_update().filter(holder=holder).order_by("variant_id")}
        first = min((hold.placed_at for hold in held.values() if hold.expires_at > now), default=now)
        until = min(now + HOLD_LIFE, first + HOLD_LIMIT)
        if until <= now:
            first, until = now, now + HOLD_LIFE
        missing = {}
        for variant_id in sorted({*quantities, *held}):
            wanted = quantities.get(variant_id, 0)
            had = held[variant_id].quantity if variant_id in held else 0
            if wanted > had and not _reserve(variant_id, wanted - had, now):
                missing[variant_id] = available_now(variant_id, now) + had
            elif wanted < had:
                Variant.objects.filter(pk=variant_id).update(reserved=F("reserved") - (had - wanted))
        if missing:
            raise OutOfStock(missing)
        Hold.objects.filter(holder=holder).exclude(variant_id__in=quantities).delete()
        Hold.objects.bulk_create(
            [
                Hold(holder=holder, variant_id=variant_id, quantity=quantity, placed_at=first, expires_at=until)
                for variant_id, quantity in sorted(quantities.items())
            ],
            update_conflicts=True,
            unique_fields=["holder", "variant"],
            update_fields=["quantity", "placed_at", "expires_at"],
        )
        return until


def release_hold(holder: UUID) -> None:
    """Give back what the holder has set aside. Twice is once."""
    with transaction.atomic():
        _release(list(Hold.objects.select_for_update().filter(holder=holder).order_by("variant_id")))


def take_held(holder: UUID, quantities: Mapping[int, int], now: datetime | None = None) -> None:
    """The goods are sold: they leave the stock, out of the hold where it still stands.

    A hold that lapsed meanwhile is made up for from what is free. Call it in the transaction of the sale.
    Raises OutOfStock, and then nothing has changed.
    """
    now = now or timezone.now()
    with transaction.atomic():
        held = {hold.variant_id: hold for hold in Hold.objects.select_for_update().filter(holder=holder).order_by("variant_id")}
        missing = {}
        for variant_id, quantity in sorted(quantities.items()):
            from_hold = min(held[variant_id].quantity, quantity) if variant_id in held else 0
            if quantity > from_hold and not _reserve(variant_id, quantity - from_hold, now):
                missing[variant_id] = available_now(variant_id, now) + from_hold
                continue
            Variant.objects.filter(pk=variant_id).update(
                on_hand=F("on_hand") - quantity, reserved=F("reserved") - quantity
            )
            if from_hold:
                held[variant_id].quantity -= from_hold
        if missing:
            raise OutOfStock(missing)
        _release(list(held.values()))


def put_back(quantities: Mapping[int, int]) -> None:
    """Goods that were sold come back."""
    with transaction.atomic():
        for variant_id, quantity in sorted(quantities.items()):
            Variant.objects.filter(pk=variant_id).update(on_hand=F("on_hand") + quantity)


def release_lapsed(now: datetime | None = None, limit: int = 500) -> int:
    """Give back what lapsed holds still reserve; how many holds."""
    now = now or timezone.now()
    with transaction.atomic():
        lapsed = Hold.objects.select_for_update(skip_locked=True).filter(expires_at__lte=now).order_by("variant_id")
        holds = list(lapsed[:limit])
        _release(holds)
        return len(holds)


def available_now(variant_id: int, now: datetime | None = None) -> int:
    """What can be bought this moment; lapsed holds are ignored, though they may not be swept yet."""
    now = now or timezone.now()
    variant = Variant.objects.filter(pk=variant_id, is_active=True).first()
    if variant is None:
        return 0
    lapsed = Hold.objects.filter(variant_id=variant_id, expires_at__lte=now)
    return variant.available + sum(lapsed.values_list("quantity", flat=True))


def _reserve(variant_id: int, quantity: int, now: datetime) -> bool:
    """One conditional UPDATE; a second try after giving back what lapsed holds of this variant still keep."""
    free = Variant.objects.filter(pk=variant_id, is_active=True, on_hand__gte=F("reserved") + quantity)
    if free.update(reserved=F("reserved") + quantity):
        return True
    lapsed = Hold.objects.select_for_update(skip_locked=True).filter(variant_id=variant_id, expires_at__lte=now)
    holds = list(lapsed)
    _release(holds)
    return bool(holds) and bool(free.update(reserved=F("reserved") + quantity))


def _release(holds: list[Hold]) -> None:
    for hold in sorted(holds, key=lambda hold: hold.variant_id):
        if hold.quantity:
            Variant.objects.filter(pk=hold.variant_id).update(reserved=F("reserved") - hold.quantity)
    Hold.objects.filter(pk__in=[hold.pk for hold in holds]).delete()
