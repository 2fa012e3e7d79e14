from decimal import Decimal

from django import template

from shop.money import format_money

register = template.Library()


@register.filter
def money(amount: Decimal) -> str:
    return format_money(amount)
