"""train_model: train epoch by epoch, with a checkpoint after each, and continue from the last."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from handrail import BaseStep, StepResult
from handrail_storage import count_text
from handrail_train.context import TrainContext

if TYPE_CHECKING:
    from handrail_train.checkpoints import Checkpoint, Checkpoints
    from handrail_train.undo import TrainUndo


class TrainModelStep(BaseStep[TrainContext]):
    """Train the model; a checkpoint after each epoch lets a killed run go on from there."""

    name = "train_model"
    progress_weight = 0.50

    def execute(self, context: TrainContext) -> StepResult:
        from handrail_train.checkpoints import Checkpoints

        context.needs("load_dataset")
        folder = context.options.folder.absolute()
        missing = [str(path) for path in (folder, *folder.parents) if not path.exists()]
        if missing:
            context.record_rollback_many("folders", reversed(missing))
        place = folder / context.run
        context.record_rollback("checkpoints", str(place))
        return self._train(context, Checkpoints(place))

    def resume(self, context: TrainContext, result: StepResult) -> StepResult:
        """Continue from the last checkpoint; the model will be the same as without interruption."""
        from handrail_train.checkpoints import Checkpoints

        recorded = _written_by(context, result)
        if recorded.refused is not None:
            raise recorded.refused
        if not recorded.places:
            return self.execute(context)
        return self._train(context, Checkpoints(recorded.places[-1]))

    def _train(self, context: TrainContext, checkpoints: Checkpoints) -> StepResult:
        from handrail_train.lineage import lineage_of
        from handrail_train.training import Schedule, Training

        options, began = context.options, time.monotonic()
        checkpoints.make()
        split = context.use_learnt().split
        schedule = Schedule(
            epochs=options.epochs,
            patience=options.patience,
            tolerance=options.tolerance,
            checkpoint_every=options.checkpoint_every,
        )

        def told(shown: Mapping[str, float]) -> None:
            context.set_progress(shown["epoch"], options.epochs, "epochs")
            context.set_metrics(shown)

        training = Training(
            kind=options.model_kind(),
            hyper=options.hyper_parameters(),
            split=split,
            seed=options.seed,
            schedule=schedule,
            checkpoints=checkpoints,
            about={
                "data": context.dataset["fingerprint"],
                "rows in a chunk": split.train.chunk_rows or len(split.train),
            },
            told=told,
        )
        kept = training.run()
        latest = checkpoints.latest() or kept
        context.history = latest.history
        # Here, as a run that stores its model again has to store the very same.
        context.lineage = lineage_of(context, time.monotonic() - began)
        context.model_path = str(checkpoints.path(kept.epoch))
        context.opened.trained, context.opened.predictor = kept, None
        return _result(kept, latest)

    def rollback(self, context: TrainContext, result: StepResult) -> None:
        _written_by(context, result).run()

    def preview_rollback(self, context: TrainContext, result: StepResult) -> Iterator[str]:
        return _written_by(context, result).preview()

    def preview(self, context: TrainContext) -> str:
        options = context.options
        rows = (
            "" if context.dataset is None else f" on {count_text(context.dataset['train'], 'row')}"
        )
        return f"train {options.kind} for {count_text(options.epochs, 'epoch')} at most{rows}"


def _written_by(context: TrainContext, result: StepResult) -> TrainUndo:
    """Parse the rollback data of `train_model` into its undo."""
    from handrail_train.site import site_of
    from handrail_train.undo import TrainUndo

    notes = context.notes_of(result)
    return TrainUndo.of(notes, site_of(context, notes))


def _result(kept: Checkpoint, latest: Checkpoint) -> StepResult:
    from handrail_train.training import WATCHED

    shown = kept.history[-1]
    figures = ", ".join(
        f"{name.replace('_', ' ')} {shown[name]:.4g}"
        for name in ("loss", WATCHED, "validation_accuracy", "validation_rmse")
        if name in shown
    )
    best = f", the best after {kept.epoch}" if kept.epoch != latest.epoch else ""
    ended = f"{count_text(latest.epoch, 'epoch')}{best}"
    summary = " · ".join(filter(None, (ended, figures)))
    return StepResult(
        data={"summary": summary, "epochs": latest.epoch, "best_epoch": kept.epoch, **shown}
    )
