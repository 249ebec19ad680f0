"""What an export asks the service for: assignments, tasks or ground truth, page by page."""

from __future__ import annotations

import json
import os
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, ClassVar, cast
from urllib.parse import urlencode

from pydantic_core import PydanticCustomError

from handrail_synapse.given import as_dict

_COMMON = (
    "ids ids_ex search expand fields page_size ordering response_mode pagination _id_gte _id_lt "
    "page_retries page_retry_backoff throttle_seconds retry_on_status"
)
_EXPIRED = frozenset({400, 401, 403})  # What a URL that is too old is answered with.
_ORDERED = ("gt", "gte", "lt", "lte")
_TIMES = (
    "created label_submitted last_labeled last_reviewed labeler_last_action_at "
    "reviewer_last_action_at"
)


def _keys(*names: str, ranges: str = "") -> frozenset[str]:
    """Return the names, and those of the limits of `ranges`."""
    limits = (f"{name}__{kind}" for name in ranges.split() for kind in _ORDERED)
    return frozenset([*" ".join(names).split(), *limits])


class ExportTargetHandler(ABC):
    """Asks for the items of one kind; derive your own, and register it with the factory.

    Args:
        config: `export_page_size` and the like, in the place of the attributes below; variables
            such as `SYNAPSE_EXPORT_PAGE_SIZE` stand between both.

    Attributes:
        SUPPORTED_FILTER_KEYS: What a filter may have. The service leaves out what it does not know,
            and would answer with more than was asked for.
        EXPORT_PAGE_SIZE: Items in a page.
        EXPORT_THROTTLE_SECONDS: Seconds between pages.
        EXPORT_PAGE_RETRIES: How often a page is asked for again.
        EXPORT_PAGE_RETRY_BACKOFF: Factor by which the wait before another try grows.
        EXPORT_READ_TIMEOUT: Seconds that an answer may take.
    """

    SUPPORTED_FILTER_KEYS: frozenset[str] = _keys(_COMMON)
    MAX_FILTER_QUERY_BYTES: int = 10_000
    MAX_EXPORT_PAGE_SIZE: int = 1000

    EXPORT_PAGE_SIZE: int = 100
    EXPORT_THROTTLE_SECONDS: float = 0.1
    EXPORT_PAGE_RETRIES: int = 6
    EXPORT_PAGE_RETRY_BACKOFF: int = 2
    EXPORT_READ_TIMEOUT: int = 30

    _SETTINGS: ClassVar[Mapping[str, type]] = {
        "EXPORT_PAGE_SIZE": int,
        "EXPORT_THROTTLE_SECONDS": float,
        "EXPORT_PAGE_RETRIES": int,
        "EXPORT_PAGE_RETRY_BACKOFF": int,
        "EXPORT_READ_TIMEOUT": int,
    }
    _METHOD: ClassVar[str] = ""
    _ORDERING: ClassVar[str | None] = None
    _client: Any = None

    def __init__(self, config: Mapping[str, Any] | None = None) -> None:
        for name, kind in self._SETTINGS.items():
            given = os.environ.get(f"SYNAPSE_{name}")
            if given:
                setattr(self, name, kind(given))
            if config and name.lower() in config:
                setattr(self, name, config[name.lower()])

    @abstractmethod
    def validate_filter(self, value: dict[str, Any], client: Any) -> dict[str, Any]:
        """Return a filter after asking the service for what it names.

        Raises:
            PydanticCustomError: The filter lacks something, or the service does not know it.
        """

    def get_results(
        self,
        client: Any,
        filters: dict[str, Any],
        *,
        ctx: Any = None,
        page_failures: list[dict[str, Any]] | None = None,
        save_original_file: bool = False,
    ) -> tuple[Any, int]:
        """Return the items, which are asked for as they are iterated, and how many there are.

        Args:
            client: The client of the service.
            filters: Which items; the page size and the order are added to it.
            ctx: The runtime context.
            page_failures: Takes the pages that were given up, for clients that can go on without.
            save_original_file: Whether files are needed too.

        Raises:
            ValueError: The filter has something that the service would leave out, or is too long.
        """
        self._client = client
        self.reject_unsupported_filters(filters)
        self.reject_oversized_filter(filters)
        self._complete(filters)
        options: dict[str, Any] = {
            "throttle_seconds": self.EXPORT_THROTTLE_SECONDS,
            "page_retries": self.EXPORT_PAGE_RETRIES,
            "page_retry_backoff": self.EXPORT_PAGE_RETRY_BACKOFF,
            "timeout": {"connect": 5, "read": self.EXPORT_READ_TIMEOUT},
            "page_failures": page_failures,
            **self._options(save_original_file=save_original_file),
        }
        ask = getattr(client, self._METHOD)
        count: int | None = None
        if filters.get("pagination") == "cursor":
            count = _counted(ask, filters)  # Pages that a cursor leads to have no number of items.
            if count is None:
                del filters["pagination"]
        results, found = ask(params=filters, list_all=True, **options)
        return results, found if count is None else count

    def get_export_item(self, results: Any) -> Iterator[dict[str, Any]]:
        """Yield each item as `data`, `files` and `id`; data kept elsewhere is fetched."""
        for each in cast("Iterable[dict[str, Any]]", results):
            yield {"data": self._data(each), "files": self._files(each), "id": _id(each)}

    def _data(self, item: Mapping[str, Any]) -> Any:
        try:
            return _data(item.get("data"))
        except OSError as error:
            # It may have taken long to write the items before this one.
            again = None
            if getattr(error, "code", None) in _EXPIRED:
                again = self.refresh_data_payload(item)
            if again is None:
                raise
            return _data(again)

    def _options(self, *, save_original_file: bool) -> dict[str, Any]:
        """Return more arguments for the client."""
        return {}

    def reject_unsupported_filters(self, filters: Mapping[str, Any]) -> None:
        """Check that the service knows all of a filter.

        Raises:
            ValueError: It does not.
        """
        unknown = sorted(filters.keys() - self.SUPPORTED_FILTER_KEYS)
        if unknown:
            raise ValueError(
                f"Unsupported export filter key(s): {', '.join(unknown)}. The service would leave "
                "them out, and answer with more than was asked for. "
                f"Supported keys for this target: {', '.join(sorted(self.SUPPORTED_FILTER_KEYS))}."
            )

    def reject_oversized_filter(self, filters: Mapping[str, Any]) -> None:
        """Check that a filter can be sent.

        Raises:
            ValueError: It is too long.
        """
        length = len(urlencode({k: v for k, v in filters.items() if v is not None}, doseq=True))
        if length > self.MAX_FILTER_QUERY_BYTES:
            longest = max(filters, key=lambda name: len(str(filters[name])))
            raise ValueError(
                f"Export filter is too long to send as a query string: {length} bytes "
                f"(limit {self.MAX_FILTER_QUERY_BYTES}). The longest key is {longest!r}: give a "
                "range, as id__gte and id__lte, or export in parts."
            )

    def refresh_data_payload(self, row: Mapping[str, Any]) -> Any:
        """Return the data of an item as the service gives it now; None if it cannot be asked."""
        number = row.get("id")
        ask = getattr(self._client, self._METHOD, None)
        if ask is None or not isinstance(number, int):
            return None
        asked = {"id": number, "page_size": 1, "response_mode": "presigned"}
        try:
            page = ask(params=asked, url_conversion={})
        except Exception:  # noqa: BLE001 - then the first error is the one to see
            return None
        found: list[Any] = as_dict(page).get("results") or [{}]
        return as_dict(found[0]).get("data")

    def _complete(self, filters: dict[str, Any]) -> None:
        filters["page_size"] = self._page_size(filters.get("page_size"))
        filters.setdefault("response_mode", "presigned")
        filters.setdefault("pagination", "cursor")
        if filters["pagination"] == "cursor" and self._ORDERING:
            filters.setdefault("ordering", self._ORDERING)

    def _page_size(self, given: Any) -> int:
        if given is None:
            return self.EXPORT_PAGE_SIZE
        try:
            size = int(given)
        except (TypeError, ValueError):
            raise ValueError(f"Export page_size must be an integer, got {given!r}.") from None
        if not 1 <= size <= self.MAX_EXPORT_PAGE_SIZE:
            raise ValueError(
                f"Export page_size must be between 1 and {self.MAX_EXPORT_PAGE_SIZE}, got {size}."
            )
        return size

    def _files(self, item: Mapping[str, Any]) -> Any:
        """Return what is known of the main file of an item."""
        files: Any = item.get("files_manifest")
        if "files_manifest" not in item:
            files = as_dict(item.get("data_unit")).get("files")
        return _main_file(as_dict(files))


class _OfProject(ExportTargetHandler):
    _KIND: ClassVar[str] = ""
    _ORDERING = "-id"

    def validate_filter(self, value: dict[str, Any], client: Any) -> dict[str, Any]:
        if "project" not in value:
            raise PydanticCustomError("missing_field", "Project is required for {kind}.", self._say)
        try:
            getattr(client, self._METHOD)(params=value)
        except Exception as error:
            raise PydanticCustomError("client_error", "Unable to get {kind}.", self._say) from error
        return value

    @property
    def _say(self) -> dict[str, Any]:
        return {"kind": self._KIND}


class AssignmentExportTargetHandler(_OfProject):
    """Asks for the assignments of a project."""

    SUPPORTED_FILTER_KEYS = _keys(
        _COMMON,
        "project id id__in workshop tasks users reviewers groups stages task_tags tags",
        "status_label status_review is_discarded is_discard_confirmed is_confirmed",
        ranges=f"id {_TIMES}",
    )
    _KIND, _METHOD = "Assignment", "list_assignments"

    def _files(self, item: Mapping[str, Any]) -> Any:
        return super()._files(item) if "files_manifest" in item else item.get("file", {})


class TaskExportTargetHandler(_OfProject):
    """Asks for the tasks of a project."""

    SUPPORTED_FILTER_KEYS = _keys(
        _COMMON,
        "project id id__in is_discarded schema has_assignment status_label status_review",
        "has_reached_max_assignments assignments assignments__is_discarded labelers",
        "reviewers groups stages workshops tags discarded_filter",
        ranges="id created",
    )
    EXPORT_PAGE_SIZE = 50
    EXPORT_THROTTLE_SECONDS = 0.2
    _KIND, _METHOD = "Task", "list_tasks"

    def _complete(self, filters: dict[str, Any]) -> None:
        super()._complete(filters)
        filters["expand"] = ["data_unit"]  # The names of the files are there.
        filters.setdefault("ordering", self._ORDERING)


class GroundTruthExportTargetHandler(ExportTargetHandler):
    """Asks for the events of a version of a ground truth data set."""

    SUPPORTED_FILTER_KEYS = _keys(
        _COMMON,
        "ground_truth ground_truth_dataset_version ground_truth_dataset_versions",
        "category categories classes task",
    )
    EXPORT_PAGE_SIZE = 200
    _METHOD, _ORDERING = "list_ground_truth_events", "-pgh_id"

    def validate_filter(self, value: dict[str, Any], client: Any) -> dict[str, Any]:
        if "ground_truth_dataset_version" not in value:
            raise PydanticCustomError("missing_field", "Ground Truth dataset version is required.")
        try:
            client.get_ground_truth_version(value["ground_truth_dataset_version"])
        except Exception as error:
            raise PydanticCustomError(
                "client_error", "Unable to get Ground Truth dataset version."
            ) from error
        return value

    def _options(self, *, save_original_file: bool) -> dict[str, Any]:
        return {} if save_original_file else {"url_conversion": {}}  # Downloads no files.

    def _complete(self, filters: dict[str, Any]) -> None:
        super()._complete(filters)
        # The service has the plural, params of an export the singular.
        if "ground_truth_dataset_version" in filters:
            version = filters.pop("ground_truth_dataset_version")
            filters["ground_truth_dataset_versions"] = version


class TargetHandlerFactory:
    """Makes the handler of a target: `assignment`, `ground_truth`, `task`, or one of your own."""

    _handlers: ClassVar[dict[str, type[ExportTargetHandler]]] = {
        "assignment": AssignmentExportTargetHandler,
        "ground_truth": GroundTruthExportTargetHandler,
        "task": TaskExportTargetHandler,
    }

    @classmethod
    def get_handler(
        cls, target: str, config: Mapping[str, Any] | None = None
    ) -> ExportTargetHandler:
        """Return a new handler.

        Raises:
            ValueError: There is no such target.
        """
        if target not in cls._handlers:
            known = ", ".join(cls._handlers)
            raise ValueError(f"Unknown target: '{target}'. Supported targets: {known}")
        return cls._handlers[target](config=config)

    @classmethod
    def register_handler(cls, target: str, handler_class: type[ExportTargetHandler]) -> None:
        """Add a target of your own."""
        cls._handlers[target] = handler_class


def _counted(ask: Any, filters: Mapping[str, Any]) -> int | None:
    """Return how many items there are, or None if the client does not say."""
    first = {k: v for k, v in filters.items() if k not in ("pagination", "expand")}
    try:
        page: Any = ask(params={**first, "page_size": 1}, list_all=False, url_conversion={})
    except Exception:  # noqa: BLE001 - pages by number have it too
        return None
    count = as_dict(page).get("count")
    return count if isinstance(count, int) else None


def _id(item: Mapping[str, Any]) -> Any:
    return item["id"] if "id" in item else item.get("pgh_id")


def _main_file(files: Mapping[str, Any]) -> Any:
    """Return the one that is marked as the main one, else the first."""
    marked = (each for each in files.values() if as_dict(each).get("is_primary"))
    nothing: Any = {}
    return next(marked, next(iter(files.values()), nothing))


def _data(given: Any) -> Any:
    """Return the data of an item; large data is not in it, but a URL of it."""
    kept = as_dict(given)
    mode = kept.get("mode")
    if mode != "presigned" and not (mode == "inline" and kept.get("truncated")):
        return given
    url = kept.get("presigned_url")
    if not url:
        raise ValueError(f"data kept elsewhere, without a URL: {sorted(kept)}")
    from handrail_synapse.download import opened  # noqa: PLC0415 - only for large data

    with opened(url) as answer:
        return json.load(answer)
