"""Whatever a journal says, nothing outside of the store and the state folder is touched."""

from __future__ import annotations

import os
from typing import Any

import pytest
from forging import filled, forgeries
from hypothesis import HealthCheck, given, settings

from handrail_train import DefaultTrainAction

EXAMPLES = int(os.environ.get("HANDRAIL_FORGERIES", "20"))

NOTES = (
    *(("train_model", key) for key in ("checkpoints", "folders")),
    *(("upload_model", key) for key in ("store", "mark", "keys", "folders")),
)
FIELDS = ("model_path",)
NAMES = (
    *(
        "<run>/upload_model",
        "other/upload_model",
        f"objects/aa/{'aa' * 32}",
        f"objects/aa/{'aa' * 32}-<run>.json",
        "objects/aa",
        "objects",
    ),
    *("objects/bb/secret.txt", f"objects/bb/{'bb' * 32}", "versions/flowers/1.json", "versions"),
    *("<home>/work/models", "<home>/work/models/objects/bb/empty", "<home>/work/models/out/empty"),
    *("<home>/work/.handrail/train", "<home>/work/.handrail/train/<run>", "<home>/work/.handrail"),
    *("<home>/work/.handrail/train/other", "<home>/beside/epoch-00001.ckpt", "<home>/gone/models"),
)


def shaped(names: Any) -> Any:
    """Return values of the shapes that a training records: each is one name."""
    return names


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["completed", "training", "storing"])
@pytest.mark.parametrize("way", ["rollback", "resume"])
def test_nothing_outside_is_touched(recorded: Any, kind: str, way: str) -> None:
    """A forged journal undoes, or is refused, and all that is not of its run stays as it is."""

    @settings(
        max_examples=EXAMPLES if way == "rollback" else EXAMPLES // 2,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(forgeries(NOTES, FIELDS, NAMES, shaped))
    def check(forged: Any) -> None:
        run = recorded(kind)
        run.forge(filled(forged, run.names()))
        before = run.outside()
        ended = run.go_on(way, DefaultTrainAction)
        assert run.outside() == before
        # To go on may fail, and is undone then; a completed run has nothing to resume.
        ended.check(*((0, 3, 5) if way == "rollback" else (0, 1, 2, 3, 5)))

    check()


@pytest.mark.parametrize(
    ("note", "values"),
    [
        (("train_model", "checkpoints"), ["<home>/beside"]),
        (("train_model", "folders"), ["<home>/beside/empty"]),
        (("upload_model", "keys"), ["../secret.txt"]),
        (("upload_model", "store"), ["<home>/beside"]),
        (("upload_model", "folders"), ["<home>/work/models/out/empty"]),
    ],
)
def test_what_leads_elsewhere_is_named_and_the_rest_is_undone(
    recorded: Any, note: tuple[str, str], values: list[str]
) -> None:
    """One sentence says which note it is; it ends with 5, and nothing of it was touched."""
    run = recorded("completed")
    (value,) = filled(values, run.names())
    run.forge([("more", note, [value])])
    before = run.outside()
    ended = run.go_on("rollback", DefaultTrainAction)
    ended.check(5)
    assert run.outside() == before
    assert value in ended.told
    assert f"'{note[1]}'" in ended.told
    assert not list(run.store.glob("versions/*/*.json"))
