from decimal import Decimal

from django import template

from shop.money import format_money

register = template.Library()


@register.filter
def money(amount: Decimal) -> str:
    return format_money(amount)


@register.filter
def plain_money(amount: Decimal) -> str:
    """For texts and plain e-mails: with a common blank, which every alphabet of a phone has."""
    return format_money(amount).replace("\u00a0", " ")
