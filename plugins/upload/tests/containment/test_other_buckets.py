"""In an object storage an undo stays below the prefix of its target, whatever a journal says."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from killing.memory import folder_in_memory

from handrail_upload.storage.objects import ObjectStorage

EXAMPLES = min(int(os.environ.get("HANDRAIL_FAULTS", "6")), 60)
ANOTHER = "0198c0de-0000-7000-8000-000000000000"

KEYS = (
    *("../outside.txt", "/outside.txt", "//outside.txt", "x/../../outside.txt", "../data2/a.txt"),
    *("theirs.txt", "", ".", "\0", "\ud800", f".handrail/{ANOTHER}/aside/a.txt"),
    *("{other}/outside.txt", "s3://{other}/data/a.txt", "a.txt"),
)
keys = st.sampled_from(KEYS)
changes = st.one_of(
    st.tuples(st.sampled_from(["target"]), st.sampled_from(["s3://{other}/data", "s3://{bucket}"])),
    st.tuples(st.sampled_from(["keys", "parts", "folders"]), keys),
    st.tuples(st.just("asides"), st.builds(lambda a, b: {"key": a, "name": b}, keys, keys)),
    st.tuples(st.just("mark"), st.sampled_from(["{uid}/initialize", "another/upload_files"])),
)


@pytest.fixture
def server(moto: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A server, which the environment names."""
    monkeypatch.setattr(ObjectStorage, "lag", 0.01)
    for name, value in moto.environment().items():
        monkeypatch.setenv(name, value)
    return moto


def objects(server: Any, bucket: str) -> dict[str, Any]:
    """Return the objects of a bucket, with their content and metadata."""
    found = {}
    for each in server.client().list_objects_v2(Bucket=bucket).get("Contents", []):
        answer = server.client().get_object(Bucket=bucket, Key=each["Key"])
        found[each["Key"]] = (answer["Body"].read(), answer["Metadata"])
    return found


def filled(value: Any, names: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: filled(each, names) for key, each in value.items()}
    for name, text in names.items():
        value = value.replace(f"{{{name}}}", text)
    return value


@pytest.mark.slow
@given(drawn=st.lists(changes, min_size=1, max_size=5), only=st.booleans())
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
def test_nothing_outside_of_the_prefix_is_touched(
    server: Any, make: Callable[..., Any], drawn: list[tuple[str, Any]], only: bool
) -> None:
    """Also not what has the very mark of the run, which a copy of its objects has."""
    usual = Path.cwd()
    bucket, other = server.bucket(), server.bucket()
    with folder_in_memory() as top:
        try:
            forged = make(top, target=f"s3://{bucket}/data")
            names = {"uid": forged.uid, "bucket": bucket, "other": other}
            mark = {"handrail-run": f"{forged.uid}/upload_files"}
            put = server.client().put_object
            for place, key, metadata in (
                *((each, "outside.txt", mark) for each in (bucket, other)),
                *((each, "data2/a.txt", mark) for each in (bucket, other)),
                (other, "data/a.txt", mark),
                (bucket, f"data/.handrail/{ANOTHER}/aside/a.txt", mark),
                (bucket, "data/theirs.txt", {"owner": "somebody"}),
            ):
                put(Bucket=place, Key=key, Body=b"theirs", Metadata=metadata)
            before = {each: objects(server, each) for each in (bucket, other)}
            assert "data/a.txt" in before[bucket]
            for note, value in drawn:
                more = [] if only else forged.recorded("upload_files", note)
                forged.note("upload_files", note, [filled(value, names), *more])
            forged.rollback()
            after = {each: objects(server, each) for each in (bucket, other)}
            assert after[other] == before[other]
            for key, found in before[bucket].items():
                if not key.startswith("data/") or found[0] == b"theirs":
                    assert after[bucket].get(key) == found, key
        finally:
            os.chdir(usual)
