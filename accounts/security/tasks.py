from celery import shared_task
from django.utils import timezone

from accounts.security import recovery
from accounts.security.models import TrustedBrowser


@shared_task
def clear_trusted_browsers() -> None:
    """What is over is of no use to anybody, and it says where somebody was."""
    TrustedBrowser.objects.filter(expires_at__lt=timezone.now()).delete()


@shared_task
def advance_recoveries() -> None:
    recovery.advance()
