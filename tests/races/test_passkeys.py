from collections import Counter as Tally

import pytest
from django.utils import timezone

from accounts.factors.passkey import Passkey
from accounts.sign_in import passkeys as without_password
from accounts.stepup import challenges
from accounts.stepup import passkeys as signatures
from accounts.stepup.models import Assertion, Challenge, Grant
from tests.conftest import in_threads
from tests.passkeys import passkey_of

from .conftest import DIGEST, meeting

pytestmark = [pytest.mark.race, pytest.mark.django_db(transaction=True)]


def outcomes(results):
    return Tally(type(result).__name__ for result in results)


@pytest.mark.parametrize("counts", [True, False])
def test_twenty_equal_answers_make_one_grant(ada, asker, order, counts):
    key = passkey_of(ada, counts=counts)
    challenge = challenges.begin(asker=asker(ada), **order)
    Challenge.objects.update(attempts_left=20)  # so that it is the winner's UPDATE that decides
    said = key.sign(signatures.options_for(challenge))

    def answer(_number):
        return challenges.answer(challenge.pk, asker=asker(ada), purpose=order["purpose"], digest=DIGEST, code=said)

    results = in_threads(20, answer)
    assert Grant.objects.count() == Assertion.objects.count() == outcomes(results)["Grant"] == 1
    assert set(outcomes(results)) <= {"Grant", "ChallengeOver", "FactorResting"}


@pytest.mark.parametrize("counts", [True, False])
def test_twenty_equal_answers_sign_in_once(ada, browser_id, counts):
    key = passkey_of(ada, counts=counts)
    begun, asked = without_password.begin(None, ip=None)
    said = key.sign(asked["options"])
    results = in_threads(20, lambda n: without_password.sign_in(begun=begun, answer=said, browser=browser_id, ip=None))
    assert Grant.objects.count() == 1
    assert outcomes(results) == {"tuple": 1, "PasskeyRefused": 19}


def test_of_twenty_signatures_with_one_count_one_is_accepted(ada, asker, order):
    """Two copies of one device: what one signs, the other can't sign as well."""
    key = passkey_of(ada)
    asked = []
    for number in range(8):
        who = asker(ada, browser=f"{number:064d}")
        challenge = challenges.begin(asker=who, **order)
        key.count = 6
        asked.append((challenge, who, key.sign(signatures.options_for(challenge))))

    def answer(number):
        challenge, who, said = asked[number]
        return challenges.answer(challenge.pk, asker=who, purpose=order["purpose"], digest=DIGEST, code=said)

    results = in_threads(8, answer)
    assert outcomes(results) == {"Grant": 1, "WrongCode": 7}
    assert Passkey.objects.get().sign_count == 7


def test_control_looking_at_the_count_before_writing_it_accepts_it_often(ada):
    passkey_of(ada)
    together = meeting(5)

    def naive(_number):
        mine = Passkey.objects.get()
        forward = mine.sign_count < 7
        together()
        if forward:
            mine.sign_count, mine.last_used_at = 7, timezone.now()
            mine.save()
        return forward

    assert sum(in_threads(5, naive)) > 1
