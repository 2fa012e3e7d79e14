#!/usr/bin/env python
"""Django's commands, for this shop."""

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")
    try:
        from django.core.management import execute_from_command_line

        from shop.embedded import EmbeddedError
    except ModuleNotFoundError as error:
        sys.exit(f"manage.py: {error.name} is not installed here: use .venv/bin/python, which `make run` makes")
    try:
        execute_from_command_line(sys.argv)
    except EmbeddedError as error:
        sys.exit(f"manage.py: {error}")


if __name__ == "__main__":
    main()
