"""Code that is imported for workers is told so, and nobody else is."""

from __future__ import annotations

import threading

from handrail.places import importing, is_importing


def test_threads_that_import_at_once_do_not_mix_it_up() -> None:
    """One begins before the other, and ends before it; a third one imports nothing."""
    begun, over = threading.Event(), threading.Event()

    def other() -> None:
        with importing():
            begun.set()
            assert over.wait(60)
            found.append(is_importing())

    found: list[bool] = []
    thread = threading.Thread(target=other)
    with importing():
        thread.start()
        assert begun.wait(60)
    found.append(is_importing())
    over.set()
    thread.join()
    assert found == [False, True]
    assert not is_importing()
