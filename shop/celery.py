import logging
import os
from typing import Any

from celery import Celery
from kombu.transport import redis as transport
from redis import RedisError

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")

logger = logging.getLogger(__name__)


class QoS(transport.QoS):
    """Lets a worker outlive its broker.

    When the broker goes away kombu 5.7 tries to give it back what is under way, fails half-way through closing the
    channel, and the second try ends the worker with an AttributeError. What can't be given back now the broker gives to
    another worker after its visibility timeout, and the sweep is there sooner.
    """

    def restore_unacked_once(self, stderr: Any = None) -> None:
        try:
            super().restore_unacked_once(stderr)
        except (RedisError, OSError, AttributeError) as error:
            logger.warning("The broker is away, so tasks under way were not given back (%s).", type(error).__name__)


transport.Channel.QoS = QoS

app = Celery("countersign")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
