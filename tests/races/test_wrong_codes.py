import pytest
from django.utils import timezone

from accounts import audit
from accounts.delivery.models import Message
from accounts.factors.notices import tell_owner
from accounts.models import Counter, SecurityEvent
from accounts.stepup.wrong_codes import tell_of_wrong_codes
from tests.conftest import in_threads

from .conftest import meeting

pytestmark = [pytest.mark.race, pytest.mark.django_db(transaction=True)]


def warnings():
    return SecurityEvent.objects.filter(kind=SecurityEvent.Kind.WRONG_CODES)


def test_of_twenty_wrong_codes_at_once_one_tells_the_owner(ada):
    results = in_threads(20, lambda _: tell_of_wrong_codes(ada, ip=None, now=timezone.now()))
    assert results == [None] * 20
    assert warnings().count() == 1
    assert Message.objects.filter(kind=Message.Kind.NOTICE).count() == 2  # her mailbox and her phone


def test_control_looking_before_telling_tells_often(ada):
    together = meeting(5)

    def naive(_number):
        told = warnings().exists()
        together()
        if not told:
            tell_owner(ada, audit.record(audit.Kind.WRONG_CODES, user=ada))

    in_threads(5, naive)
    assert warnings().count() > 1
    assert not Counter.objects.exists()
