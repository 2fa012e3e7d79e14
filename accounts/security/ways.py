"""What a person has to prove who they are, as the security page shows it, and which of it is asked for first."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count, Max, Q
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django_otp.models import Device

from accounts.factors.authenticator import Authenticator
from accounts.factors.backup_code import FEW, BackupCodeSet
from accounts.factors.base import Strength
from accounts.factors.email import Mailbox
from accounts.factors.passkey import Passkey
from accounts.factors.registry import all_factors
from accounts.factors.text import Phone
from accounts.models import User
from accounts.phones import mask
from accounts.security.strength import standing
from accounts.stepup import policy
from accounts.stepup.models import Challenge
from accounts.stepup.policy import Offer


@dataclass(frozen=True)
class Ask:
    """How a device may be asked for first: a phone may be texted or called, anything else in one way."""

    key: str
    words: str
    mark: str  # where it is the first already


@dataclass(frozen=True)
class Row:
    icon: str
    title: str
    detail: str
    asks: list[Ask]
    first: str  # what its mark says, "" where something else is asked for first
    last_used_at: datetime | None = None
    added_at: datetime | None = None
    pays_from: datetime | None = None
    app: Authenticator | None = None


def for_overview(user: User, now: datetime) -> dict[str, Any]:
    """What security/_strength.html and security/_factors.html show."""
    offers = _offers(user)
    used = _last_used(user)
    codes = BackupCodeSet.objects.filter(user=user, confirmed=True)
    made = codes.annotate(unused=Count("codes", filter=Q(codes__used_at=None))).first()
    left = made.unused if made else 0
    own = {each.code: 0 for each in all_factors() if each.is_offered()}
    strong = set()
    for offer in offers:
        own[offer.factor.code] += 1
        checks_nobody = isinstance(offer.device, Passkey) and not offer.device.user_verified
        if offer.factor.strength >= Strength.AUTHENTICATOR and not checks_nobody:
            strong.add(offer.device)
    return {
        "passkeys": [offer.device for offer in offers if isinstance(offer.device, Passkey)],  # for _passkeys.html
        "ways": list(_rows(offers, user.preferred_device, used, now)),
        # Where there is one way only there is nothing to choose.
        "may_choose_first": len({offer.key for offer in offers}) > 1,
        "has_app": own["authenticator"] > 0,
        "codes_made": made,
        "codes_left": left,
        "codes_few": left < FEW,
        "codes_used_at": used.get(made.persistent_id) if made else None,
        "standing": standing(strong=len(strong), codes_left=left, passkeys=own.get("passkey")),
    }


def prefer(*, user: User, key: str) -> bool:
    """Ask for this first from now on, wherever it is enough. False where it is not one of the person's ways.

    The strongest is kept as "", so that a stronger one which is added later comes before it.
    """
    offers = _offers(user)
    if key not in {offer.key for offer in offers}:
        return False
    strongest = policy.in_order(offers, "")[0].key
    User.objects.filter(pk=user.pk).update(preferred_device="" if key == strongest else key)
    return True


def _offers(user: User) -> list[Offer]:
    """All that may come first, the strongest first; a device that two factors share is read once."""
    devices: dict[str, list[Device]] = {}
    for factor in all_factors():
        if factor.may_come_first and not factor.shares_device_of:
            devices[factor.code] = list(factor.get_devices(user))
    return [
        Offer(factor, device)
        for factor in all_factors()
        if factor.may_come_first and factor.is_offered()
        for device in devices[factor.rests_as]
    ]


def _last_used(user: User) -> dict[str, datetime]:
    """When each device last proved something, by its persistent id."""
    passed = Challenge.objects.filter(user=user, state=Challenge.State.PASSED).exclude(device_id="")
    return dict(passed.order_by().values_list("device_id").annotate(Max("passed_at")))


def _rows(offers: list[Offer], preferred: str, used: dict[str, datetime], now: datetime) -> Iterator[Row]:
    first = policy.in_order(offers, preferred)[0].key if offers else ""
    of_device: dict[Device, list[Offer]] = {}
    for offer in offers:
        of_device.setdefault(offer.device, []).append(offer)
    passkeys = [device for device in of_device if isinstance(device, Passkey)]
    for device, mine in of_device.items():
        asks = [_ask(offer) for offer in mine if offer.key != first]
        mark = next((_ask(offer).mark for offer in mine if offer.key == first), "")
        last = used.get(device.persistent_id)
        if isinstance(device, Authenticator):
            title = _("Authenticator app: %(name)s") % {"name": device.name} if device.name else _("Authenticator app")
            last, added = device.last_used_at, device.created_at
            yield Row("app", title, "", asks, mark, last_used_at=last, added_at=added, app=device)
        elif isinstance(device, Phone):
            pays_from = device.approves_payments_from if device.approves_payments_from > now else None
            yield Row("phone", _("Phone"), mask(device.destination), asks, mark, last, pays_from=pays_from)
        elif isinstance(device, Mailbox):
            yield Row("mail", _("E-mail"), mask(device.destination), asks, mark, last)
        elif device in passkeys[:1]:  # they have a list of their own
            count = len(passkeys)
            detail = ngettext("%(count)d is set up", "%(count)d are set up", count) % {"count": count}
            yield Row(
                "key",
                _("Passkey"),
                detail,
                asks,
                mark,
                max((used[p.persistent_id] for p in passkeys if p.persistent_id in used), default=None),
            )


def _ask(offer: Offer) -> Ask:
    words = {"text": (_("Text me first"), _("texted first")), "call": (_("Call me first"), _("called first"))}
    return Ask(offer.key, *words.get(offer.factor.code, (_("Ask for this first"), _("asked for first"))))
