"""Events that are passed on by several threads, and by a signal handler."""

from __future__ import annotations

import threading

from handrail.events import Event, InterruptReceived, MessageLogged
from handrail.orchestrator.dispatch import Dispatcher


def test_a_signal_waits_for_no_other_thread() -> None:
    """That one may wait for what the signal came upon; it passes on what the signal says."""
    told: list[Event] = []
    held, free = threading.Event(), threading.Event()

    def observe(event: Event) -> None:
        told.append(event)
        held.set()
        assert free.wait(60)

    dispatcher = Dispatcher([observe], None)
    logged = MessageLogged(step=None, name="event", data={}, file=None)
    received = InterruptReceived(signal="SIGINT", undoing=False)
    thread = threading.Thread(target=dispatcher, args=(logged,))
    thread.start()
    assert held.wait(60)
    dispatcher(received)  # In the thread of the signal handler: it returns.
    assert told == [logged]
    free.set()
    thread.join()
    assert told == [logged, received]
