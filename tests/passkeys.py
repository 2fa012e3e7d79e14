"""People with passkeys: `passkey_of(ada)` gives her one, and what it answers is posted as passkeys.js would."""

import json
import re
from html import unescape
from typing import Any

from django.test import Client

from accounts.factors import passkey as passkeys
from accounts.factors.passkey import Passkey
from accounts.models import User
from tests.software_authenticator import SoftwareAuthenticator

ASKED = b"what a passkey of the tests is registered with"


def passkey_of(user: User, **how: Any) -> SoftwareAuthenticator:
    """A passkey that this person added some time ago."""
    key = SoftwareAuthenticator(**how)
    answer = key.make(passkeys.registration_options(user, ASKED))
    passkeys.register(user, answer, asked=ASKED, name="my key")
    return key


def row_of(key: SoftwareAuthenticator) -> Passkey:
    return Passkey.get_by_credential_id(key.id)


def options_on(page: Any) -> dict[str, Any]:
    """What the page asks the browser's passkeys for."""
    found = re.search(r' data-passkey="([^"]+)"', page.content.decode())
    assert found, page.content.decode()[:3000]
    return dict(json.loads(unescape(found[1])))


def options_of_sign_in(client: Client) -> dict[str, Any]:
    return dict(json.loads(client.post("/account/sign-in/passkey/options/").json()["options"]))
