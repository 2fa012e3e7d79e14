"""The last backup codes: they work, and their owner is told to make new ones."""

import re

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.delivery.models import DemoMessage, Message
from accounts.factors.backup_code import BackupCode, codes_left, make_backup_codes
from accounts.models import SecurityEvent
from accounts.security.events import describe
from accounts.stepup.models import Grant
from tests.accounts.sign_in.steps import choose, is_signed_in, sign_in, type_code, type_password

Kind = SecurityEvent.Kind


@pytest.fixture
def left_over(ben):
    """`left_over(1)`: Ben has used all but that many; the unused ones."""

    def left_over(count):
        codes = make_backup_codes(ben)
        # One code after the other, as their rows were made in this order.
        unused = BackupCode.objects.order_by("pk").values_list("pk", flat=True)[10 - count :]
        BackupCode.objects.exclude(pk__in=list(unused)).update(used_at=timezone.now())
        return codes[10 - count :]

    return left_over


def use(client, code):
    type_password(client, "ben@example.org")
    choose(client, "backup_code")
    return client.get(type_code(client, code).url, follow=True)


def test_the_last_one_signs_in(client, ben, left_over):
    [code] = left_over(1)
    use(client, code)
    assert is_signed_in(client, ben)
    assert codes_left(ben) == 0
    assert Grant.objects.get().used_at


def test_the_last_one_allows_a_change(client, ben, left_over):
    [code] = left_over(1)
    client.force_login(ben)
    client.get(reverse("security:backup_codes"))
    choose(client, "backup_code")
    answer = type_code(client, code)
    assert answer.url == reverse("security:backup_codes")
    assert client.get(answer.url).status_code == 200
    assert client.post(answer.url).status_code == 200
    assert codes_left(ben) == 10


def test_the_last_one_counts_once_however_often_it_is_posted(client, ben, left_over):
    [code] = left_over(1)
    type_password(client, "ben@example.org")
    choose(client, "backup_code")
    first, again = type_code(client, code), type_code(client, code)
    assert first.status_code == again.status_code == 302
    assert first.url == again.url
    other = Client()
    type_password(other, "ben@example.org")
    assert choose(other, "backup_code").status_code == 410  # none is left, so it is no way any more
    assert Grant.objects.count() == 1


@pytest.mark.parametrize(
    ("left", "said"),
    [
        (1, "Your last backup code was used. Make new ones"),
        (2, "A backup code was used, and you have one left."),
        (3, ""),
        (10, ""),
    ],
)
def test_the_next_page_and_a_notice_warn_of_the_last_two(client, ben, left_over, deliver, left, said):
    page = use(client, left_over(left)[0]).content.decode()
    assert is_signed_in(client)
    events = SecurityEvent.objects.filter(kind=Kind.BACKUP_CODES_LOW)
    deliver()
    told = DemoMessage.objects.filter(message__kind=Message.Kind.NOTICE)
    if not said:
        assert not re.search("notice--warning", page) and not events and not told
        return
    assert said in page
    assert f'href="{reverse("security:backup_codes")}"' in page
    assert events.get().detail == {"factor": "backup_code", "left": left - 1}
    assert said in told.get().text
    assert describe(events.get()) in ("The last backup code was used.", "The last backup code but one was used.")
    # Told once: the next page says nothing.
    assert said not in client.get("/").content.decode()


def test_a_wrong_code_warns_of_nothing(client, ben, left_over):
    left_over(1)
    type_password(client, "ben@example.org")
    choose(client, "backup_code")
    assert type_code(client, "00000-00000").status_code == 422
    assert not SecurityEvent.objects.filter(kind=Kind.BACKUP_CODES_LOW).exists()


def test_another_way_warns_of_nothing(client, ben, left_over):
    left_over(1)
    sign_in(client, ben)
    assert not SecurityEvent.objects.filter(kind=Kind.BACKUP_CODES_LOW).exists()
    assert "last backup code" not in client.get("/").content.decode()


def test_the_sheet_says_whose_codes_they_are_and_can_be_printed_copied_and_saved(client, ben):
    sign_in(client, ben)
    page = client.post(reverse("security:backup_codes")).content.decode()
    sheet = page[page.index('id="sheet"') : page.index("</div>", page.index('id="sheet"'))]
    assert "Backup codes of ben@example.org for Countersign" in sheet
    assert len(re.findall(r"<code>[0-9A-Z]{5}-[0-9A-Z]{5}</code>", sheet)) == 10
    for what in ("data-print", 'data-copy="codes"', 'data-save="sheet"', "Print them, or write them down"):
        assert what in page
