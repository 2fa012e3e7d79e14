"""Loads the shop once and forks a Celery worker for each line it reads, with the options in it, telling its pid.

Run as `python -m tests.faults.nursery`. A worker born so is as real as any, and there in a fraction of a second;
twenty have to die here.
"""

import os
import signal
import sys

import django

COMMAND = [
    "worker", "--queues", "codes,mail,slow", "--pool", "threads", "--concurrency", "8", "--without-gossip",
    "--without-mingle", "--without-heartbeat", "--loglevel", "DEBUG",
]  # fmt: skip


def main() -> None:
    from shop.celery import app

    django.setup()
    app.loader.import_default_modules()
    import twilio.rest.api.v2010.account.message  # noqa: F401

    import accounts.delivery.providers.twilio  # noqa: F401

    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the dead
    print("ready", flush=True)
    for line in sys.stdin:
        if pid := os.fork():
            print(pid, flush=True)
            continue
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.dup2(os.open(os.devnull, os.O_RDWR), 0)
        os.dup2(2, 1)
        app.worker_main([*COMMAND, *line.split(), "--hostname", f"worker-{os.getpid()}@test"])
        os._exit(0)


if __name__ == "__main__":
    main()
