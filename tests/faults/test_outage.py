"""A provider of texts goes down under load. The same for ten minutes: `python -m benchmarks outage`.

That one tells how many have their code within ten seconds, which nine of ten have to here: a machine that runs other
tests beside this one is slow in all it does.
"""

import math
from pathlib import Path

import pytest

from benchmarks import _guests, outage

pytestmark = [pytest.mark.fault, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def workers_and_beat(twilio, vonage, broker, tmp_path: Path, transactional_db, settings):
    _guests.lift_budgets(settings)
    with outage.workers(outage.environment(broker, twilio, vonage), tmp_path):
        yield


def test_nobody_waits_long_and_the_one_that_is_down_is_not_hammered(workers_and_beat, twilio, vonage):
    """It hangs, which is the worst it can do: each of its calls takes a worker's thread for five seconds."""
    found = outage.run(twilio, vonage, seconds=12, rate=5, how="hang", quiet=1)
    assert found.asked == len(found.waited) == 60
    assert max(found.waited) < math.inf and found.within >= 0.9, found
    assert 5 <= found.calls <= found.bound, found
    assert found.twice == 0, found
    # Where the first one took the time to say nothing, the code came with another message.
    assert found.states.keys() == {"delivered", "unknown"}, found
    assert found.states["delivered"] == found.asked, found
