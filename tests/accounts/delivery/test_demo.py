import pytest

from accounts.delivery.models import DemoMessage, State
from tests.codes import code_of

from .conftest import challenge_of, fresh


@pytest.mark.parametrize("factor", ["text", "email"])
def test_the_demo_inbox_gets_it_at_once(ada, queued, deliver, factor):
    message = queued(ada, factor)
    deliver()
    assert fresh(message).state == State.DELIVERED and fresh(message).handed_over_at
    assert code_of(challenge_of(message)) in DemoMessage.objects.get(message=message).text
