"""Who may open which page of the shop, and with what proof: every URL, in one table.

`manage.py check` refuses an address that has no row here, and a row that its view does not keep. How strong a proof
for a purpose has to be, and for whom, stands in accounts/stepup/policy.py.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register
from django.urls import URLPattern, URLResolver, get_resolver

from accounts.stepup.models import Purpose
from accounts.stepup.policy import POLICY, Person


class Who(StrEnum):
    ANYBODY = "anybody"
    BROWSER = "anybody, who sees only what belongs to this browser or person"
    MACHINE = "whoever shows the operator's token"
    SIGNED = "whoever signed the request with the provider's key"
    PERSON = "whoever is signed in, and only what is theirs"
    STAFF = "staff who proved it with an authenticator or a passkey"


@dataclass(frozen=True)
class Access:
    who: Who
    purpose: Purpose | None = None
    # It is asked for by @step_up around the view, or by the view itself, which begins a challenge or uses a grant up.
    by_view: bool = False

    def with_proof(self, purpose: Purpose) -> "Access":
        """By @step_up(purpose), which is checked."""
        return replace(self, purpose=purpose)

    def asks_for(self, purpose: Purpose) -> "Access":
        """By the view itself."""
        return replace(self, purpose=purpose, by_view=True)


ANYBODY, BROWSER, MACHINE, SIGNED, PERSON, STAFF = (Access(who) for who in Who)

# By the names of the URLs; "admin:*" stands for the whole of Django's admin, which opens each page in one way.
ACCESS: dict[str, Access] = {
    # The shop window and the cart
    "product:home": ANYBODY,
    "product:list": ANYBODY,
    "product:detail": ANYBODY,
    "product:choose": ANYBODY,
    "product:picture": ANYBODY,
    "cart:detail": BROWSER,
    "cart:add": BROWSER,
    "cart:update": BROWSER,
    "cart:remove": BROWSER,
    # Buying
    "checkout:start": BROWSER,
    "checkout:address": BROWSER,
    "checkout:delivery": BROWSER,
    "checkout:review": BROWSER,
    "checkout:approve": BROWSER.asks_for(Purpose.PAY),
    "checkout:pay": BROWSER.asks_for(Purpose.PAY),
    "order:list": PERSON,
    "order:detail": BROWSER,
    "order:payment": BROWSER.asks_for(Purpose.VIEW_PAYMENT_DETAILS),
    "order:statement": BROWSER.asks_for(Purpose.VIEW_PAYMENT_DETAILS),
    # Proofs: a challenge is there for the browser that began it
    "stepup:challenge": BROWSER,
    "stepup:resend": BROWSER,
    "stepup:again": BROWSER,
    "stepup:delivery_state": BROWSER,
    # Signing in
    "sign_in:sign_in": ANYBODY,
    "sign_in:done": BROWSER.asks_for(Purpose.SIGN_IN),
    "sign_in:passkey_options": ANYBODY,
    "sign_in:by_passkey": ANYBODY,
    "sign_in:by_code": ANYBODY,
    "sign_in:code_done": BROWSER.asks_for(Purpose.SIGN_IN_BY_CODE),
    "sign_in:forgot_name": ANYBODY,
    "sign_in:sign_out": ANYBODY,
    "sign_in:staff": BROWSER.asks_for(Purpose.STAFF_SIGN_IN),
    "sign_in:sign_up": ANYBODY,
    "sign_in:sign_up_done": BROWSER.asks_for(Purpose.SIGN_UP),
    "sign_in:reset": ANYBODY,
    "sign_in:reset_password": BROWSER.asks_for(Purpose.RESET_PASSWORD),
    # Getting an account back
    "sign_in:recovery": ANYBODY,
    "sign_in:recovery_opened": BROWSER.asks_for(Purpose.RECOVER),
    "sign_in:cancel_recovery": ANYBODY,  # whoever has the link of the notice; it cancels and does nothing else
    "sign_in:recovery_finish": ANYBODY,
    "sign_in:recovery_password": BROWSER.asks_for(Purpose.RECOVER),
    # The account
    "security:cancel_recovery": PERSON,  # a veto asks for no proof: it only keeps things as they are
    "security:overview": PERSON,
    "security:authenticator": PERSON.asks_for(Purpose.MANAGE_FACTORS),
    "security:remove_authenticator": PERSON.with_proof(Purpose.MANAGE_FACTORS),
    "security:add_passkey": PERSON.asks_for(Purpose.MANAGE_FACTORS),
    "security:remove_passkey": PERSON.with_proof(Purpose.MANAGE_FACTORS),
    "security:rename_authenticator": PERSON.with_proof(Purpose.MANAGE_FACTORS),
    "security:prefer": PERSON,  # the order only: what is enough for what stays the policy's
    "security:backup_codes": PERSON.with_proof(Purpose.MANAGE_FACTORS),
    "messages:list": PERSON,
    "messages:how_to_tell": ANYBODY,
    # To end what one has takes no proof
    "security:end_session": PERSON,
    "security:end_other_sessions": PERSON,
    "security:end_trust": PERSON,
    "security:end_all_trust": PERSON,
    "security:lock": PERSON,
    "sign_in:change_password": PERSON.with_proof(Purpose.CHANGE_PASSWORD),
    "addresses:list": PERSON,
    "addresses:add": PERSON.with_proof(Purpose.CHANGE_ADDRESSES),
    "addresses:change": PERSON.with_proof(Purpose.CHANGE_ADDRESSES),
    "addresses:remove": PERSON.with_proof(Purpose.CHANGE_ADDRESSES),
    "security:export_data": PERSON.with_proof(Purpose.EXPORT_DATA),
    "security:close_account": PERSON.asks_for(Purpose.CLOSE_ACCOUNT),  # staff are turned away first
    "security:change_email": PERSON.asks_for(Purpose.CHANGE_EMAIL),
    "security:prove_email": PERSON.asks_for(Purpose.NEW_CONTACT),
    "security:confirm_email": PERSON.asks_for(Purpose.CHANGE_EMAIL),
    "security:undo_email": ANYBODY,  # who has the signed link of the mail to the old address
    "security:change_phone": PERSON.asks_for(Purpose.CHANGE_PHONE),
    "security:prove_phone": PERSON.asks_for(Purpose.NEW_CONTACT),
    "security:confirm_phone": PERSON.asks_for(Purpose.CHANGE_PHONE),
    # Staff
    "support:home": STAFF,
    "support:person": STAFF,
    "support:guest": STAFF,
    "support:resend": STAFF,
    "support:recoveries": STAFF,
    "support:recovery": STAFF,
    "support:confirm_recovery": STAFF.asks_for(Purpose.CONFIRM_RECOVERY),
    "support:refuse_recovery": STAFF,
    "admin:*": STAFF,
    "admin:stepup_approvalrules_changelist": STAFF.asks_for(Purpose.CHANGE_POLICY),
    "admin:stepup_approvalrules_change": STAFF.asks_for(Purpose.CHANGE_POLICY),
    "admin:login": ANYBODY,  # leads to sign_in:staff
    "operations:numbers": STAFF,
    "operations:numbers_csv": STAFF,
    # Machines of the operator
    "operations:live": ANYBODY,
    "operations:ready": ANYBODY,
    "operations:metrics": MACHINE,
    # Providers
    "delivery:twilio_status": SIGNED,
    "delivery:email_events": SIGNED,
    "delivery:twilio_incoming": SIGNED,
    "delivery:twilio_voice": SIGNED,
    "delivery:vonage_status": SIGNED,
    # The demo, which is not there without DEMO=1
    "demo:inbox": ANYBODY,
    "demo:messages": ANYBODY,
    "demo:codes": ANYBODY,
    "demo:html": ANYBODY,
}


def views(resolver: URLResolver | None = None, namespace: str = "") -> Iterator[tuple[str, str, Any]]:
    """The name, the route and the view of every URL; an unnamed one goes by its route."""
    for pattern in (resolver or get_resolver()).url_patterns:
        if isinstance(pattern, URLResolver):
            # By the app's name: the admin site's own is another one.
            yield from views(pattern, f"{namespace}{pattern.app_name}:" if pattern.app_name else namespace)
        elif isinstance(pattern, URLPattern):
            yield f"{namespace}{pattern.name or pattern.pattern}", str(pattern.pattern), pattern.callback


def row_of(name: str) -> str:
    """The key of its row in the table, which may not be there."""
    whole = f"{name.partition(':')[0]}:*"
    return whole if name not in ACCESS and whole in ACCESS else name


@register(Tags.security)
def every_view_states_its_access(app_configs: Any = None, **kwargs: Any) -> Sequence[CheckMessage]:
    found: list[CheckMessage] = []
    stated = set()
    for name, route, view in views():
        row = row_of(name)
        stated.add(row)
        access = ACCESS.get(row)
        if access is None:
            found.append(
                Error(
                    f"It is not stated who may open {name} (“{route}”).",
                    hint=f'Add a line to ACCESS in shop/access.py, such as  "{name}": {_as_it_is(view)},',
                    id="shop.E010",
                )
            )
            continue
        found += [
            Error(f"{name} is not kept as shop/access.py states it: {wrong}.", hint=hint, id="shop.E011")
            for wrong, hint in _wrong(access, view)
        ]
    for row in ACCESS.keys() - stated:
        if settings.DEMO or not row.startswith("demo:"):
            found.append(
                Error(f"ACCESS in shop/access.py has a row for {row}, but there is no such URL.", id="shop.E012")
            )
    return found


def _wrong(access: Access, view: Any) -> Iterator[tuple[str, str]]:
    """What the view does otherwise, and how to mend it."""
    asked = getattr(view, "stepup_purpose", None)
    stated = None if access.by_view else access.purpose
    if asked != stated:
        yield (
            f"it asks for a proof to “{asked}”, and the table says “{stated}”",
            "Let @step_up around the view and the row name the same purpose.",
        )
    if access.who in (Who.ANYBODY, Who.BROWSER, Who.MACHINE, Who.SIGNED) and _needs_sign_in(view):
        yield "it needs a sign-in", "Decorate the view with @login_not_required, or state PERSON."
    if access.who in (Who.PERSON, Who.STAFF) and not _needs_sign_in(view):
        yield "it needs no sign-in", "Take @login_not_required off the view, or state ANYBODY or BROWSER."
    if access.who == Who.STAFF and not _is_for_staff(view):
        yield "others than staff get in", "Decorate the view with @staff_only, or state PERSON."
    if access.who == Who.PERSON and access.purpose:
        for person in (Person.SHOPPER, Person.STAFF):
            if (access.purpose, person) not in POLICY:
                yield f"no rule says what is enough for {person}", "Add a line to POLICY in accounts/stepup/policy.py."


def _needs_sign_in(view: Any) -> bool:
    return getattr(view, "login_required", True)  # what LoginRequiredMiddleware looks at


def _is_for_staff(view: Any) -> bool:
    """By @staff_only, or of the admin site, whose every page looks at `has_permission`."""
    return any(hasattr(view, mark) for mark in ("staff_only", "admin_site", "model_admin"))


def _as_it_is(view: Any) -> str:
    """A first idea of its row; whoever adds it decides."""
    if not _needs_sign_in(view):
        return "ANYBODY"
    if _is_for_staff(view):
        return "STAFF"
    purpose = getattr(view, "stepup_purpose", None)
    return f"PERSON.with_proof(Purpose.{Purpose(purpose).name})" if purpose else "PERSON"
