"""What may pass is tried again, what may not is not, and an answer that was lost does no harm."""

from __future__ import annotations

import hashlib
import re

import pytest

from handrail_upload.errors import StorageError
from handrail_upload.pace import StoppedError
from handrail_upload.storage import TakenError, open_storage

MIB = 1 << 20
MARK = "0198-run/upload_files"
HELLO = hashlib.sha256(b"hello").hexdigest()

PASSING = [
    (503, "SlowDown"),
    (500, "InternalError"),
    (502, "BadGateway"),
    (429, "TooManyRequests"),
    (408, "RequestTimeout"),
    (400, "RequestTimeout"),
    (409, "OperationAborted"),
    (409, "ConditionalRequestConflict"),
]
LASTING = [
    (403, "AccessDenied"),
    (403, "SignatureDoesNotMatch"),
    (400, "InvalidRequest"),
    (404, "NoSuchBucket"),
    (405, "MethodNotAllowed"),
    (411, "MissingContentLength"),
]


@pytest.fixture
def stored(moto, bucket):
    """Return the content and the mark of an object."""

    def _stored(key: str) -> tuple[bytes, str | None]:
        answer = moto.client().get_object(Bucket=bucket, Key=f"deep/{key}")
        return answer["Body"].read(), answer["Metadata"].get("handrail-run")

    return _stored


@pytest.fixture
def leave(moto, bucket):
    """Store something, as somebody else would, or another run."""

    def _leave(key: str, content: bytes, **metadata: str) -> None:
        where = {"Bucket": bucket, "Key": f"deep/{key}"}
        moto.client().put_object(**where, Body=content, Metadata=metadata)

    return _leave


@pytest.mark.parametrize(("status", "code"), PASSING)
def test_failure_that_may_pass_is_tried_again(storage, wire, stored, source, sending, status, code):
    """Twice it fails, then it works; the pauses grow."""
    wire.refuse("PUT", status, code, times=2)
    how = sending()
    storage.put(source("a", b"hello"), how)
    assert stored("a") == (b"hello", MARK)
    assert len(wire.seen("PUT", "a")) == 3
    first, second = how.stop.waits
    assert 0.2 <= first <= 0.4 <= second <= 0.6


@pytest.mark.parametrize(("status", "code"), PASSING)
def test_failure_that_lasts_ends_it(storage, wire, source, sending, status, code):
    """As often as is asked for, not oftener; then the server's words are told, and the count."""
    wire.refuse("PUT", status, code)
    with pytest.raises(StorageError) as caught:
        storage.put(source("a b", b"hello"), sending())
    assert caught.value.message.startswith(f"a b: {code} ({status} from s3://")
    assert caught.value.message.endswith(": no, tried 3 times")
    assert caught.value.passing
    assert caught.value.__cause__ is None
    assert len(wire.seen("PUT")) == 3


@pytest.mark.parametrize(("status", "code"), LASTING)
def test_refusal_is_tried_once(storage, wire, source, sending, status, code):
    """What the server will refuse again is not asked again."""
    wire.refuse("PUT", status, code)
    how = sending()
    with pytest.raises(StorageError) as caught:
        storage.put(source("a", b"hello"), how)
    assert caught.value.message.startswith(f"a: {code} ({status} from s3://")
    assert caught.value.message.endswith(": no, not retried")
    assert not caught.value.passing
    assert len(wire.seen("PUT")) == 1
    assert how.stop.waits == []


def test_no_retries_are_no_retries(wire, bucket, source, sending):
    """With none, the first failure is the last."""
    storage = open_storage(f"s3://{bucket}", retries=0)
    wire.refuse("PUT", 503, "SlowDown")
    with pytest.raises(StorageError, match="no, tried once"):
        storage.put(source("a", b"hello"), sending())
    assert len(wire.seen("PUT")) == 1


def test_question_is_asked_again(storage, wire, leave, no_sleep):
    """Looking has patience too."""
    leave("a", b"hello")
    wire.refuse("HEAD", 503, "SlowDown", times=2)
    assert storage.stat("a").size == 5
    assert len(wire.seen("HEAD")) == 3
    assert len(no_sleep) == 2


def test_stop_ends_the_waiting(storage, wire, source, sending, answer):
    """Who waits for the next attempt stops when told to."""
    how = sending()

    def slow_down(request, _forward):
        how.stop.set()
        return answer(503)

    wire.rules.append(slow_down)
    with pytest.raises(StoppedError):
        storage.put(source("a", b"hello"), how)
    assert len(wire.seen("PUT")) == 1


def test_stop_at_the_last_moment_counts(storage, wire, bucket, moto, source, sending, content_of):
    """A stop after all was read, and before the last part is sent, takes the upload back."""
    how = sending()

    def stop(request, _forward):
        if request.method == "HEAD" and len(wire.seen("HEAD")) == 2:
            how.stop.set()

    wire.rules.append(stop)
    with pytest.raises(StoppedError):
        storage.put(source("a", content_of(6 * MIB)), how)
    assert [each.query["partNumber"] for each in wire.seen("PUT")] == [["1"]]
    client = moto.client()
    assert "Uploads" not in client.list_multipart_uploads(Bucket=bucket)
    assert client.list_objects_v2(Bucket=bucket)["KeyCount"] == 0


def test_part_that_failed_is_sent_again_alone(
    storage, wire, stored, source, sending, content_of, answer
):
    """The others need not be."""
    refused = []

    def refuse_once(request, _forward):
        if request.query.get("partNumber") == ["2"] and not refused:
            refused.append(request)
            return answer(503)
        return None

    wire.rules.append(refuse_once)
    content = content_of(12 * MIB)
    storage.put(source("a", content), sending())
    assert stored("a") == (content, MARK)
    sent = [each.query["partNumber"] for each in wire.seen("PUT")]
    assert sent == [["1"], ["2"], ["2"], ["3"]]


def test_part_that_goes_on_failing_ends_it(
    storage, wire, bucket, moto, source, sending, content_of
):
    """Then the upload is taken back, and what the server said is told."""
    wire.refuse("PUT", 403, "AccessDenied")
    with pytest.raises(StorageError) as caught:
        storage.put(source("a b", content_of(6 * MIB)), sending())
    assert caught.value.message.startswith("a b: AccessDenied (403 from s3://")
    assert "Uploads" not in moto.client().list_multipart_uploads(Bucket=bucket)


# Answers that are lost


def test_object_whose_answer_was_lost_is_ours(storage, wire, stored, source, sending):
    """The second attempt is refused, since the first one had arrived: that is a success."""
    wire.lose_answers("PUT", times=1)
    made = storage.put(source("a", b"hello"), sending())
    assert stored("a") == (b"hello", MARK)
    assert [each.method for each in wire.requests] == ["PUT", "PUT", "HEAD"]
    assert storage.stat("a").etag == made.etag


@pytest.mark.parametrize(
    "metadata",
    [
        {},
        {"handrail-run": MARK},
        {"handrail-run": MARK, "handrail-sha256": "0" * 64},
        {"handrail-run": "0199-run/upload_files"},
        {"handrail-run": "0199-run/upload_files", "handrail-sha256": HELLO},
    ],
    ids=["nobody", "this run, unknown", "this run, other content", "other run", "other run, same"],
)
def test_object_of_others_after_a_lost_answer_is_theirs(
    storage, wire, stored, leave, source, sending, lost, metadata
):
    """What is there in place of what was sent, is not taken for it, nor replaced."""

    def be_first(request, _forward):
        if request.method == "PUT" and len(wire.seen("PUT")) == 1:
            leave("a", b"theirs", **metadata)
            return lost
        return None

    wire.rules.append(be_first)
    with pytest.raises(TakenError):
        storage.put(source("a", b"hello"), sending())
    assert stored("a") == (b"theirs", metadata.get("handrail-run"))
    assert len(wire.seen("PUT")) == 2


def test_request_that_was_lost_is_sent_again(storage, wire, stored, source, sending):
    """Where nothing had arrived, the second attempt is just the first one."""
    wire.lose_requests("PUT", times=2)
    storage.put(source("a", b"hello"), sending())
    assert stored("a") == (b"hello", MARK)
    assert len(wire.seen("PUT")) == 3


def test_connection_that_breaks_again_and_again_is_told(storage, wire, source, sending):
    """Without an answer there are no words of the server, but there are words."""
    wire.lose_requests("PUT")
    with pytest.raises(StorageError) as caught:
        storage.put(source("a", b"hello"), sending())
    assert caught.value.message.startswith("a: ConnectionBroken (from s3://")
    assert re.search(r"/deep\): the connection to \S+ broke, tried 3 times$", caught.value.message)


def test_large_object_whose_last_answer_was_lost_is_ours(
    storage, wire, stored, source, sending, content_of, lost
):
    """An upload in parts that was completed unheard is complete."""
    content = content_of(6 * MIB)

    completed = []

    def lose(request, forward):
        if request.method == "POST" and "uploadId" in request.query and not completed:
            completed.append(forward())
            return lost
        return None

    wire.rules.append(lose)
    storage.put(source("a", content), sending())
    assert stored("a") == (content, MARK)
    assert len(wire.seen("POST")) == 3
