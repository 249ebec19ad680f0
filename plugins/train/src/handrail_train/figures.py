"""The figures of a test: how each is called, and whether more of it is better."""

from __future__ import annotations

from collections.abc import Mapping

FIGURES: Mapping[str, tuple[str, bool]] = {
    "accuracy": ("accuracy", True),
    "balanced_accuracy": ("balanced accuracy", True),
    "macro_f1": ("macro F1", True),
    "auc": ("AUC", True),
    "average_precision": ("average precision", True),
    "log_loss": ("log loss", False),
    "calibration_error": ("calibration error", False),
    "r2": ("R2", True),
    "rmse": ("RMSE", False),
    "mae": ("MAE", False),
}
