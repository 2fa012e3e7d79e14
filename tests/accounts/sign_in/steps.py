"""What a person does in a browser, as one call each."""

import hashlib
from datetime import datetime
from typing import Any

from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django_otp.oath import TOTP

from accounts.factors.authenticator import STEP, Authenticator
from accounts.models import User
from accounts.stepup.models import Challenge
from tests.codes import code_of
from tests.people import PASSWORD


def browser_of(client: Client) -> str:
    return hashlib.sha256(client.session["browser"].encode()).hexdigest()


def challenge_of(client: Client) -> Challenge:
    """The newest challenge of this browser."""
    return Challenge.objects.filter(browser=browser_of(client)).latest("requested_at")


def app_code(user: User, moment: datetime | None = None, steps: int = 0) -> str:
    """What the person's authenticator app shows."""
    device = Authenticator.objects.filter(user=user).latest("pk")
    return code_shown(device, moment, steps)


def code_shown(device: Authenticator, moment: datetime | None = None, steps: int = 0) -> str:
    totp = TOTP(bytes(device.seed), step=STEP)
    totp.time = (moment or timezone.now()).timestamp() + steps * STEP
    return f"{totp.token():06d}"


def type_password(client: Client, name: str, password: str = PASSWORD, wanted: str = "") -> Any:
    url = reverse("sign_in:sign_in") + (f"?next={wanted}" if wanted else "")
    return client.post(url, {"name": name, "password": password})


def type_code(client: Client, code: str | None = None) -> Any:
    """Type the code into the newest challenge's page; the right one if none is given."""
    challenge = challenge_of(client)
    return client.post(reverse("stepup:challenge", args=[challenge.pk]), {"code": code or code_of(challenge)})


def choose(client: Client, factor: str) -> Any:
    return client.post(reverse("stepup:resend", args=[challenge_of(client).pk]), {"factor": factor})


def sign_in(client: Client, user: User, code: str | None = None, wanted: str = "") -> Any:
    """All three pages; what the last one answers."""
    type_password(client, user.email or str(user.phone), wanted=wanted)
    return client.get(type_code(client, code).url)


def is_signed_in(client: Client, user: User | None = None) -> bool:
    found = client.session.get("_auth_user_id")
    return found is not None and (user is None or found == str(user.pk))
