"""Credentials and settings come from where the AWS tools keep them."""

from __future__ import annotations

import sys

import pytest

from handrail_storage import StorageError, open_store, parse_place
from handrail_storage.backend.clients import make_client, profile_settings

MARK = "0198-run/save"
KEYS = "aws_access_key_id = {0}\naws_secret_access_key = {0}-secret\n"


@pytest.fixture
def aws(home):
    """Write the files in ~/.aws."""
    (home / ".aws").mkdir()

    def _write(*, credentials: str | None = None, config: str | None = None) -> None:
        for name, text in ("credentials", credentials), ("config", config):
            if text is not None:
                (home / ".aws" / name).write_text(text)

    return _write


@pytest.fixture
def settings(home):
    """Return what a profile says in an environment."""
    return lambda **environment: profile_settings({"HOME": str(home), **environment})


def test_nothing_is_no_settings(settings):
    """Without files there are none, and that is no error."""
    assert settings() == {}


def test_default_profile_is_read(aws, settings):
    """Credentials from one file, the rest from the other."""
    aws(
        credentials=f"[default]\n{KEYS.format('us')}aws_session_token = t%o=ken\n",
        config="[default]\nregion = eu-central-1\nendpoint_url = https://s3.acme.example\n",
    )
    assert settings() == {
        "access_key_id": "us",
        "secret_access_key": "us-secret",
        "session_token": "t%o=ken",
        "region": "eu-central-1",
        "endpoint": "https://s3.acme.example",
    }


def test_named_profile_is_read(aws, settings):
    """It has another heading in each of the files, and nothing of the default."""
    aws(
        credentials=f"[default]\n{KEYS.format('us')}[lab]\n{KEYS.format('lab')}",
        config="[default]\nregion = eu-central-1\n[profile lab]\nregion = eu-west-1\n",
    )
    assert settings(AWS_PROFILE="lab") == {
        "access_key_id": "lab",
        "secret_access_key": "lab-secret",
        "region": "eu-west-1",
    }


def test_credentials_may_stand_in_the_config(aws, settings):
    """Where both files have some, those of the credentials file are taken."""
    aws(config=f"[profile lab]\n{KEYS.format('config')}")
    assert settings(AWS_PROFILE="lab")["access_key_id"] == "config"
    aws(credentials=f"[lab]\n{KEYS.format('credentials')}")
    assert settings(AWS_PROFILE="lab")["access_key_id"] == "credentials"


def test_files_may_lie_elsewhere(tmp_path, settings):
    """The variables that name them are heeded."""
    (tmp_path / "c").write_text(f"[lab]\n{KEYS.format('lab')}")
    (tmp_path / "d").write_text("[profile lab]\nregion = eu-west-1\n")
    found = settings(
        AWS_PROFILE="lab",
        AWS_SHARED_CREDENTIALS_FILE=str(tmp_path / "c"),
        AWS_CONFIG_FILE=str(tmp_path / "d"),
    )
    assert (found["access_key_id"], found["region"]) == ("lab", "eu-west-1")


def test_files_may_be_named_from_home(home, settings):
    """As the AWS tools do, `~` is taken for the home folder."""
    (home / "c").write_text(f"[default]\n{KEYS.format('us')}")
    assert settings(AWS_SHARED_CREDENTIALS_FILE="~/c")["access_key_id"] == "us"


@pytest.mark.parametrize("profile", [None, "lab"], ids=["default", "named"])
def test_credentials_of_the_environment_win(aws, settings, profile):
    """As with the AWS tools, those of a profile are not mixed into them."""
    keys = f"{KEYS.format('file')}aws_session_token = file\n"
    aws(credentials=f"[default]\n{keys}[lab]\n{keys}")
    given = {"AWS_PROFILE": profile} if profile else {}
    found = settings(AWS_ACCESS_KEY_ID="e", AWS_SECRET_ACCESS_KEY="s", **given)
    assert found.keys().isdisjoint({"access_key_id", "secret_access_key", "session_token"})


@pytest.mark.parametrize("name", ["AWS_REGION", "AWS_DEFAULT_REGION"])
def test_region_of_the_environment_wins(aws, settings, name):
    """The one of the profile is not given to the client then."""
    aws(config="[default]\nregion = eu-central-1\n", credentials=f"[default]\n{KEYS.format('us')}")
    assert "region" not in settings(**{name: "eu-west-1"})


def test_profile_that_is_missing_is_told(aws, settings, home):
    """With the files that were looked into."""
    aws(credentials="[default]\n", config="")
    with pytest.raises(StorageError) as caught:
        settings(AWS_PROFILE="lab")
    assert caught.value.message == (
        f"there is no AWS profile lab in {home}/.aws/credentials or {home}/.aws/config"
    )
    assert caught.value.ways_out == ("set AWS_PROFILE to one that is there, or unset it",)


@pytest.mark.parametrize("text", ["[default\n", "key = 1\n", "[a]\n[a]\n"])
def test_file_that_is_broken_is_told(aws, settings, home, text):
    """On one line, with its path."""
    aws(credentials=text)
    with pytest.raises(StorageError) as caught:
        settings()
    assert caught.value.message.startswith(f"{home}/.aws/credentials cannot be read: ")
    assert "\n" not in caught.value.message


@pytest.mark.parametrize("text", ["[default]\nkey = 1\n{}\n", "{}\n[default]\n"])
def test_secret_in_a_broken_file_is_not_told(aws, settings, text):
    """The line is told by its number, since it may hold what nobody should see."""
    aws(credentials=text.format("aws_secret_access_key: wJalrXUtnFEMI".replace(":", "")))
    with pytest.raises(StorageError, match=r"line \d makes no sense") as caught:
        settings()
    assert "wJalr" not in caught.value.message
    assert caught.value.__cause__ is None


def test_file_that_is_no_text_is_told(home, aws, settings):
    """Bytes that are no UTF-8 are an error that names the file."""
    aws(config="")
    (home / ".aws" / "credentials").write_bytes(b"[default]\nregion = \xff\n")
    with pytest.raises(StorageError, match="credentials cannot be read"):
        settings()


def test_file_that_cannot_be_read_is_told(home, aws, settings):
    """It is not passed over as if there were none."""
    aws(config="")
    (home / ".aws" / "credentials").mkdir()
    with pytest.raises(StorageError, match=r"credentials cannot be read: .*directory"):
        settings()


SDK = {
    "role": "role_arn = arn:aws:iam::1:role/r\nsource_profile = default\n",
    "sso": "sso_session = acme\nsso_account_id = 1\nsso_role_name = r\n",
    "old sso": "sso_start_url = https://acme.example\nsso_region = eu-west-1\n",
    "process": "credential_process = /bin/true\n",
}


@pytest.mark.parametrize("text", SDK.values(), ids=SDK)
def test_profile_that_takes_the_sdk_says_so_without_it(aws, settings, monkeypatch, text):
    """Where boto3 is missing, the message says how to get it."""
    aws(config=f"[profile lab]\n{text}")
    monkeypatch.setitem(sys.modules, "boto3", None)
    with pytest.raises(StorageError) as caught:
        settings(AWS_PROFILE="lab")
    assert caught.value.message.startswith("the AWS profile lab gets its credentials from")
    assert caught.value.ways_out == ("pip install 'handrail-storage[aws]'",)


def test_profile_with_keys_does_not_take_the_sdk(aws, settings, monkeypatch):
    """Where the credentials are written down, nothing else is needed."""
    aws(config=f"[profile lab]\n{SDK['role']}", credentials=f"[lab]\n{KEYS.format('lab')}")
    monkeypatch.setitem(sys.modules, "boto3", None)
    assert settings(AWS_PROFILE="lab")["access_key_id"] == "lab"


def test_profile_with_a_process_goes_through_the_sdk(aws, home, monkeypatch, moto):
    """boto3 runs it, and the upload is signed with what it says."""
    pytest.importorskip("boto3")
    program = home / "program"
    program.write_text(
        '#!/bin/sh\necho \'{"Version": 1, "AccessKeyId": "acme", "SecretAccessKey": "s"}\'\n'
    )
    program.chmod(0o700)
    aws(config=f"[profile lab]\ncredential_process = {program}\nregion = us-east-1\n")
    monkeypatch.setenv("AWS_PROFILE", "lab")
    monkeypatch.setenv("AWS_ENDPOINT_URL", moto.endpoint)
    storage = open_store(f"s3://{moto.bucket()}/p", retries=0)
    storage.create("a", b"1", MARK)
    assert storage.stat("a").size == 1


# Through to the server


@pytest.mark.parametrize("profile", ["default", "lab"])
def test_upload_works_with_a_profile_alone(aws, monkeypatch, radosgw, profile):
    """Keys, region and endpoint from the files are enough, and signatures fit."""
    heading = profile if profile == "default" else f"profile {profile}"
    aws(
        credentials=f"[{profile}]\naws_access_key_id = {radosgw.access_key}\n"
        f"aws_secret_access_key = {radosgw.secret_key}\n",
        config=f"[{heading}]\nregion = {radosgw.region}\nendpoint_url = {radosgw.endpoint}\n",
    )
    if profile != "default":
        monkeypatch.setenv("AWS_PROFILE", profile)
    storage = open_store(f"s3://{radosgw.bucket()}/p", retries=0)
    storage.reach()
    storage.probe(".handrail-probe", MARK)
    storage.create("a", b"hello", MARK)
    assert storage.stat("a").size == 5


def test_endpoint_of_the_environment_wins(aws, monkeypatch, moto):
    """The more so the more exactly it is named."""
    dead = "http://127.0.0.1:9"
    aws(
        credentials=f"[default]\n{KEYS.format('acme')}",
        config=f"[default]\nregion = us-east-1\nendpoint_url = {dead}\n",
    )
    bucket = moto.bucket()
    monkeypatch.setenv("AWS_ENDPOINT_URL", moto.endpoint)
    open_store(f"s3://{bucket}", retries=0).create("a", b"1", MARK)
    monkeypatch.setenv("AWS_ENDPOINT_URL", dead)
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", moto.endpoint)
    open_store(f"s3://{bucket}", retries=0).create("b", b"1", MARK)
    assert [each.key for each in open_store(f"s3://{bucket}", retries=0).listing()] == ["a", "b"]


def test_settings_that_make_no_sense_are_told(monkeypatch):
    """The target is named, and no dump of the client's insides is shown."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")
    monkeypatch.setenv("AWS_S3_EXPRESS", "perhaps")
    with pytest.raises(StorageError) as caught:
        make_client(parse_place("s3://b/p"), retries=0)
    assert caught.value.message.startswith("s3://b/p cannot be opened: ")
    assert "Debug source" not in caught.value.message


def test_empty_credentials_are_told(monkeypatch):
    """A variable that was meant to be set, as in CI, is named."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "")
    with pytest.raises(StorageError, match="AWS_ACCESS_KEY_ID is empty"):
        open_store("s3://b/p")
