from celery import shared_task

from shop.checkout import services


@shared_task
def settle_payments() -> None:
    services.settle_open()
