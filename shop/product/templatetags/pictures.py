from typing import Any

from django import template

from shop.product.models import picture_url
from shop.product.pictures import sources

register = template.Library()


@register.inclusion_tag("components/picture.html")
def picture(
    path: str, alt: str = "", *, width: int, height: int, sizes: str = "", loading: str = "lazy"
) -> dict[str, Any]:
    """A picture in the width that the browser needs. `loading`: "lazy", "eager", or "first" for the page's main one."""
    return {
        "url": picture_url(path),
        "sources": sources(path),
        "alt": alt,
        "width": width,
        "height": height,
        "sizes": sizes or f"{width}px",
        "loading": loading,
    }
