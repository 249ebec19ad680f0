"""A training keeps the contract of packs: its undo stays where it worked, whatever is recorded."""

from __future__ import annotations

from containment import ContainmentContract


class TestContainment(ContainmentContract):
    kinds = ("completed", "training", "storing")
    notes = (
        *(("train_model", key) for key in ("checkpoints", "folders")),
        *(("upload_model", key) for key in ("store", "mark", "keys", "folders")),
    )
    fields = ("model_path",)
    names = (
        *(
            "<run>/upload_model",
            "other/upload_model",
            f"objects/aa/{'aa' * 32}",
            f"objects/aa/{'aa' * 32}-<run>.json",
            "objects/aa",
            "objects",
        ),
        *(
            "objects/bb/secret.txt",
            f"objects/bb/{'bb' * 32}",
            "versions/flowers/1.json",
            "versions",
        ),
        *(
            "<home>/work/models",
            "<home>/work/models/objects/bb/empty",
            "<home>/work/models/out/empty",
        ),
        *(
            "<home>/work/.handrail/train",
            "<home>/work/.handrail/train/<run>",
            "<home>/work/.handrail",
        ),
        *(
            "<home>/work/.handrail/train/other",
            "<home>/beside/epoch-00001.ckpt",
            "<home>/gone/models",
        ),
    )
    elsewhere = (
        (("train_model", "checkpoints"), "<home>/beside"),
        (("train_model", "folders"), "<home>/beside/empty"),
        (("upload_model", "keys"), "../secret.txt"),
        (("upload_model", "store"), "<home>/beside"),
        (("upload_model", "folders"), "<home>/work/models/out/empty"),
    )
    previews = (
        ("completed", ("version 1 of flowers leaves models: up to 6 objects deleted (",)),
        ("training", ("the checkpoints of 2 epochs deleted (",)),
        (
            "storing",
            (
                " in models",
                "the checkpoints of 3 epochs deleted (",
            ),
        ),
    )
