"""Says in one line why the virtualenv can't be made here. The Makefile runs it with any Python it finds.

So it is written in what Python 2.7 and 3.6 understand too, and imports nothing of the shop.
"""

import sys

LEAST_FREE_SPACE = 1500000000  # bytes: the packages take about a third of that, and pip unpacks them twice


def problem(folder):  # type: ignore[no-untyped-def]
    if sys.version_info < (3, 11):  # noqa: UP036
        return (
            "Countersign needs Python 3.11 or newer, and this one is "
            + ".".join(str(part) for part in sys.version_info[:3])
            + ": name another, such as make run PYTHON=python3.12"
        )
    try:
        import ensurepip  # noqa: F401
        import venv  # noqa: F401
    except ImportError:
        return "this Python can't make virtualenvs: install the package python3-venv"
    import shutil

    free = shutil.disk_usage(folder).free
    if free < LEAST_FREE_SPACE:
        return "the disk is nearly full: {} MB free, and the packages need {} MB".format(  # noqa: UP032
            free // 1000000, LEAST_FREE_SPACE // 1000000
        )
    return None


if __name__ == "__main__":
    found = problem(".")
    if found:
        sys.exit(found)
