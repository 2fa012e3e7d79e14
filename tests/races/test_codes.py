import threading
from collections import Counter as Tally

import pytest
from django.utils import timezone

from accounts.factors.authenticator import Authenticator
from accounts.factors.backup_code import BackupCode, BackupCodeSet, make_backup_codes
from accounts.stepup import attempts, challenges, codes
from accounts.stepup.challenges import ChallengeOver, WrongCode
from accounts.stepup.models import Challenge, Grant
from tests.accounts.sign_in.steps import code_shown
from tests.codes import code_of, totp_of, wrong_code_of
from tests.conftest import in_threads

from .conftest import DIGEST, meeting

pytestmark = [pytest.mark.race, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def answer(order):
    def answer(challenge, who, code):
        return challenges.answer(challenge.pk, asker=who, purpose=order["purpose"], digest=DIGEST, code=code)

    return answer


def outcomes(results):
    return Tally(type(result).__name__ for result in results)


@pytest.fixture
def twenty_browsers(ada, asker, order):
    """Ada is asked for a code in twenty browsers."""

    def ask(factor):
        who = [asker(ada, browser=f"{number:064d}") for number in range(20)]
        return [(each, challenges.begin(asker=each, factor=factor, **order)) for each in who]

    return ask


class TestOneAppsCode:
    def test_twenty_browsers_pass_once(self, ada, twenty_browsers, answer):
        asked = twenty_browsers("authenticator")
        code = totp_of(ada, timezone.now())
        results = in_threads(20, lambda n: answer(asked[n][1], asked[n][0], code))
        assert Grant.objects.count() == outcomes(results)["Grant"] == 1
        # Ten an hour are compared, the others rest: nothing else happened.
        assert set(outcomes(results)) <= {"Grant", "WrongCode", "FactorResting"}

    @pytest.mark.parametrize("which", [0, 1])
    def test_with_two_apps_twenty_browsers_pass_once(self, ada, twenty_browsers, answer, which):
        seed = Authenticator.objects.get(user=ada).seed
        Authenticator.objects.create(user=ada, name="second", **({"seed": seed} if which else {}))
        code = code_shown(Authenticator.objects.filter(user=ada).order_by("pk")[which])
        asked = twenty_browsers("authenticator")
        results = in_threads(20, lambda n: answer(asked[n][1], asked[n][0], code))
        assert Grant.objects.count() == outcomes(results)["Grant"] == 1
        assert set(outcomes(results)) <= {"Grant", "WrongCode", "FactorResting"}

    def test_control_remembering_the_step_after_looking_accepts_it_often(self, ada, db):
        device, code, together = Authenticator.objects.get(user=ada), totp_of(ada, timezone.now()), meeting(5)
        step = int(timezone.now().timestamp()) // 30

        def naive(_number):
            mine = Authenticator.objects.get(pk=device.pk)
            right = code == totp_of(ada, timezone.now()) and mine.last_step < step
            together()
            if right:
                mine.last_step = step
                mine.save()
            return right

        assert sum(in_threads(5, naive)) > 1


class TestOneTextedCode:
    def test_twenty_posts_pass_once(self, ada, asker, order, answer):
        challenge = challenges.begin(asker=asker(ada), factor="text", **order)
        Challenge.objects.update(attempts_left=20)  # so that it is the winner's UPDATE that decides
        results = in_threads(20, lambda n: answer(challenge, asker(ada), code_of(challenge)))
        assert Grant.objects.count() == 1
        assert outcomes(results)["Grant"] == 1 and set(outcomes(results)) <= {"Grant", "ChallengeOver", "FactorResting"}

    def test_a_double_tap_costs_nothing(self, ada, asker, order, answer):
        challenge = challenges.begin(asker=asker(ada), factor="text", **order)
        results = in_threads(4, lambda n: answer(challenge, asker(ada), code_of(challenge)))
        assert outcomes(results) == {"Grant": 1, "ChallengeOver": 3}
        now = timezone.now()
        for number in range(1, 11):  # all ten of the hour are left
            attempts.pay(challenge.subject, "text", now)
            assert attempts.failed(challenge.subject, "text", now) is (number == 10)

    def test_control_looking_whether_it_has_passed_passes_often(self, ada, asker, order):
        challenge, together = challenges.begin(asker=asker(ada), factor="text", **order), meeting(5)

        def naive(_number):
            mine = Challenge.objects.get(pk=challenge.pk)
            won = mine.state == Challenge.State.LIVE
            together()
            if won:
                mine.state = Challenge.State.PASSED
                mine.save()
            return won

        assert sum(in_threads(5, naive)) > 1


class TestWrongCodes:
    @pytest.fixture
    def compared(self, monkeypatch):
        """How many codes were compared."""
        seen, lock, same = [], threading.Lock(), codes.same

        def counting(typed, code):
            with lock:
                seen.append(typed)
            return same(typed, code)

        monkeypatch.setattr(codes, "same", counting)
        return seen

    def test_of_fifty_at_once_five_are_compared(self, ada, asker, order, answer, compared):
        challenge = challenges.begin(asker=asker(ada), factor="text", **order)
        results = in_threads(50, lambda n: answer(challenge, asker(ada), wrong_code_of(challenge, n + 1)))
        assert len(compared) == outcomes(results)["WrongCode"] == 5
        assert outcomes(results)["ChallengeOver"] == 45
        challenge.refresh_from_db()
        assert (challenge.attempts_left, challenge.state) == (0, Challenge.State.USED_UP)

    def test_of_fifty_over_ten_browsers_ten_are_compared(self, ada, asker, order, answer, compared):
        who = [asker(ada, browser=f"{number:064d}") for number in range(10)]
        asked = [challenges.begin(asker=each, factor="text", **order) for each in who]
        results = in_threads(50, lambda n: answer(asked[n % 10], who[n % 10], wrong_code_of(asked[n % 10], n + 1)))
        # The last of the ten brings the rest about; a post that paid before that may have the one slow try.
        assert 10 <= len(compared) <= 11
        assert outcomes(results)["WrongCode"] == len(compared)
        assert all(isinstance(result, WrongCode | attempts.FactorResting | ChallengeOver) for result in results)

    def test_control_paying_after_looking_compares_more(self, ada, asker, order, compared):
        challenge, together = challenges.begin(asker=asker(ada), factor="text", **order), meeting(10)

        def naive(number):
            mine = Challenge.objects.get(pk=challenge.pk)
            together()
            if mine.attempts_left > 0:
                mine.attempts_left -= 1
                mine.save()
                codes.same(wrong_code_of(challenge, number + 1), code_of(challenge))

        in_threads(10, naive)
        assert len(compared) > 5


class TestOneBackupCode:
    def test_twenty_browsers_pass_once(self, ada, twenty_browsers, answer):
        code = make_backup_codes(ada)[0]
        asked = twenty_browsers("backup_code")
        results = in_threads(20, lambda n: answer(asked[n][1], asked[n][0], code))
        assert Grant.objects.count() == outcomes(results)["Grant"] == 1
        assert BackupCodeSet.objects.get(user=ada).left() == 9

    def test_control_crossing_out_after_looking_accepts_it_often(self, ada, db):
        make_backup_codes(ada)
        one, together = BackupCode.objects.first(), meeting(5)

        def naive(_number):
            mine = BackupCode.objects.get(pk=one.pk)
            unused = mine.used_at is None
            together()
            if unused:
                mine.used_at = timezone.now()
                mine.save()
            return unused

        assert sum(in_threads(5, naive)) > 1

    def test_making_them_five_times_at_once_leaves_one_set(self, ada):
        results = in_threads(5, lambda n: make_backup_codes(ada))
        assert all(isinstance(result, list) for result in results), results
        assert BackupCodeSet.objects.get(user=ada).left() == 10 == BackupCode.objects.count()
