"""upload_model: store the model and its report as a new version."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from handrail import BaseStep, StepResult
from handrail_storage import size_text
from handrail_train.context import TrainContext

if TYPE_CHECKING:
    from handrail_train.checkpoints import Checkpoint
    from handrail_train.publishing import Files
    from handrail_train.site import Site
    from handrail_train.undo import UploadUndo


# The params that the model depends on, besides the data and the hyper-parameters.
REPORTED = (
    *("target", "task", "features", "drop", "column", "missing", "class_weight"),
    *("epochs", "patience", "tolerance", "test_share", "validation_share"),
    *("split_group", "split_time", "folds", "seed", "chunk_rows"),
)


class UploadModelStep(BaseStep[TrainContext]):
    """Store the model under a name of this run, and a manifest that makes it a version."""

    name = "upload_model"
    progress_weight = 0.20

    def execute(self, context: TrainContext) -> StepResult:
        return self._publish(context, StepResult())

    def resume(self, context: TrainContext, result: StepResult) -> StepResult:
        """Store the missing objects; a complete version is not changed."""
        return self._publish(context, result)

    def _publish(self, context: TrainContext, recorded: StepResult) -> StepResult:
        from handrail_train.checkpoints import Checkpoints
        from handrail_train.publishing import Publishing, earlier_version
        from handrail_train.site import checkpoint_of

        context.needs("train_model")
        began, store = time.monotonic(), context.use_store()
        context.opened.uploading = True
        earlier, _ = _stored_by(context, recorded)
        if earlier.refused is not None:
            raise earlier.refused
        for name, value in (("store", store.address), ("mark", earlier.mark)):
            if name not in recorded.rollback_data:
                context.record_rollback(name, value)
        publishing = Publishing(
            store=store,
            mark=earlier.mark,
            record_many=context.record_rollback_many,
            told=lambda done, total: context.set_progress(done, total, "bytes"),
            keys=list(earlier.keys),
        )
        version = earlier_version(store, earlier)
        if version is None:
            version = publishing.publish(files_of(context), _about(context))
        else:
            publishing.finish(version)
        context.model = version.to_dict()
        if context.model_path is not None:
            # From here on, the model is loaded from the store.
            Checkpoints(checkpoint_of(context).parent).remove()
        size = sum(each.size for each in version.files.values())
        return StepResult(
            data={
                "summary": f"{version.reference} in {store.url} · {size_text(size)}",
                "version": version.reference,
                "bytes": size,
                "seconds": round(time.monotonic() - began, 3),
            }
        )

    def rollback(self, context: TrainContext, result: StepResult) -> None:
        stored, site = _stored_by(context, result)
        undone = stored.run(site.open(), killed=not context.opened.uploading)
        context.model = None
        context.log("undone", {"summary": undone})

    def preview_rollback(self, context: TrainContext, result: StepResult) -> Iterator[str]:
        stored, site = _stored_by(context, result)
        return stored.preview(site)

    def preview(self, context: TrainContext) -> str:
        options = context.options
        return f"store a new version of {options.model_name} in {context.use_store().url}"


def _stored_by(context: TrainContext, result: StepResult) -> tuple[UploadUndo, Site]:
    """Parse the rollback data of `upload_model`; return its undo, and the places of the run."""
    from handrail_train.site import site_of
    from handrail_train.undo import UploadUndo

    notes = context.notes_of(result)
    site = site_of(context, notes)
    return UploadUndo.of(notes, site, context.mark), site


def files_of(context: TrainContext) -> Files:
    """Return the files of the version, from the results of the earlier steps.

    Raises:
        CheckpointError: The trained model is missing or damaged.
    """
    from handrail_train.card import card_of
    from handrail_train.lineage import lineage_of
    from handrail_train.predictor import table_to_dict
    from handrail_train.publishing import Files

    checkpoint, kind = context.use_checkpoint(), context.options.model_kind()
    learnt = context.use_learnt()
    table = table_to_dict(learnt.encoder, learnt.dataset.target)
    report = _report(context, checkpoint)
    contents = {
        "model": (kind.artefact(checkpoint.content), kind.suffix),
        "table": (_json(table), ".json"),
        "report": (_json(report), ".json"),
        "lineage": (_json(context.lineage or lineage_of(context)), ".json"),
        "card": (card_of(context.options.model_name, report).encode(), ".md"),
    }
    return Files(run=context.run, contents=contents)


def _about(context: TrainContext) -> dict[str, Any]:
    from handrail_train.figures import FIGURES

    options, metrics = context.options, context.metrics
    return {
        "name": options.model_name,
        "kind": options.kind,
        "data": context.dataset["fingerprint"],
        "scores": {name: metrics[name] for name in FIGURES if name in metrics},
        "libraries": options.model_kind().versions(),
    }


def _report(context: TrainContext, checkpoint: Checkpoint) -> dict[str, Any]:
    """Return all that is known of the training: equal for equal trainings."""
    options = context.options
    return {
        "kind": options.kind,
        "hyper": options.hyper_parameters().model_dump(mode="json"),
        "params": options.model_dump(mode="json", include=set(REPORTED)),
        "dataset": {"name": options.source().name, **context.dataset},
        "history": context.history,
        "best_epoch": checkpoint.epoch,
        "metrics": context.metrics,
        "libraries": options.model_kind().versions(),
    }


def _json(value: Any) -> bytes:
    return json.dumps(value, indent=1, sort_keys=True, allow_nan=False).encode() + b"\n"
