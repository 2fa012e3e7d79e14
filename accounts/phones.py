"""Phone numbers and mailboxes as people type them, and how they are shown to those who may not see them whole."""

import phonenumbers
from django.conf import settings

# Numbers that cost more than a text should, or that no person reads texts on.
_REFUSED_TYPES = {
    phonenumbers.PhoneNumberType.PREMIUM_RATE,
    phonenumbers.PhoneNumberType.SHARED_COST,
    phonenumbers.PhoneNumberType.UAN,
    phonenumbers.PhoneNumberType.VOICEMAIL,
    phonenumbers.PhoneNumberType.PAGER,
    phonenumbers.PhoneNumberType.TOLL_FREE,
}


def parse_phone(text: str) -> str | None:
    """The E.164 form of a typed number, or None where it is not a number that a person's phone can have.

    National forms are read as numbers of settings.PHONENUMBER_DEFAULT_REGION.
    """
    if len(text) > 32:
        return None
    try:
        number = phonenumbers.parse(text, settings.PHONENUMBER_DEFAULT_REGION)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_valid_number(number) or phonenumbers.number_type(number) in _REFUSED_TYPES:
        return None
    if phonenumbers.region_code_for_number(number) == phonenumbers.REGION_CODE_FOR_NON_GEO_ENTITY:
        return None  # satellites (+870, +881), international premium and freephone numbers: of no country
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def country_of(number: str) -> str:
    """The region a number belongs to (ISO 3166-1 alpha-2), "" where it has none."""
    try:
        return phonenumbers.region_code_for_number(phonenumbers.parse(number)) or ""
    except phonenumbers.NumberParseException:
        return ""


def is_reached(number: str) -> bool:
    """Whether the shop texts and calls numbers of this country at all (settings.TEXT_COUNTRIES).

    By the region and not by the dialling code: +44 is also Jersey's and +1 also Jamaica's, at other prices.
    """
    return country_of(number) in settings.TEXT_COUNTRIES


def prefix_of(number: str) -> str:
    """The block a number is in, as `+491512`: its country and its national destination code.

    What is rented to pump texts are blocks of numbers, and these share it. Where a country has no such codes (Denmark,
    Luxembourg), the first two digits stand in.
    """
    try:
        parsed = phonenumbers.parse(number)
    except phonenumbers.NumberParseException:
        return ""
    national = phonenumbers.national_significant_number(parsed)
    return f"+{parsed.country_code}{national[: phonenumbers.length_of_national_destination_code(parsed) or 2]}"


def is_landline(number: str) -> bool:
    """Surely one: where a country's numbers don't tell, it may be a mobile and is taken for one."""
    try:
        parsed = phonenumbers.parse(number)
    except phonenumbers.NumberParseException:
        return False
    return phonenumbers.number_type(parsed) == phonenumbers.PhoneNumberType.FIXED_LINE


def mask(destination: str) -> str:
    """`+49 ••• ••67` or `m•••@example.org`: enough to recognise one's own, too little to learn another's."""
    if "@" in destination:
        name, _, host = destination.partition("@")
        return f"{name[:1]}•••@{host}"
    try:
        prefix = f"+{phonenumbers.parse(destination).country_code} "
    except phonenumbers.NumberParseException:
        prefix = ""
    return f"{prefix}••• ••{destination[-2:]}"
