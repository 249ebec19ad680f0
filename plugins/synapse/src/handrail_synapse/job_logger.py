"""JobLogger: tells the service of a job, through the client, what a plugin logs."""

from __future__ import annotations

import copy
import os
import threading
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from handrail_synapse.exceptions import ClientResponseIncompleteError
from handrail_synapse.loggers import ConsoleLogger, ProgressData
from handrail_synapse.messages import LogLevel

_MOST_QUEUED = 2000  # Entries.
_MOST_SENT = 1000  # Entries in one request.
_LOOK_EVERY = 0.2  # Seconds.
_WAIT_AT_END = 30.0  # Seconds.

# Their shares are never given to steps without one.
_OF_THEIR_OWN = frozenset({"train", "model_upload"})


class JobLogger(ConsoleLogger):
    """Logs to the console, and to a job of the service.

    Entries go to `client.create_logs`, in batches; the progress and the measured values to
    `client.update_job`, the newest only. A thread of its own sends them, so that the job does not
    wait for the service, and goes on without it: what could not be sent is counted.

    Args:
        client: A client of the service, with `create_logs` and `update_job`.
        job_id: The job.
        step_proportions: Percent of the progress of the job, by the names of its steps.
        log_batch_size: Entries that are sent together; 1 sends each at once.
        log_flush_interval: Seconds after which fewer are sent too.
        progress_flush_interval: Seconds between two updates of the job; 0 sends each.
        background_flush: Whether a thread of its own sends; else the one that logs.
        queue_wait_timeout: Seconds to wait for room in the queue; then the oldest is dropped.
    """

    def __init__(
        self,
        client: Any,
        job_id: str,
        step_proportions: Mapping[str, int] | None = None,
        log_batch_size: int = 200,
        log_flush_interval: float = 2.0,
        progress_flush_interval: float = 1.0,
        background_flush: bool = True,
        queue_wait_timeout: float = 30.0,
    ) -> None:
        super().__init__()
        self._job_id = job_id
        self._shares = _Shares()
        self._measured: dict[str, Any] = {}
        self._sender = _Sender(
            client,
            job_id,
            batch=max(1, log_batch_size),
            log_interval=max(0.0, log_flush_interval),
            job_interval=max(0.0, progress_flush_interval),
            in_background=background_flush,
            patience=max(0.0, queue_wait_timeout),
            warn=self._warn,
        )
        if step_proportions:
            self.set_step_proportions(step_proportions)

    @property
    def _step_proportions(self) -> dict[str, int]:
        return self._shares.given

    def set_step_proportions(
        self, proportions: Mapping[str, int], orders: Mapping[str, int] | None = None
    ) -> None:
        """Set which step is how many percent of the job, and its place among the steps, from 0.

        Raises:
            RuntimeError: There has been progress already.
        """
        self._shares.give(proportions, orders or {})

    def get_progress_record(self, *, time_elapsed: int | None = None) -> dict[str, Any]:
        """Return the progress of the job, as the service keeps it.

        Args:
            time_elapsed: Seconds that the job took.
        """
        overall = self._shares.overall(self._current_step_order)
        if time_elapsed is not None:
            overall["time_elapsed"] = time_elapsed
        return {"record": copy.deepcopy(self._shares.record), "current_progress": overall}

    def log_loss_report(self) -> dict[str, Any]:
        """Return how much of the log was lost, and how often the job waited for the service.

        Returns:
            `dropped` entries, those `unsent`, those of which it is not known whether they have
            arrived (`delivery_unconfirmed`); `waits`, `wait_seconds` and `wait_timeouts`.
        """
        return self._sender.report()

    def log_event(self, event: str, data: dict[str, Any], file: str | None = None) -> None:
        """Log an event of any kind, without a level."""
        self._check()
        self._log_impl(event, dict(data), file, self._current_step)

    def log_metric(self, category: str, key: str, value: float, **metrics: Any) -> None:
        """Log a measured value of a training, of the running trial if there are several."""
        data = {"category": category, "key": key, "value": value, "metrics": metrics}
        self.log_event("metric", {**data, **_trial()})

    def log_visualization(
        self, category: str, group: str, index: int, image: str, **meta: Any
    ) -> None:
        """Log an image by the path of its file, of the running trial if there are several."""
        super().log_visualization(category, group, index, image, **{**meta, **_trial()})

    def _log_impl(
        self,
        event: str,
        data: dict[str, Any],
        file: str | None,
        step: str | None,
        level: LogLevel | None = None,
    ) -> None:
        super()._log_impl(event, data, file, step, level)
        given = {"file": file, "step": step, "level": level and level.value}
        self._sender.log(
            _entry(self._job_id, event, data) | {name: each for name, each in given.items() if each}
        )

    def _on_progress(self, progress: ProgressData, step: str | None) -> None:
        super()._on_progress(progress, step)
        self._shares.take(progress, step, self._current_step_order)
        self._sender.update("progress_record", self.get_progress_record())

    def _on_metrics(self, step: str, metrics: dict[str, Any]) -> None:
        super()._on_metrics(step, metrics)
        self._measured.setdefault("steps", {}).setdefault(step, {}).update(metrics)
        self._sender.update("metrics_record", {"record": copy.deepcopy(self._measured)})

    def _on_finish(self) -> None:
        self._sender.finish()

    def _warn(self, text: str) -> None:
        self._console.log("warning:", text)


def _entry(job: str, event: str, data: dict[str, Any]) -> dict[str, Any]:
    return {"event": event, "data": data, "datetime": datetime.now(UTC).isoformat(), "job": job}


def _trial() -> dict[str, str]:
    """Return the name of the running trial, where a plugin is one of several."""
    if os.environ.get("IS_TUNE") != "true":
        return {}
    named = os.environ.get("SYNAPSE_TRIAL_ID")
    return {"trial_id": named} if named else {}


class _Shares:
    """The progress of a job from that of its steps.

    Attributes:
        given: Percent of the job, by the names of its steps.
        record: The progress of each step, as the service keeps it.
    """

    def __init__(self) -> None:
        self.given: dict[str, int] = {}
        self.record: dict[str, Any] = {"steps": {}}
        # By the names of the steps that have begun, in that order.
        self._weights: dict[str, float] = {}
        self._lent = 0.0
        self._running: str | None = None
        self._most = 0.0

    def give(self, given: Mapping[str, int], orders: Mapping[str, int]) -> None:
        if self._weights:
            raise RuntimeError(
                "Cannot set step proportions after progress has started. Call "
                "set_step_proportions() before any set_progress() calls."
            )
        self.given = dict(given)
        steps = {name: {"proportion": share} for name, share in given.items()}
        for name in steps.keys() & orders.keys():
            steps[name]["order"] = orders[name]
        self.record = {"steps": steps}

    def take(self, progress: ProgressData, step: str | None, order: int | None) -> None:
        made: dict[str, Any] = {
            "percent": progress.percent,
            "time_remaining": progress.time_remaining,
        }
        if not step:
            self.record.update(made)
            return
        if step not in self._weights:
            self._weights[step] = self._weight_of(step)
        self._running = step
        known = self.record["steps"].setdefault(step, {})
        known.update(made if order is None else {**made, "order": order})

    def _weight_of(self, step: str) -> float:
        """Return percent of the job: those of a step without, from what others have not used."""
        if step in self.given:
            return float(self.given[step])
        unused = sum(
            share
            for name, share in self.given.items()
            if name not in _OF_THEIR_OWN and name not in self._weights
        )
        left = unused - self._lent
        weight = max(5.0, left / 2) if left >= 5 else max(2.0, left)
        self._lent += weight
        return weight

    def overall(self, order: int | None) -> dict[str, Any]:
        if self._running is None:
            return {"overall": 0}
        steps, done = self.record["steps"], 0.0
        for name, weight in self._weights.items():
            if name == self._running:
                done += weight * steps[name].get("percent", 0) / 100
                break
            done += weight
        self._most = max(self._most, done)  # It never falls.
        running = steps[self._running]
        made = {
            "overall": round(min(self._most, 100), 2),
            "step": self._running,
            "percent": running.get("percent", 0),
            "time_remaining": running.get("time_remaining"),
        }
        return made if order is None else {**made, "order": order}


class _Sender:
    """Sends entries and updates of a job, in their order.

    Args:
        client: The client of the service.
        job: The job.
        batch: Entries that are sent together.
        log_interval: Seconds after which fewer are sent too.
        job_interval: Seconds between two updates of the job.
        in_background: Whether a thread of its own sends.
        patience: Seconds to wait for room in the queue.
        warn: Called with what went wrong.
    """

    def __init__(
        self,
        client: Any,
        job: str,
        *,
        batch: int,
        log_interval: float,
        job_interval: float,
        in_background: bool,
        patience: float,
        warn: Any,
    ) -> None:
        self._client = client
        self._job = job
        self._batch = batch
        self._log_interval = log_interval
        self._job_interval = job_interval
        self._in_background = in_background
        self._patience = patience
        self._warn = warn
        self._queue: list[dict[str, Any]] = []
        self._news: dict[str, Any] = {}
        self._logged_at = time.monotonic()
        self._updated_at = float("-inf")
        self._changed = threading.Condition()
        self._sending = threading.Lock()
        self._thread: threading.Thread | None = None
        self._ended = False
        self._patient = True
        self._dropped = self._unconfirmed = self._waits = self._timeouts = 0
        self._waited = 0.0

    def report(self) -> dict[str, Any]:
        with self._changed:
            return {
                "dropped": self._dropped,
                "unsent": len(self._queue),
                "delivery_unconfirmed": self._unconfirmed,
                "waits": self._waits,
                "wait_seconds": round(self._waited, 1),
                "wait_timeouts": self._timeouts,
            }

    def log(self, entry: dict[str, Any]) -> None:
        if entry.get("file"):
            # A request has the content of the file in it; and the order stays.
            self._send_entries(everything=True)
            self._sent([entry])
            return
        with self._changed:
            self._wait_for_room()
            self._queue.append(entry)
            self._shorten()
        self._go()

    def update(self, record: str, value: Any) -> None:
        with self._changed:
            self._news[record] = value
        self._go()

    def finish(self) -> None:
        with self._changed:
            self._ended = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join(_WAIT_AT_END)
        self._send_news(everything=True)
        self._send_entries(everything=True)
        report = self.report()
        if report["dropped"] or report["unsent"] or report["delivery_unconfirmed"]:
            text = (
                f"of the log of this job, {report['dropped']} entries were dropped, "
                f"{report['unsent']} not sent, and {report['delivery_unconfirmed']} may not have "
                "arrived"
            )
            self._warn(text)
            lost = _entry(self._job, "joblog_loss", {"message": text, **report})
            self._sent([lost | {"level": LogLevel.WARNING.value}])

    # Waiting

    def _wait_for_room(self) -> None:
        """Wait while the queue is full, if there is a thread that empties it."""
        if not (self._in_background and self._patient and self._patience):
            return
        if threading.current_thread() is self._thread:
            return
        if len(self._queue) < _MOST_QUEUED:
            return
        began = time.monotonic()
        self._waits += 1
        while len(self._queue) >= _MOST_QUEUED and not self._ended:
            left = began + self._patience - time.monotonic()
            if left <= 0:
                # Not for each entry again, until something is sent.
                self._timeouts += 1
                self._patient = False
                break
            self._start()
            self._changed.notify_all()
            self._changed.wait(left)
        self._waited += time.monotonic() - began

    def _shorten(self) -> None:
        too_many = len(self._queue) - _MOST_QUEUED
        if too_many > 0:
            del self._queue[:too_many]
            self._dropped += too_many

    # Sending

    def _go(self) -> None:
        if self._in_background:
            with self._changed:
                if not self._ended:
                    self._start()
                    if self._entries_are_due() or self._news_are_due():
                        self._changed.notify_all()
                    return
        self._send_what_is_due()

    def _start(self) -> None:
        if self._thread is None:
            name = f"job-log-{self._job}"
            self._thread = threading.Thread(target=self._work, name=name, daemon=True)
            self._thread.start()

    def _work(self) -> None:
        succeeded = True
        while True:
            with self._changed:
                if self._ended:
                    return
                if not (succeeded and (self._entries_are_due() or self._news_are_due())):
                    self._changed.wait(_LOOK_EVERY)
            succeeded = self._send_what_is_due()

    def _entries_are_due(self) -> bool:
        if len(self._queue) >= self._batch:
            return True
        return bool(self._queue) and time.monotonic() - self._logged_at >= self._log_interval

    def _news_are_due(self) -> bool:
        return bool(self._news) and time.monotonic() - self._updated_at >= self._job_interval

    def _send_what_is_due(self) -> bool:
        self._send_news()
        return self._send_entries()

    def _send_news(self, *, everything: bool = False) -> None:
        with self._sending:
            with self._changed:
                if not self._news or not (everything or self._news_are_due()):
                    return
                news, self._news = self._news, {}
                self._updated_at = time.monotonic()
            try:
                self._client.update_job(self._job, news)
            except Exception as error:  # noqa: BLE001 - the next one has the same and more
                self._warn(f"the job could not be told its progress: {error}")

    def _send_entries(self, *, everything: bool = False) -> bool:
        """Send entries, all of them or one batch that is due; return False if that failed."""
        while True:
            with self._changed:
                if not self._queue or not (everything or self._entries_are_due()):
                    return True
                batch, self._queue = self._queue[:_MOST_SENT], self._queue[_MOST_SENT:]
                self._logged_at = time.monotonic()
                self._changed.notify_all()
            if not self._sent(batch):
                return False
            if not everything:
                return True

    def _sent(self, batch: list[dict[str, Any]]) -> bool:
        try:
            with self._sending:
                self._client.create_logs(batch)
        except ClientResponseIncompleteError as error:
            # Sent again, they might be there twice.
            with self._changed:
                self._unconfirmed += len(batch)
            self._warn(f"{len(batch)} entries of the log may not have arrived: {error}")
        except Exception as error:  # noqa: BLE001 - a job goes on without its log
            with self._changed:
                self._queue[:0] = batch
                self._shorten()
            self._warn(f"{len(batch)} entries of the log could not be sent: {error}")
        else:
            self._patient = True
            return True
        return False
