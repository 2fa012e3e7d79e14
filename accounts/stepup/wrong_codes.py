"""Three wrong codes: the owner is told, once an hour at most."""

from datetime import datetime

from django.db import transaction

from accounts import audit
from accounts.factors.notices import tell_owner
from accounts.models import User
from accounts.stepup import attempts


def tell_of_wrong_codes(user: User, *, ip: str | None, now: datetime) -> None:
    """Called for each wrong code of a person, over all challenges and browsers.

    Of twenty at once one tells. On every channel, since nobody knows which of them the stranger can read.
    """
    with transaction.atomic():  # the hour's one notice is spent with the notice, or not at all
        if attempts.owner_should_know(f"user:{user.pk}", now):
            tell_owner(user, audit.record(audit.Kind.WRONG_CODES, user=user, ip=ip), everywhere=True)
