"""The servers that other tests run against: they are what they claim, and they leave nothing."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import obstore
import pytest
from obstore.exceptions import AlreadyExistsError, BaseError, PermissionDeniedError
from obstore.store import AzureStore, S3Store
from servers.process import ServerProcess, StartError

SUPPORT = Path(__file__).parents[3] / "tests" / "support"
NO_RETRIES = {"max_retries": 0}


@pytest.fixture
def open_store(monkeypatch):
    """A function that opens a bucket the way a user does who has set the environment."""

    def opened(server, bucket):
        for name, value in server.environment().items():
            monkeypatch.setenv(name, value)
        if name.startswith("AZURE"):
            return AzureStore(bucket, retry_config=NO_RETRIES)
        return S3Store(bucket, retry_config=NO_RETRIES)

    return opened


@pytest.fixture(params=["moto", "radosgw", "azurite"])
def store(request, open_store):
    """An empty bucket of each server."""
    server = request.getfixturevalue(request.param)
    bucket = server.container() if request.param == "azurite" else server.bucket()
    return open_store(server, bucket)


def keys(store):
    return sorted(entry["path"] for page in obstore.list(store) for entry in page)


def wait_until(true):
    deadline = time.monotonic() + 60
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_object_comes_back_with_its_metadata(store):
    """What is put is there, with what its user said of it, until it is deleted."""
    obstore.put(store, "a/b c.txt", b"hello", attributes={"sha256": "2cf2", "run": "42"})
    obstore.put(store, "large", b"x" * 12_000_000, chunk_size=5 << 20, max_concurrency=1)

    head = obstore.get(store, "a/b c.txt", options={"head": True})
    assert head.meta["size"] == 5
    assert {"sha256": "2cf2", "run": "42"}.items() <= dict(head.attributes).items()
    assert obstore.get(store, "a/b c.txt").bytes() == b"hello"
    assert obstore.head(store, "large")["size"] == 12_000_000
    assert keys(store) == ["a/b c.txt", "large"]

    obstore.delete(store, ["a/b c.txt", "large"])
    assert keys(store) == []
    with pytest.raises(FileNotFoundError):
        obstore.head(store, "large")


def test_moto_honours_a_create_only_put(moto, open_store):
    """The second put of a key is refused."""
    store = open_store(moto, moto.bucket())
    obstore.put(store, "key", b"first", mode="create")
    with pytest.raises(AlreadyExistsError):
        obstore.put(store, "key", b"second", mode="create")
    assert obstore.get(store, "key").bytes() == b"first"


def test_radosgw_ignores_that_a_put_is_create_only(radosgw, open_store):
    """It overwrites; code that trusts the condition loses data here."""
    store = open_store(radosgw, radosgw.bucket())
    obstore.put(store, "key", b"first", mode="create")
    obstore.put(store, "key", b"second", mode="create")
    assert obstore.get(store, "key").bytes() == b"second"


def test_radosgw_refuses_a_wrong_secret(radosgw, open_store):
    """Signatures are checked."""
    thief = dataclasses.replace(radosgw, secret_key="guessed")
    with pytest.raises(PermissionDeniedError, match="SignatureDoesNotMatch"):
        obstore.put(open_store(thief, radosgw.bucket()), "key", b"mine")


def test_client_looks_from_outside(radosgw, open_store):
    """boto3 sees keys, their metadata and uploads in progress."""
    bucket = radosgw.bucket()
    obstore.put(open_store(radosgw, bucket), "key", b"1", attributes={"run": "42"})
    client = radosgw.client()
    assert [each["Key"] for each in client.list_objects_v2(Bucket=bucket)["Contents"]] == ["key"]
    assert client.head_object(Bucket=bucket, Key="key")["Metadata"] == {"run": "42"}


def test_moto_lists_uploads_in_progress(moto):
    """An upload that was begun and not finished can be seen."""
    bucket, client = moto.bucket(), moto.client()
    begun = client.create_multipart_upload(Bucket=bucket, Key="key")["UploadId"]
    listed = client.list_multipart_uploads(Bucket=bucket)["Uploads"]
    assert [each["UploadId"] for each in listed] == [begun]


def test_radosgw_keeps_its_data_when_killed(own_radosgw, open_store):
    """What it acknowledged is there when it runs again; meanwhile, nobody answers."""
    store = open_store(own_radosgw, own_radosgw.bucket())
    obstore.put(store, "key", b"kept")
    own_radosgw.kill()
    with pytest.raises(BaseError):
        obstore.get(store, "key")
    own_radosgw.start()
    assert obstore.get(store, "key").bytes() == b"kept"


def test_moto_forgets_its_data_when_killed(own_moto):
    """It runs again on the same port, empty."""
    own_moto.bucket()
    own_moto.kill()
    own_moto.start()
    assert own_moto.client().list_buckets()["Buckets"] == []


def test_paused_server_does_not_answer(own_moto):
    """A request times out until the server may go on."""
    bucket, port = own_moto.bucket(), own_moto.process.port

    def put(timeout):
        store = S3Store(
            bucket,
            config={
                "access_key_id": own_moto.access_key,
                "secret_access_key": own_moto.secret_key,
                "endpoint": f"http://127.0.0.1:{port}",
            },
            client_options={"allow_http": True, "timeout": timeout},
            retry_config=NO_RETRIES,
        )
        obstore.put(store, "key", b"1")

    own_moto.pause()
    with pytest.raises(BaseError, match=r"Timeout|TimedOut|timed out"):
        put("1s")
    own_moto.resume()
    put("60s")  # How fast it answers, with the request that was given up, is not what is asked.


@pytest.mark.parametrize("number", [1, 2])
def test_each_test_has_a_database_of_its_own(postgres_url, number):
    """It is empty, and as durable as the server is by default."""
    psycopg = pytest.importorskip("psycopg")
    with psycopg.connect(postgres_url) as connection:
        assert connection.execute("SHOW fsync").fetchone() == ("on",)
        assert connection.execute("SHOW synchronous_commit").fetchone() == ("on",)
        connection.execute("CREATE TABLE unit (number integer)")


def test_small_disk_fills_up(small_disk):
    """Writing past its size fails as on any full disk, and only there."""
    first, second = small_disk(1), small_disk(2)
    with pytest.raises(OSError, match="No space left"):
        (first / "file").write_bytes(b"x" * (1 << 20) + b"x")
    (second / "file").write_bytes(b"x" * (1 << 20) + b"x")


def test_failed_start_shows_the_log():
    """Whoever reads the message learns why."""
    with ServerProcess("acme") as process:
        process.command = ("sh", "-c", "echo no more ports; exit 3")
        with pytest.raises(StartError, match=r"ended with 3\n\nno more ports"):
            process.start()
    assert not process.folder.exists()


def test_server_that_will_not_stop_is_killed(tmp_path):
    """One that ignores SIGTERM is gone all the same."""
    deaf = tmp_path / "deaf.py"
    deaf.write_text(
        "import http.server, signal, sys\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "http.server.test(port=int(sys.argv[1]), bind='127.0.0.1')\n"
    )
    with ServerProcess("acme") as process:
        process.command = (sys.executable, deaf, process.port)
        process.start()
        pid = process.pid
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def run_pytest(folder, source, **environment):
    """Run pytest on one test file in a process of its own, which knows only our fixtures."""
    (folder / "test_it.py").write_text(source)
    (folder / "pytest.ini").write_text("[pytest]\n")
    kept = {k: v for k, v in os.environ.items() if k != "CI" and not k.startswith("PYTEST")}
    return subprocess.Popen(
        [sys.executable, "-m", "pytest", "-p", "servers.fixtures", "-p", "no:cacheprovider", "-rA"],
        cwd=folder,
        env={**kept, "PYTHONPATH": str(SUPPORT), **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL], ids=lambda each: each.name)
@pytest.mark.parametrize("server", ["own_moto", "postgres", "small_disk"])
def test_nothing_is_left_when_the_tests_are_stopped(request, tmp_path, server, number):
    """Neither Ctrl-C nor the death of the tests leaves a process, a folder or a mount."""
    here = request.getfixturevalue(server.removeprefix("own_"))
    if server == "small_disk":
        here(1)  # skips this test where the inner one would be skipped
    source = f"""
import pathlib
import time

def test_it({server}):
    if {server == "small_disk"}:
        pid, folder = 0, small_disk(1)
    else:
        pid, folder = {server}.process.pid, {server}.process.folder
    note = pathlib.Path("note")
    note.with_suffix(".part").write_text(f"{{pid}} {{folder}}")
    note.with_suffix(".part").rename(note)
    time.sleep(600)
"""
    running = run_pytest(tmp_path, source)
    with running:
        try:
            wait_until(lambda: (tmp_path / "note").exists() or running.poll() is not None)
            pid, folder = (tmp_path / "note").read_text().split()
            assert pid == "0" or Path("/proc", pid).exists()
            assert os.path.ismount(folder) == (server == "small_disk")
        finally:
            running.send_signal(number)
    wait_until(lambda: pid == "0" or not Path("/proc", pid).exists())
    if server == "small_disk":
        wait_until(lambda: not os.path.ismount(folder))
    else:
        wait_until(lambda: not Path(folder).exists())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fixture", "package"),
    [("radosgw", "the Debian package radosgw"), ("moto", "the PyPI package moto[server]")],
)
def test_missing_server_skips_its_tests_and_fails_them_in_ci(tmp_path, fixture, package):
    """A green CI run hides no server that is missing."""
    pytest.importorskip("boto3")
    source = f"""
import servers.missing
servers.missing.find_spec = lambda name: None if name == "moto" else True

def test_it({fixture}):
    pass
"""
    for environment, outcome in ({}, "1 skipped"), ({"CI": "true"}, "1 error"):
        run = run_pytest(tmp_path, source, PATH=str(tmp_path), **environment)
        output, _ = run.communicate(timeout=120)
        assert outcome in output
        assert f"it comes with {package}" in output
