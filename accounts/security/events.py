"""An account's security events, in the words of its owner."""

from django.utils.translation import gettext as _

from accounts.factors.notices import factor_name, in_a_sentence
from accounts.models import SecurityEvent
from accounts.stepup.models import Purpose

Kind = SecurityEvent.Kind


def describe(event: SecurityEvent) -> str:
    """One sentence that tells what happened.

    Purposes are verbs ("sign in"), so they follow "to"; what this version no longer knows is left out.
    """
    said = {"factor": factor_name(event), "purpose": _purpose(event), "to": event.detail.get("to", "")}
    match Kind(event.kind):
        case Kind.SIGNED_UP:
            return _("You opened your account.")
        case Kind.SIGNED_IN if event.detail.get("factor") == "trusted_browser":
            return _("Signed in with your password, in a browser you trust.")
        case Kind.SIGNED_IN if event.detail.get("without_password"):
            return _("Signed in with a passkey, without a password.")
        case Kind.SIGNED_IN if said["factor"] and event.detail.get("purpose") == Purpose.SIGN_IN_BY_CODE:
            return _("Signed in with a code instead of your password; the last proof: %(factor)s.") % said
        case Kind.SIGNED_IN if said["factor"]:
            return _("Signed in with your password and a second proof: %(factor)s.") % said
        case Kind.PASSWORD_REFUSED:
            return _("A wrong password was typed.")
        case Kind.SIGNED_OUT:
            return _("Signed out.")
        case Kind.CODE_SENT if said["to"] and said["purpose"]:
            return _("A code to %(purpose)s was sent to %(to)s.") % said
        case Kind.CODE_RESENT_BY_SUPPORT if said["to"]:
            return _("Our support sent a code again, to %(to)s.") % said
        case Kind.PROOF_PASSED if said["factor"] and said["purpose"]:
            return _("Proof accepted to %(purpose)s: %(factor)s.") % said
        case Kind.PROOF_FAILED if event.detail.get("factor") == "passkey" and said["purpose"]:
            return _("A passkey was refused to %(purpose)s.") % said
        case Kind.BACKUP_CODES_LOW if event.detail.get("left") == 0:
            return _("The last backup code was used.")
        case Kind.BACKUP_CODES_LOW:
            return _("The last backup code but one was used.")
        case Kind.PROOF_FAILED if said["factor"] and said["purpose"]:
            return _("A wrong code was typed to %(purpose)s: %(factor)s.") % said
        case Kind.SESSIONS_ENDED if event.detail.get("device"):
            return _("You signed out another browser: %(device)s.") % {"device": event.detail["device"]}
        case Kind.SESSIONS_ENDED:
            return _("You signed out everywhere else.")
        case Kind.TRUST_ENDED if event.detail.get("device"):
            return _("A browser is no longer trusted: %(device)s.") % {"device": event.detail["device"]}
        case Kind.TRUST_ENDED:
            return _("No browser is trusted any more.")
        case Kind.RECOVERY_OPENED if said["to"]:
            return _("A recovery of your account was asked for, under the new contact %(to)s.") % said
        case Kind.SUPPORT_LOOKED_UP:
            return _("Our support looked at your account.")
        case Kind.ORDER_APPROVED if event.detail.get("order"):
            return _("You approved the order %(order)s.") % {"order": event.detail["order"]}
        case Kind.ORDER_APPROVED:
            return _("You approved an order.")
        case Kind.PAYMENT_DETAILS_VIEWED:
            return _("Invoices or payment details were looked at.")
        case Kind.APPROVAL_SPARED:
            return _("A payment needed no code, by the rules of the shop.")
        case Kind.POLICY_CHANGED:
            return _("The shop’s rules for approving payments were changed.")
    return in_a_sentence(event)


def _purpose(event: SecurityEvent) -> str:
    try:
        return str(Purpose(event.detail.get("purpose", "")).label)
    except ValueError:
        return ""
