"""A task carries the id of a message and nothing else."""

from uuid import UUID

from celery import shared_task
from django.utils import timezone

from accounts.delivery import budgets, failover, numbers, pumping, services, spending


@shared_task
def hand_over(message_id: str) -> None:
    services.hand_over(UUID(message_id))


@shared_task
def sweep() -> None:
    services.sweep()


@shared_task
def fail_over() -> None:
    failover.sweep()


@shared_task
def review_budgets() -> None:
    now = timezone.now()
    pumping.review(now)
    budgets.review(now)
    spending.review(now)


@shared_task
def beat(queue: str) -> None:
    numbers.beat(queue)
