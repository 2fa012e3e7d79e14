from celery import shared_task
from django.core.management import call_command

from accounts import audit


@shared_task
def seal_events() -> None:
    audit.seal_new()


@shared_task
def clear_sessions() -> None:
    call_command("clearsessions")
