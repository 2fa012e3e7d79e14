"""A new password for somebody who is signed in. The old one is not asked for: a proof is worth more."""

from datetime import datetime

from django.contrib.auth.hashers import make_password
from django.db import transaction
from django.utils import timezone

from accounts import audit
from accounts.factors.notices import tell_owner
from accounts.models import User
from accounts.sign_in import passwords
from accounts.stepup import attempts, grants
from accounts.stepup.digest import own_digest
from accounts.stepup.models import Purpose


def change_password(*, user: User, password: str, browser: str, ip: str | None, now: datetime | None = None) -> User:
    """Set it and use the proof up. All other sessions, challenges and grants end with the old one.

    Raises grants.NoGrant.
    """
    now = now or timezone.now()
    hashed = make_password(password)  # slow on purpose, so before the transaction
    with transaction.atomic():
        user = User.objects.select_for_update(no_key=True).get(pk=user.pk)
        grant = grants.use(
            browser=browser,
            purpose=Purpose.CHANGE_PASSWORD,
            digest=own_digest(Purpose.CHANGE_PASSWORD, user.pk),
            user=user,
            now=now,
        )
        user.password = hashed
        user.save(update_fields=["password"])
        attempts.forgive(f"user:{user.pk}")
        passwords.forgive(user)
        event = audit.record(audit.Kind.PASSWORD_CHANGED, user=user, ip=ip, factor=grant.factor)
        tell_owner(user, event, everywhere=True)
    return user
