"""Everything dies all the time, and every message ends in a state that is true. See benchmarks/storm.py."""

import pytest

from accounts.delivery.models import State
from benchmarks import storm
from tests.servers.twilio import Slow

pytestmark = [pytest.mark.fault, pytest.mark.django_db(transaction=True)]


def test_a_worker_killed_every_second_sends_nothing_twice_and_loses_nothing(workers, twilio):
    twilio.behaviour = Slow(0.2)
    report = storm.run(workers, twilio, 150)
    assert not report.twice and not report.untrue and not report.stuck, report
    assert report.asked == report.arrived == 150, report
    assert set(report.states) <= {State.HANDED_OVER, State.UNKNOWN}, report
    # It was a storm: some died over a message, and its sender was asked again.
    assert report.killed >= 5 and report.states[State.UNKNOWN] > 0, report
