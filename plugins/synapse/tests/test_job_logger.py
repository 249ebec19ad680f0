"""JobLogger and BackendLogger: what the service is told of a job, and what is lost without it."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from handrail_synapse import RuntimeContext, job_logger
from handrail_synapse.exceptions import ClientResponseIncompleteError, ServerError
from handrail_synapse.job_logger import JobLogger
from handrail_synapse.loggers import BackendLogger, LogEntry, NoOpLogger, TqdmLogger
from handrail_synapse.messages import LogLevel
from handrail_synapse.steps import BaseStep, BaseStepContext, Orchestrator, StepRegistry, StepResult


class Service:
    """Keeps what a job is told; it may fail, or hold its answers back."""

    def __init__(self) -> None:
        self.batches: list[list[dict[str, Any]]] = []
        self.updates: list[dict[str, Any]] = []
        self.failing: Exception | None = None
        self.answers = threading.Event()
        self.answers.set()
        self.asked = threading.Event()

    def create_logs(self, entries: list[dict[str, Any]]) -> None:
        self._answer()
        self.batches.append([dict(each) for each in entries])

    def update_job(self, job_id: str, data: dict[str, Any]) -> None:
        assert job_id == "job-1"
        self._answer()
        self.updates.append(data)

    def _answer(self) -> None:
        self.asked.set()
        assert self.answers.wait(60)
        if self.failing is not None:
            raise self.failing

    @property
    def entries(self) -> list[dict[str, Any]]:
        return [each for batch in self.batches for each in batch]


def at_once(service: Service, **options: Any) -> JobLogger:
    """A logger that sends each thing when it is logged, in the thread that logs."""
    eager = {"log_batch_size": 1, "progress_flush_interval": 0, "background_flush": False}
    return JobLogger(service, "job-1", **{**eager, **options})


def test_entries() -> None:
    """An entry has its event, data, job, time, and its step, level and file if there are any."""
    service = Service()
    logger = at_once(service)
    logger.log(LogLevel.WARNING, "found", {"n": 2}, step="scan")
    logger.log_message("hello")
    logger.log_metric("train", "loss", 0.5, accuracy=0.9)
    logger.log_visualization("train", "curves", 0, "loss.png", epoch=1)
    logger.log_trials(trials={"a": {"loss": 1}}, best_trial="a")
    first, *others = service.entries
    assert first.pop("datetime").endswith("+00:00")
    expected = {"event": "found", "data": {"n": 2}, "job": "job-1", "step": "scan"}
    assert first == {**expected, "level": "warning"}
    assert [each["event"] for each in others] == ["message", "metric", "visualization", "trials"]
    assert others[0]["data"] == {"content": "hello"}
    assert others[1]["data"]["metrics"] == {"accuracy": 0.9}
    assert others[2]["file"] == "loss.png"
    assert others[3]["data"]["best_trial"] == "a"
    with pytest.raises(ValueError, match='must include "trials"'):
        logger.log_trials({})


def test_a_trial_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of several trainings, values and images say of which trial they are."""
    monkeypatch.setenv("IS_TUNE", "true")
    monkeypatch.setenv("SYNAPSE_TRIAL_ID", "t-3")
    service = Service()
    at_once(service).log_metric("train", "loss", 0.5)
    assert service.entries[0]["data"]["trial_id"] == "t-3"


def test_progress_by_proportions() -> None:
    """The progress of the job is that of its steps by their shares; it never falls."""
    service = Service()
    logger = at_once(service)
    logger.set_step_proportions({"scan": 10, "send": 90}, orders={"scan": 0, "send": 1})
    logger.set_step("scan", order=0)
    logger.set_progress(1, 2)
    logger.set_step("send", order=1)
    logger.set_progress(1, 3)
    record = service.updates[-1]["progress_record"]
    current = record["current_progress"]
    assert (current["overall"], current["step"], current["percent"]) == (40.0, "send", 33.33)
    assert current["order"] == 1
    steps = record["record"]["steps"]
    assert (steps["scan"]["proportion"], steps["scan"]["percent"]) == (10, 50.0)
    with pytest.raises(RuntimeError, match="after progress has started"):
        logger.set_step_proportions({"scan": 50})
    logger.set_progress(0, 3)
    assert service.updates[-1]["progress_record"]["current_progress"]["overall"] == 40.0
    logger.set_progress(3, 3)
    whole = logger.get_progress_record(time_elapsed=7)["current_progress"]
    assert (whole["overall"], whole["time_elapsed"]) == (100, 7)


def test_progress_of_steps_without_a_share() -> None:
    """Steps without one share what others leave, but never what belongs to the training."""
    logger = at_once(Service(), step_proportions={"dataset": 20, "train": 70, "model_upload": 10})
    found: list[float] = []
    for step in ("convert", "split", "train", "model_upload"):
        logger.set_progress(1, 1, step)
        found.append(logger.get_progress_record()["current_progress"]["overall"])
    assert found == [10.0, 15.0, 85.0, 95.0]


def test_measured_values() -> None:
    """The measured values of all steps are sent, by the names of the steps."""
    service = Service()
    logger = at_once(service)
    logger.set_metrics({"n": 1}, "scan")
    logger.set_metrics({"m": 2}, "scan")
    logger.set_metrics({"n": 3}, "send")
    record = service.updates[-1]["metrics_record"]["record"]
    assert record == {"steps": {"scan": {"n": 1, "m": 2}, "send": {"n": 3}}}


def test_only_the_newest_progress_is_sent() -> None:
    """What is logged before its time is sent together, and of the progress the newest only."""
    service = Service()
    logger = JobLogger(
        service,
        "job-1",
        log_flush_interval=3600,
        progress_flush_interval=3600,
        background_flush=False,
    )
    for each in range(5):
        logger.info(str(each))
        logger.set_progress(each, 5, "send")
    assert (len(service.batches), len(service.updates)) == (0, 1)  # The first is due at once.
    logger.finish()
    assert [len(each) for each in service.batches] == [5]
    assert service.updates[-1]["progress_record"]["current_progress"]["percent"] == 80
    with pytest.raises(RuntimeError, match="finished"):
        logger.info("late")


def test_a_job_does_not_wait_for_the_service() -> None:
    """Another thread sends; while the service holds its answer back, the job goes on."""
    service = Service()
    service.answers.clear()
    logger = JobLogger(service, "job-1", log_batch_size=1)
    logger.info("one")
    assert service.asked.wait(60)
    logger.info("two")  # This does not wait for the answer.
    service.answers.set()
    logger.finish()
    contents = [each["data"]["content"] for each in service.entries]
    assert contents == ["one", "two"]


def test_a_service_that_fails_for_a_while() -> None:
    """What it did not take is sent again, in its order."""
    service = Service()
    service.failing = ServerError(503)
    logger = at_once(service)
    logger.info("one")
    service.failing = None
    logger.info("two")
    assert [each["data"]["content"] for each in service.entries] == ["one", "two"]
    assert logger.log_loss_report()["unsent"] == 0


def test_an_answer_that_breaks_off() -> None:
    """What may have arrived is not sent again; it is counted, and the job's log says so."""
    service = Service()
    service.failing = ClientResponseIncompleteError("broke off")
    logger = at_once(service)
    logger.info("one")
    service.failing = None
    assert logger.log_loss_report()["delivery_unconfirmed"] == 1
    logger.finish()
    assert [each["event"] for each in service.entries] == ["joblog_loss"]
    assert service.entries[0]["data"]["delivery_unconfirmed"] == 1


def test_a_service_that_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    """The queue has an end: the oldest entries are dropped, and the job ends all the same."""
    monkeypatch.setattr(job_logger, "_MOST_QUEUED", 3)
    service = Service()
    service.failing = ConnectionError("gone")
    logger = at_once(service)
    for each in range(5):
        logger.info(str(each))
    logger.set_progress(1, 2, "scan")
    logger.finish()
    report = logger.log_loss_report()
    assert (report["dropped"], report["unsent"], service.updates) == (3, 3, [])


def test_waiting_for_room_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """A full queue is waited for once, as long as was said; then the oldest are dropped."""
    monkeypatch.setattr(job_logger, "_MOST_QUEUED", 2)
    service = Service()
    service.answers.clear()
    logger = JobLogger(service, "job-1", log_batch_size=1, queue_wait_timeout=0.01)
    logger.info("0")
    assert service.asked.wait(60)  # It is on its way, so the queue is empty.
    for each in range(1, 6):
        logger.info(str(each))
    report = logger.log_loss_report()
    assert (report["waits"], report["wait_timeouts"], report["dropped"]) == (1, 1, 3)
    service.answers.set()
    logger.finish()


def test_a_file_is_sent_alone_and_in_its_place(tmp_path: Path) -> None:
    """An entry with a file is a request of its own, after those before it."""
    service = Service()
    logger = at_once(service, log_batch_size=100, log_flush_interval=3600)
    logger.info("before")
    logger.log_event("visualization", {}, file=str(tmp_path / "a.png"))
    logger.info("after")
    logger.finish()
    assert [[each["event"] for each in batch] for batch in service.batches] == [
        ["message"],
        ["visualization"],
        ["message"],
    ]


class Half(BaseStep[BaseStepContext]):
    """Is half done at one time."""

    progress_weight = 0.5

    def __init__(self, name: str, share: int, *, fails: bool = False) -> None:
        self.name, self.progress_proportion, self._fails = name, share, fails

    def execute(self, context: BaseStepContext) -> StepResult:
        context.set_progress(1, 2)
        return StepResult(success=not self._fails, error="no room" if self._fails else None)


@pytest.mark.parametrize("fails", [False, True])
def test_the_progress_of_a_run(fails: bool) -> None:
    """A run tells the shares of its steps, which step is done, and how far it is as a whole."""
    service = Service()
    logger = at_once(service)
    steps: StepRegistry[BaseStepContext] = StepRegistry()
    for each in (Half("scan", 20), Half("send", 80, fails=fails)):
        steps.register(each)
    context = BaseStepContext(RuntimeContext(logger))
    run = Orchestrator(steps, context, logger.set_progress)
    if fails:
        with pytest.raises(RuntimeError, match="no room"):
            run.execute()
    else:
        run.execute()
    record = logger.get_progress_record()
    assert record["current_progress"]["overall"] == (60 if fails else 100)
    percents = {name: each["percent"] for name, each in record["record"]["steps"].items()}
    assert percents == {"scan": 100, "send": 50 if fails else 100}
    # As a whole it is no step's progress.
    assert record["record"]["percent"] == (75 if fails else 100)


class Backend:
    def __init__(self) -> None:
        self.failing = False
        self.told: list[Any] = []

    def publish_progress(self, job_id: str, progress: Any) -> None:
        self._tell(job_id, progress.percent)

    def publish_metrics(self, job_id: str, metrics: dict[str, Any]) -> None:
        self._tell(job_id, metrics)

    def publish_log(self, job_id: str, log_entry: LogEntry) -> None:
        self._tell(job_id, log_entry.to_dict())

    def _tell(self, job_id: str, what: Any) -> None:
        if self.failing:
            raise ConnectionError("gone")
        self.told.append((job_id, what))


def test_backend_logger(caplog: pytest.LogCaptureFixture) -> None:
    """It publishes each thing; what could not be published is published with the next entry."""
    backend = Backend()
    logger = BackendLogger(backend, "job-1")
    logger.set_step("scan")
    logger.set_progress(1, 4)
    logger.set_metrics({"n": 1})
    assert backend.told == [("job-1", 25.0), ("job-1", {"scan": {"n": 1}})]
    backend.failing = True
    logger.info("lost?")
    assert "Failed to publish a log entry: gone" in caplog.text
    backend.failing = False
    logger.error("not lost")
    logger.finish()
    found = [(each["data"]["content"], each["level"]) for _, each in backend.told[2:]]
    assert found == [("lost?", "info"), ("not lost", "error")]
    assert backend.told[-1][1].keys() == {"event", "data", "timestamp", "file", "step", "level"}
    BackendLogger(None, "job-1").info("to nobody")


def test_bars_need_tqdm(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without tqdm the end of each step is a line; with it there is a bar for each."""
    monkeypatch.setitem(__import__("sys").modules, "tqdm", None)
    TqdmLogger().set_progress(2, 2, "scan")
    assert capsys.readouterr().err == "scan 100.0/100\n"


def test_nothing_is_kept() -> None:
    """NoOpLogger takes everything that the others take."""
    logger = NoOpLogger()
    logger.log_metric("train", "loss", 0.5)
    logger.log_visualization("train", "curves", 0, "loss.png")
    logger.log_trials(trials={})
    logger.log_message("hello", context="warning")
    assert logger.get_progress_record() is None
