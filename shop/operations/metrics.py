"""What Prometheus reads at /metrics, counted in the database at that moment.

So any web process tells the same, and none has to keep or share counters. States change (what waits is delivered in a
moment), so all of it are gauges: of this moment, or of the messages and challenges of the last hour.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.crypto import constant_time_compare
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from accounts.delivery import numbers as delivery
from accounts.delivery.models import Alarm
from accounts.stepup import numbers as stepup
from shop.order.models import Order

HOUR = timedelta(hours=1)


@login_not_required
@require_safe
@never_cache
def metrics(request: HttpRequest) -> HttpResponse:
    if not settings.METRICS_TOKEN and not (settings.DEMO or settings.DEBUG):
        raise Http404
    shown = request.headers.get("Authorization", "")
    if settings.METRICS_TOKEN and not constant_time_compare(shown, f"Bearer {settings.METRICS_TOKEN}"):
        return HttpResponse(status=401, headers={"WWW-Authenticate": "Bearer"})
    registry = CollectorRegistry()
    registry.register(Numbers(timezone.now()))
    encode, content_type = choose_encoder(request.headers.get("Accept", ""))
    return HttpResponse(encode(registry), content_type=content_type)


class Numbers(Collector):
    """No label says who, to which number or about what: channels, countries, purposes, reasons and the like only."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def describe(self) -> Iterable[Metric]:
        return []  # so that to register it counts nothing yet

    def collect(self) -> Iterable[Metric]:
        yield from self._messages()
        yield from self._pulse()
        yield from self._approvals()

    def _messages(self) -> Iterable[Metric]:
        labels = ("channel", "provider", "country", "state", "reason")
        family = _gauge("messages", "Messages asked for in the last hour, by where they are now.", labels)
        for row in delivery.states(self.now - HOUR, self.now):
            family.add_metric([row[label] for label in labels], row["count"])
        yield family
        family = _gauge(
            "code_seconds", "Seconds from the tap, of the codes of the last hour.", ("channel", "until", "quantile")
        )
        for channel, both in delivery.waits_by_channel(self.now - HOUR, self.now).items():
            for step, waits in zip(("handed_over", "delivered"), both, strict=True):
                for quantile, seconds in (("0.5", waits.p50), ("0.95", waits.p95), ("0.99", waits.p99)):
                    if seconds is not None:
                        family.add_metric([channel, step, quantile], seconds)
        yield family
        midnight = timezone.localtime(self.now).replace(hour=0, minute=0, second=0, microsecond=0)
        yield _gauge(
            "spent_today", "What the messages of today cost, in the shop's money.", (), delivery.spent_since(midnight)
        )

    def _pulse(self) -> Iterable[Metric]:
        pulse = delivery.pulse(self.now)
        yield _gauge("broker_up", "1 where the broker answers.", (), int(pulse.queues is not None))
        yield _gauge("queue_length", "Tasks that wait.", ("queue",), pulse.queues or {})
        yield _gauge(
            "oldest_waiting_seconds",
            "How long the oldest message waits that could have left.",
            ("queue",),
            {queue: age.total_seconds() for queue, age in pulse.oldest.items()},
        )
        yield _gauge(
            "heartbeat_age_seconds",
            "Since a worker of this queue did what beat had put into it.",
            ("queue",),
            {
                queue: age.total_seconds() if age is not None else float("inf")
                for queue, age in pulse.heartbeats.items()
            },
        )
        yield _gauge("breaker_open", "1 while a provider is left alone.", ("provider",), pulse.breakers)
        kinds = [alarm.kind for alarm in pulse.alarms]
        yield _gauge("alarms_open", "Open alarms.", ("kind",), {kind: kinds.count(kind) for kind in Alarm.Kind.values})

    def _approvals(self) -> Iterable[Metric]:
        family = _gauge("challenges", "Challenges begun in the last hour, and passed since.", ("purpose", "outcome"))
        for row in stepup.by_purpose(self.now - HOUR, self.now):
            family.add_metric([row["purpose"], "begun"], row["begun"])
            family.add_metric([row["purpose"], "passed"], row["passed"])
        yield family
        yield _gauge(
            "payments_waiting", "Payments whose proof is asked for now.", (), stepup.payments_waiting(self.now)
        )
        pending = Order.objects.filter(state=Order.State.PENDING).count()
        yield _gauge("orders_pending", "Orders that wait for their payment.", (), pending)


def _gauge(name: str, words: str, labels: tuple[str, ...], values: object = None) -> GaugeMetricFamily:
    family = GaugeMetricFamily(f"countersign_{name}", words, labels=labels)
    if isinstance(values, dict):
        for label, value in values.items():
            family.add_metric([label], float(value))
    elif values is not None:
        family.add_metric([], float(values))  # type: ignore[arg-type]
    return family
