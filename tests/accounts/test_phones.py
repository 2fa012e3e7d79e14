import pytest

from accounts.phones import country_of, mask, parse_phone


@pytest.mark.parametrize(
    ("typed", "number"),
    [
        ("+4915112345678", "+4915112345678"),
        ("0151 1234 5678", "+4915112345678"),
        ("0049 (151) 123-456-78", "+4915112345678"),
        ("  +49 151 12345678  ", "+4915112345678"),
        ("+1 415 555 2671", "+14155552671"),
        ("+49 30 901820", "+4930901820"),  # a landline; whether it reads texts, the carrier says
    ],
)
def test_it_reads_a_number_in_any_common_form(typed, number):
    assert parse_phone(typed) == number


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "ada@example.org",
        "12345",  # too short
        "110",  # emergency
        "+49 110",
        "11833",  # directory enquiries
        "+49 151 123",  # of no length that exists
        "+49 151 1234567890123",
        "+999 123456789",  # no such country
        "+49 900 1234567",  # premium rate
        "+1 900 555 1234",
        "+44 871 234 5678",  # shared cost
        "+49 800 1234567",  # toll free
        "+49 700 12345678901234567890123456",  # longer than anybody types
        "+881 6 1234 5678",  # satellite (Iridium)
        "+870 773 123456",  # satellite (Inmarsat)
        "+979 1 2345 6789",  # international premium rate
        "+800 1234 5678",  # international freephone
        "0" * 10_000,
    ],
)
def test_it_refuses_what_is_no_persons_phone(typed):
    assert parse_phone(typed) is None


def test_a_national_form_is_read_in_the_shops_region(settings):
    settings.PHONENUMBER_DEFAULT_REGION = "US"
    assert parse_phone("(415) 555-2671") == "+14155552671"
    assert parse_phone("0151 12345678") is None


@pytest.mark.parametrize(
    ("destination", "shown"),
    [
        ("+4915112345667", "+49 ••• ••67"),
        ("+14155552671", "+1 ••• ••71"),
        ("ada@example.org", "a•••@example.org"),
        ("a@example.org", "a•••@example.org"),
        ("5512", "••• ••12"),
    ],
)
def test_a_mask_shows_enough_to_recognise_ones_own(destination, shown):
    assert mask(destination) == shown


@pytest.mark.parametrize(
    ("number", "country"),
    [("+4915112345678", "DE"), ("+14155552671", "US"), ("+16135550123", "CA"), ("ada@example.org", ""), ("+999", "")],
)
def test_a_number_belongs_to_a_country(number, country):
    assert country_of(number) == country
