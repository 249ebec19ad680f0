"""What the steps of a training tell the user, and what a failed training tells."""

from __future__ import annotations

from handrail_synapse.messages import LogLevel, LogMessageCode, register_log_messages


class TrainLogMessageCode(LogMessageCode):
    """Messages of a training."""

    TRAIN_STARTING = ("TRAIN_STARTING", LogLevel.INFO)
    TRAIN_EPOCH_PROGRESS = ("TRAIN_EPOCH_PROGRESS", LogLevel.INFO)
    TRAIN_VALIDATION_METRICS = ("TRAIN_VALIDATION_METRICS", LogLevel.INFO)
    TRAIN_COMPLETED = ("TRAIN_COMPLETED", LogLevel.SUCCESS)
    TRAIN_MODEL_SAVED = ("TRAIN_MODEL_SAVED", LogLevel.INFO)
    TRAIN_MODEL_UPLOADED = ("TRAIN_MODEL_UPLOADED", LogLevel.SUCCESS)
    TRAIN_FAILED_GPU_RESOURCE = ("TRAIN_FAILED_GPU_RESOURCE", LogLevel.DANGER)
    TRAIN_FAILED_RAY_CONNECTION = ("TRAIN_FAILED_RAY_CONNECTION", LogLevel.DANGER)
    TRAIN_FAILED_CONFIG = ("TRAIN_FAILED_CONFIG", LogLevel.DANGER)
    TRAIN_FAILED_MODEL_REGISTER = ("TRAIN_FAILED_MODEL_REGISTER", LogLevel.ERROR)
    TRAIN_FAILED_STEP = ("TRAIN_FAILED_STEP", LogLevel.DANGER)
    TRAIN_FAILED_ADMIN_CONTACT = ("TRAIN_FAILED_ADMIN_CONTACT", LogLevel.DANGER)


class DatasetLogMessageCode(LogMessageCode):
    """Messages of the download of a data set."""

    DATASET_DOWNLOAD_STARTING = ("DATASET_DOWNLOAD_STARTING", LogLevel.INFO)
    DATASET_GT_EVENTS_FOUND = ("DATASET_GT_EVENTS_FOUND", LogLevel.INFO)
    DATASET_SPLIT_DOWNLOADED = ("DATASET_SPLIT_DOWNLOADED", LogLevel.INFO)
    DATASET_DOWNLOAD_COMPLETED = ("DATASET_DOWNLOAD_COMPLETED", LogLevel.SUCCESS)
    DATASET_DOWNLOAD_PARTIAL = ("DATASET_DOWNLOAD_PARTIAL", LogLevel.WARNING)


_CODE, _DATA = TrainLogMessageCode, DatasetLogMessageCode

register_log_messages(
    {
        _CODE.TRAIN_STARTING: "The training begins, with {epochs} epochs",
        _CODE.TRAIN_EPOCH_PROGRESS: "Epoch {epoch} of {total_epochs}",
        _CODE.TRAIN_VALIDATION_METRICS: "mAP50 {map50:.3f}, mAP50-95 {map50_95:.3f}",
        _CODE.TRAIN_COMPLETED: "The model is trained",
        _CODE.TRAIN_MODEL_SAVED: "Sending the model",
        _CODE.TRAIN_MODEL_UPLOADED: "The model is registered",
        _CODE.TRAIN_FAILED_GPU_RESOURCE: "The training stopped for want of a GPU{detail}",
        _CODE.TRAIN_FAILED_RAY_CONNECTION: "The training cannot reach Ray",
        _CODE.TRAIN_FAILED_CONFIG: "The training is not set up as it has to be: {error}",
        _CODE.TRAIN_FAILED_MODEL_REGISTER: "The model could not be registered: {error}",
        _CODE.TRAIN_FAILED_STEP: "The training failed in the step {failed_step}",
        _CODE.TRAIN_FAILED_ADMIN_CONTACT: "The training failed",
        _DATA.DATASET_DOWNLOAD_STARTING: "Downloading the data set {dataset_id}",
        _DATA.DATASET_GT_EVENTS_FOUND: "The data set has {count} items",
        _DATA.DATASET_SPLIT_DOWNLOADED: "{count} items of {split_name} downloaded",
        _DATA.DATASET_DOWNLOAD_COMPLETED: "{count} items downloaded",
        _DATA.DATASET_DOWNLOAD_PARTIAL: "{downloaded} items downloaded, {missing} without an image",
    }
)
