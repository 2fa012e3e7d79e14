from celery import shared_task

from shop.product import stock


@shared_task
def release_lapsed_holds() -> None:
    stock.release_lapsed()
