"""Local servers that speak the wire protocol of the providers Countersign hands codes to (Twilio, SMTP).

They are real servers on 127.0.0.1: the code under test uses its own client, sockets and timeouts.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Hashable
from typing import Generic, TypeVar

T = TypeVar("T")
B = TypeVar("B")


class Log(Generic[T]):
    """A list that one thread appends to and another waits on."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._items: list[T] = []
        self._changed = threading.Condition()

    def add(self, item: T) -> None:
        with self._changed:
            self._items.append(item)
            self._changed.notify_all()

    def all(self) -> list[T]:
        with self._changed:
            return list(self._items)

    def clear(self) -> None:
        with self._changed:
            self._items.clear()

    def wait_for(self, count: int, timeout: float) -> list[T]:
        """Everything logged, as soon as there are `count` items; TimeoutError if they do not come."""
        with self._changed:
            if not self._changed.wait_for(lambda: len(self._items) >= count, timeout):
                raise TimeoutError(f"{len(self._items)} of {count} {self.name} after {timeout} s")
            return list(self._items)


class Behaviours(Generic[B]):
    """What to do with a request: by its destination, else the next one queued, else the default."""

    def __init__(self, default: B) -> None:
        self._lock = threading.Lock()
        self._first_default = default
        self.reset()

    def reset(self) -> None:
        with self._lock:
            self.default = self._first_default
            self._queue: deque[B] = deque()
            self._for: dict[Hashable, B] = {}

    def queue(self, *behaviours: B) -> None:
        with self._lock:
            self._queue.extend(behaviours)

    def set_for(self, destination: Hashable, behaviour: B | None) -> None:
        with self._lock:
            self._for.pop(destination, None)
            if behaviour is not None:
                self._for[destination] = behaviour

    def take(self, *destinations: Hashable) -> B:
        with self._lock:
            for destination in destinations:
                if destination in self._for:
                    return self._for[destination]
            return self._queue.popleft() if self._queue else self.default

    def take_if(self, kind: type) -> bool:
        """True, and the behaviour is used up, if the next one is of this kind, whatever the destination."""
        with self._lock:
            if not isinstance(self._queue[0] if self._queue else self.default, kind):
                return False
            if self._queue:
                self._queue.popleft()
            return True
