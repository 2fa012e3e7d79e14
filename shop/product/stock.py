"""Stock and holds. Every change of a variant's numbers is one conditional UPDATE, in primary-key order."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import F, Q, Value
from django.db.models.functions import Least
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

    All of it or nothing. Calls for one holder come one after the other: the cart is locked before. Raises OutOfStock.
    """
    now = now or timezone.now()
    with transaction.atomic():
        held = _held(holder)
        first = min((hold.placed_at for hold in held.values() if hold.expires_at > now), default=now)
        until = min(now + HOLD_LIFE, first + HOLD_LIMIT)
        missing = {}
        for variant_id in sorted({*quantities, *held}):
            more = quantities.get(variant_id, 0) - _pieces(held, variant_id)
            if more and not _change(variant_id, more, holder, now, reserved=F("reserved") + more):
                missing[variant_id] = available_now(variant_id, now, holder)
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


def renew_hold(holder: UUID, quantities: Mapping[int, int], now: datetime | None = None) -> None:
    """Like `place_hold`, in one query where the holder still has exactly this. Raises OutOfStock."""
    now = now or timezone.now()
    exactly = Q()
    for variant_id, quantity in quantities.items():
        exactly |= Q(variant_id=variant_id, quantity=quantity)
    longer = Least(Value(now + HOLD_LIFE), F("placed_at") + HOLD_LIMIT)
    standing = Hold.objects.filter(exactly, holder=holder, expires_at__gt=now)
    if standing.update(expires_at=longer) < len(quantities):
        place_hold(holder, quantities, now)


def release_hold(holder: UUID) -> None:
    """Give back what the holder has set aside. Twice is once."""
    with transaction.atomic():
        _release(list(_held(holder).values()))


def take_held(holder: UUID, quantities: Mapping[int, int], now: datetime | None = None) -> None:
    """The goods are sold: they leave the stock, out of the hold where it is still there.

    What lapsed and was given to somebody else is made up for from what is free; what was held beyond `quantities` is
    given back. Call it in the transaction of the sale. Raises OutOfStock, and then nothing has changed.
    """
    now = now or timezone.now()
    with transaction.atomic():
        held = _held(holder)
        missing = {}
        for variant_id in sorted({*quantities, *held}):
            sold, had = quantities.get(variant_id, 0), _pieces(held, variant_id)
            changes = {"on_hand": F("on_hand") - sold, "reserved": F("reserved") - had}
            if not _change(variant_id, sold - had, holder, now, **changes):
                missing[variant_id] = available_now(variant_id, now, holder)
        if missing:
            raise OutOfStock(missing)
        Hold.objects.filter(holder=holder).delete()


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


def available_now(variant_id: int, now: datetime | None = None, holder: UUID | None = None) -> int:
    """What the holder can have this moment. Lapsed holds are ignored, though they may not be swept yet."""
    variant = Variant.objects.filter(pk=variant_id, is_active=True).with_free(holder=holder, now=now).first()
    return int(variant.free) if variant else 0


def _held(holder: UUID) -> dict[int, Hold]:
    holds = Hold.objects.select_for_update().filter(holder=holder).order_by("variant_id")
    return {hold.variant_id: hold for hold in holds}


def _pieces(held: Mapping[int, Hold], variant_id: int) -> int:
    return held[variant_id].quantity if variant_id in held else 0


def _change(variant_id: int, needed: int, holder: UUID, now: datetime, **changes: Any) -> bool:
    """One conditional UPDATE, for which `needed` pieces have to be free.

    Where they are not, once more after giving back what lapsed holds of this variant keep. The holder's own is not
    given back: the caller counts on it.
    """
    variant = Variant.objects.filter(pk=variant_id)
    if needed > 0:
        variant = variant.filter(is_active=True, on_hand__gte=F("reserved") + needed)
    if variant.update(**changes):
        return True
    lapsed = Hold.objects.select_for_update(skip_locked=True).filter(variant_id=variant_id, expires_at__lte=now)
    holds = list(lapsed.exclude(holder=holder))
    _release(holds)
    return bool(holds) and bool(variant.update(**changes))


def _release(holds: list[Hold]) -> None:
    for hold in sorted(holds, key=lambda hold: hold.variant_id):
        Variant.objects.filter(pk=hold.variant_id).update(reserved=F("reserved") - hold.quantity)
    Hold.objects.filter(pk__in=[hold.pk for hold in holds]).delete()
