"""What traces cost the thread of a step, in one run: `python benchmarks/otel.py [FOLDER]`.

A durable run beside the same run with the pack: without an endpoint, and exported to a collector on
this machine, which answers and forgets. CPU is that of the thread of the steps alone; the export is
apart, and is measured by the last lines: of one run, by the thread that follows it.
"""

from __future__ import annotations

import argparse
import itertools
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from rounds import Cases, Took, nothings, plan_of, show

from handrail import BaseStepContext, Orchestrator, RuntimeContext
from handrail.events import Event
from handrail.sqlite import SqliteJournal
from handrail_otel import flush, hooks
from handrail_otel.exporting import Exporter
from handrail_otel.settings import OtelSettings

STEPS, ROUNDS = 1000, 9


@contextmanager
def collector() -> Iterator[str]:
    """Listen for the block; yield the URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def runs(folder: Path, *observers: Callable[[Event], object]) -> Callable[[], Took]:
    """Return a case that runs the steps, and measures the thread that does."""
    plan, files = plan_of(*nothings(STEPS)), itertools.count()

    def case() -> Took:
        journal = SqliteJournal(folder / f"{next(files)}-{id(observers)}.db", synchronous="normal")
        context = BaseStepContext(RuntimeContext())
        orchestrator = Orchestrator(plan, context, journal=journal, observers=observers)
        clock, cpu = time.perf_counter(), time.thread_time()
        orchestrator.execute()
        took = Took(time.perf_counter() - clock, time.thread_time() - cpu)
        flush(60)
        journal.close()
        return took

    return case


def main() -> None:
    """Measure all cases."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", default=".", help="on the disk to be measured")
    with (
        tempfile.TemporaryDirectory(dir=parser.parse_args().folder) as name,
        collector() as url,
    ):
        folder = Path(name)
        off, on = OtelSettings(), OtelSettings(endpoint=url)

        cases: Cases = {
            "without observers": runs(folder),
            "an observer that does nothing": runs(folder, lambda event: None),
            "the pack, off": runs(folder, lambda event: hooks.observe(event, off)),
            "the pack, exporting": runs(folder, lambda event: hooks.observe(event, on)),
        }
        show(f"a run of {STEPS} steps, on their thread", cases, STEPS, ROUNDS)
        for each in range(3):
            run = folder / f"exported-{each}.db"
            journal = SqliteJournal(run, synchronous="normal")
            plan = plan_of(*nothings(STEPS))
            Orchestrator(plan, BaseStepContext(RuntimeContext()), journal=journal).execute()
            clock, cpu = time.perf_counter(), time.thread_time()
            exported = Exporter(on).export(journal, 1)
            took, worked = time.perf_counter() - clock, time.thread_time() - cpu
            journal.close()
            spans = f"{exported.spans} spans"
            print(f"export of {spans}: {took * 1e3:.0f} ms, {worked * 1e3:.0f} ms of CPU")


if __name__ == "__main__":
    main()
