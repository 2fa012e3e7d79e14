from accounts.delivery.models import DemoMessage, State
from tests.codes import code_of

from .conftest import challenge_of, fresh


def test_the_demo_inbox_gets_texts_and_mail_at_once(ada, ben, queued, deliver):
    for message in (queued(ada), queued(ben, "email")):
        deliver()
        assert fresh(message).state == State.DELIVERED and fresh(message).handed_over_at
        assert code_of(challenge_of(message)) in DemoMessage.objects.get(message=message).text
