"""Texts in the alphabet that every phone and carrier knows, and how many septets of a segment they take.

Source: 3GPP TS 23.038, section 6.2.1 (the default alphabet and its extension table).
"""

import unicodedata

SEGMENT = 160  # septets in a text of one segment

BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
EXTENDED = frozenset("^{}\\[~]|€")  # an escape and a character: two septets

_SAID_OTHERWISE = str.maketrans(
    {
        "\u2018": "'",
        "\u2019": "'",
        "\u201c": '"',
        "\u201d": '"',
        "\u2013": "-",
        "\u2014": "-",
        "\u2026": "...",
        "`": "'",
    }
)


def plain(text: str) -> str:
    """The text in GSM-7: look-alikes for what it lacks, letters without their accents, and the rest left out.

    >>> plain("Žluťoučký kůň: €\u00a05 …")
    'Zlutoucky kun: € 5 ...'
    """
    return "".join(map(_plain_character, text.translate(_SAID_OTHERWISE)))


def _plain_character(character: str) -> str:
    if character in BASIC or character in EXTENDED:
        return character
    if character.isspace():
        return " "
    return "".join(c for c in unicodedata.normalize("NFKD", character) if c in BASIC)


def is_plain(text: str) -> bool:
    return all(character in BASIC or character in EXTENDED for character in text)


def septets(text: str) -> int:
    """How long a GSM-7 text is on the wire."""
    return sum(2 if character in EXTENDED else 1 for character in text)


def cut(text: str, room: int) -> str:
    """The beginning of a text, in at most `room` septets.

    >>> cut("Countersign", 20), cut("Countersign", 8), cut("Countersign", 0)
    ('Countersign', 'Count...', '')
    """
    if septets(text) <= room:
        return text
    while text and septets(text) + 3 > room:
        text = text[:-1]
    return f"{text.rstrip()}..." if text else ""
