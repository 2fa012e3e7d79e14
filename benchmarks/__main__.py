"""`python -m benchmarks` takes all measurements, `python -m benchmarks equality` those of one module, with its
options if it has some (`python -m benchmarks outage --seconds 60`).

Each module of this folder with a `measure()` is one. They run in a database of their own, which goes afterwards. What
they print is to be read beside each other: ratios, not milliseconds of somebody's laptop.
"""

import os
import pkgutil
import sys
from importlib import import_module
from itertools import dropwhile

import django

import benchmarks

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")
os.environ.setdefault("LOG_LEVEL", "CRITICAL")
os.environ.setdefault("STATIC_FROM_SOURCE", "1")


def main(wanted: list[str]) -> None:
    django.setup()
    from django.test.runner import DiscoverRunner

    from shop.celery import app

    options = [*dropwhile(lambda word: not word.startswith("-"), wanted)]
    wanted = wanted[: len(wanted) - len(options)]
    names = [found.name for found in pkgutil.iter_modules(benchmarks.__path__) if not found.name.startswith("_")]
    if unknown := set(wanted) - set(names):
        sys.exit(f"There is no measurement {', '.join(unknown)}. There are: {', '.join(names)}.")
    app.conf.broker_url = "memory://"
    runner = DiscoverRunner(verbosity=0, interactive=False)
    runner.setup_test_environment()
    databases = runner.setup_databases()
    try:
        for name in wanted or names:
            module = import_module(f"benchmarks.{name}")
            print(f"{module.__doc__}")
            module.measure(*([options] if options else []))
    finally:
        runner.teardown_databases(databases)
        runner.teardown_test_environment()


if __name__ == "__main__":
    main(sys.argv[1:])
