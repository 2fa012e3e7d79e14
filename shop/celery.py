import os
from typing import Any

from celery import Celery
from kombu.transport import redis as transport
from redis import ConnectionError as BrokerLost

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")


class Channel(transport.Channel):
    """Lets a worker outlive its broker.

    When the broker goes away with tasks under way, kombu 5.7 gives them back and acknowledges them on a channel that is
    closed already, and the AttributeError ends the worker. As the loss that it is, Celery expects it and connects anew.
    """

    def _connparams(self, asynchronous: bool = False) -> Any:
        if self.connection is None or self.connection.client is None:
            raise BrokerLost("the channel is closed")
        return super()._connparams(asynchronous)


transport.Transport.Channel = Channel

app = Celery("countersign")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
