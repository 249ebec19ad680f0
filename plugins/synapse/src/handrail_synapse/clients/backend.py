"""BackendClient: the service that plugins work for."""

from __future__ import annotations

import hashlib
import random
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote

from handrail_synapse.clients.downloads import data_url
from handrail_synapse.clients.http import BaseClient
from handrail_synapse.clients.models import (
    Agent,
    ChunkedUploadFinalizeResponse,
    ChunkedUploadResponse,
    ConfirmUploadResponse,
    DataFileResponse,
    DataUnitCreateRequest,
    ModelCreateRequest,
    PluginReleaseCreateRequest,
    PluginRunRequest,
    ServeApplicationCreateRequest,
    SetTagsRequest,
    Storage,
    TaskCreateRequest,
    UpdateJobRequest,
)
from handrail_synapse.exceptions import ClientResponseIncompleteError, raise_for_status

Answer = Any
"""What the service answers in JSON: most of it a dict."""

Data = dict[str, Any]
Params = Mapping[str, Any] | None
Progress = Callable[[int, int], object] | None

_CHUNK = 50 << 20
_ASKED_AGAIN = 5  # Times, whether a file is complete.
_FILES_OF_ITEMS: Mapping[str, Any] = {"files_fields": ["files"], "is_list": True}
_FILES: Mapping[str, Any] = {"files_fields": ["files"]}


class BackendClient(BaseClient):
    """A client of the service; methods are called like what they ask for.

    Those that list return a page with `results`, or with `list_all` an iterator of all items and
    their number; there, the files of items are fetched where that is said.

    Args:
        base_url: The URL of the service.
        access_token: Says who asks.
        authorization_token: Says for which user.
        tenant: The tenant of the service.
        agent_token: Says for which agent.
        timeout: Seconds to `connect`, and to `read`; by default, 5 and 15.
        url_host: From where the files of the service are fetched, such as `internal`.
    """

    name = "Backend"

    def __init__(
        self,
        base_url: str,
        access_token: str | None = None,
        *,
        authorization_token: str | None = None,
        tenant: str | None = None,
        agent_token: str | None = None,
        timeout: dict[str, int] | None = None,
        url_host: str | None = None,
    ) -> None:
        super().__init__(base_url, timeout)
        if url_host:
            self.default_params["url_host"] = url_host
        self.access_token = access_token
        self.authorization_token = authorization_token
        self.tenant = tenant
        self.agent_token = agent_token

    def _get_headers(self) -> dict[str, str]:
        tokens = {
            "Synapse-Access-Token": self.access_token,
            "Authorization": self.authorization_token,
            "Synapse-Tenant": self.tenant,
            "SYNAPSE-Agent": self.agent_token,
        }
        return {name: f"Token {token}" for name, token in tokens.items() if token}

    # Agents, plugins and jobs

    def list_agents(self, params: Params = None) -> list[Agent]:
        """Return the agents."""
        found = self._get("agents/", params=params).get("results", [])
        agents = [Agent.model_validate(each) for each in found]
        for agent in agents:
            agent.token = agent.extract_token()
        return agents

    def health_check_agent(self, agent_token: str) -> Answer:
        """Ask whether an agent is reached."""
        return self._post(f"agents/{agent_token}/connect/")

    def get_plugin(self, plugin_id: int) -> Answer:
        """Return a plugin."""
        return self._get(f"plugins/{plugin_id}/")

    def create_plugin(self, data: Data) -> Answer:
        """Create a plugin, and return it."""
        return self._post("plugins/", data=data)

    def update_plugin(self, plugin_id: int, data: Data) -> Answer:
        """Change a plugin, and return it."""
        return self._put(f"plugins/{plugin_id}/", data=data)

    def run_plugin(self, plugin: int | str, data: Data) -> Answer:
        """Run an action of a plugin, and return its job, or its result."""
        return self._post(f"plugins/{plugin}/run/", PluginRunRequest, data=data)

    def list_plugin_releases(self, plugin_code: str, *, params: Params = None) -> list[Data]:
        """Return the releases of a plugin."""
        asked = {"plugin": plugin_code, **(params or {})}
        found: list[Data] = self._get("plugin_releases/", params=asked).get("results", [])
        return found

    def get_plugin_release(self, release_id: int, *, params: Params = None) -> Answer:
        """Return a release of a plugin."""
        return self._get(f"plugin_releases/{release_id}/", params=params)

    def get_plugin_release_by_lookup(
        self, lookup: str, *, expand: str | None = "plugin", params: Params = None
    ) -> Answer:
        """Return a release of a plugin by its number, or as `code@version`."""
        asked = {"expand": expand, **(params or {})}
        wanted = {name: value for name, value in asked.items() if value is not None}
        return self._get(f"plugin_releases/{quote(lookup, safe='@')}/", params=wanted or None)

    def create_plugin_release(self, data: Data, *, file: str | Path | None = None) -> Answer:
        """Create a release of a plugin, of the archive `file`, and return it."""
        files = None if file is None else {"file": file}
        return self._post("plugin_releases/", PluginReleaseCreateRequest, data=data, files=files)

    def get_job(self, job_id: int | str, *, params: Params = None) -> Answer:
        """Return a job."""
        return self._get(f"jobs/{job_id}/", params=params)

    def list_jobs(self, params: Params = None) -> Answer:
        """Return a page of jobs."""
        return self._get("jobs/", params=params)

    def update_job(self, job_id: int | str, data: Data) -> Answer:
        """Tell a job its status, progress, measured values or result; see `UpdateJobRequest`."""
        return self._patch(f"jobs/{job_id}/", UpdateJobRequest, data=data)

    def list_job_console_logs(self, job_id: int | str) -> Answer:
        """Return what a job has written."""
        return self._get(f"jobs/{job_id}/console_logs/")

    def tail_job_console_logs(self, job_id: int | str) -> Iterator[str]:
        """Yield the lines that a job writes, until it ends.

        Raises:
            ClientError: The service answered with an error.
        """
        with self.requests_session.get(
            self._url(f"jobs/{job_id}/tail_console_logs/"),
            headers=self._get_headers(),
            stream=True,
            timeout=(self.timeout["connect"], None),
        ) as response:
            raise_for_status(response.status_code, "" if response.ok else response.text)
            for line in response.iter_lines():
                yield line.decode("utf-8", "replace")

    def create_logs(self, data: Data | list[Data]) -> Answer:
        """Add entries to the logs of jobs; the `file` of each is sent with it."""
        entries = data if isinstance(data, list) else [data]
        for each in entries:
            file = each.get("file")
            if file and not str(file).startswith("data:"):
                each["file"] = data_url(file)
        return self._post("logs/", data=entries if len(entries) > 1 else entries[0])

    def create_serve_application(self, data: Data) -> Answer:
        """Create an application that a job serves, and return it."""
        return self._post("serve_applications/", ServeApplicationCreateRequest, data=data)

    def list_serve_applications(self, params: Params = None, *, list_all: bool = False) -> Any:
        """Return the applications that jobs serve."""
        return self._list("serve_applications/", params=params, list_all=list_all)

    # Storages, collections and files

    def get_storage(self, storage_id: int) -> Storage:
        """Return a storage with its configuration."""
        asked = {"with_configuration": "true"}
        return Storage.model_validate(self._get(f"storages/{storage_id}/", params=asked))

    def get_default_storage(self) -> Answer:
        """Return the storage of the service itself.

        Raises:
            ValueError: It has none.
        """
        storages = _results(self._get("storages/", params={"category": "internal"}))
        default = next((each for each in storages if each.get("is_default")), None)
        if default is None and not storages:
            raise ValueError("No default storage configured for tenant")
        return default or storages[0]

    def list_data_collections(self) -> Answer:
        """Return a page of data collections."""
        return self._get("data_collections/")

    def get_data_collection(self, collection_id: int) -> Answer:
        """Return a data collection with its file specifications."""
        asked = {"expand": "file_specifications"}
        return self._get(f"data_collections/{collection_id}/", params=asked)

    def create_data_file(
        self,
        file_path: Any,
        *,
        use_chunked_upload: bool | None = None,
        read_timeout: int | None = None,
    ) -> Answer:
        """Send a file, and return what the service has of it: `id`, `checksum`, `size`.

        Args:
            file_path: A path of this machine, or one of a storage, which is read at once.
            use_chunked_upload: Whether it is sent in chunks; by default, if it has above 50 MiB.
            read_timeout: Seconds to wait for each answer, if not those of the client.

        Raises:
            FileNotFoundError: There is no such file.
            ClientError: The service does not have it.
        """
        path: Any = Path(file_path) if isinstance(file_path, str) else file_path
        if not path.exists():
            raise FileNotFoundError(f"File not found: {path}")
        timeout = self._reading(read_timeout)
        if not isinstance(path, Path):
            content = {"file": (path.name, path.read_bytes())}
            return self._post("data_files/", None, DataFileResponse, files=content, **timeout)
        if use_chunked_upload is None:
            use_chunked_upload = path.stat().st_size > _CHUNK
        if use_chunked_upload:
            sent = self.create_chunked_upload(path, read_timeout=read_timeout)
            named = {"chunked_upload": sent["id"]}
            return self._post("data_files/", None, DataFileResponse, data=named, **timeout)
        return self._post("data_files/", None, DataFileResponse, files={"file": path}, **timeout)

    def _reading(self, seconds: int | None) -> dict[str, Any]:
        return {} if seconds is None else {"timeout": (self.timeout["connect"], seconds)}

    def create_chunked_upload(
        self,
        file_path: str | Path,
        *,
        chunk_size: int = _CHUNK,
        on_progress: Progress = None,
        read_timeout: int | None = None,
    ) -> Answer:
        """Send a file in chunks, and return what the service has of it.

        Args:
            file_path: The file.
            chunk_size: Bytes of a chunk.
            on_progress: Called with the bytes that are there, and all.
            read_timeout: Seconds to wait for each answer, if not those of the client.

        Raises:
            FileNotFoundError: There is no such file.
            ClientError: The service does not have it.
        """
        path = Path(file_path)
        if not path.exists():
            raise FileNotFoundError(f"File not found: {path}")
        timeout = self._reading(read_timeout)
        size, offset, url = path.stat().st_size, 0, "chunked_upload/"
        known: str | int | None = None
        digest = hashlib.md5(usedforsecurity=False)
        with path.open("rb") as file:
            for chunk in iter(partial(file.read, chunk_size), b""):
                digest.update(chunk)
                there = self._put(
                    url,
                    data={"filename": path.name},
                    files={"file": chunk},
                    headers={"Content-Range": _range(offset, len(chunk), size)},
                    **timeout,
                )
                answer = ChunkedUploadResponse.model_validate(there)
                known, offset, url = answer.id, answer.offset, answer.url
                if on_progress is not None:
                    on_progress(offset, size)
        try:
            made = self._post(url, data={"md5": digest.hexdigest()}, **timeout)
        except ClientResponseIncompleteError as error:
            made = self._completed(known, error)
        ChunkedUploadFinalizeResponse.model_validate(made)
        return made

    def get_chunked_upload(self, upload_id: str | int) -> Answer:
        """Return how far a file is that is sent in chunks."""
        return self._get(f"chunked_upload/{upload_id}/")

    def _completed(self, upload_id: str | int | None, error: Exception) -> Answer:
        """Ask whether a file is complete after all; else raise `error`."""
        for tried in range(0 if upload_id is None else _ASKED_AGAIN):
            try:
                found = self.get_chunked_upload(upload_id or "")
            except Exception:  # noqa: BLE001 - the first error says more
                break
            if found.get("completed_at"):
                return found
            if tried + 1 < _ASKED_AGAIN:
                time.sleep(random.uniform(0, 2.0 * 2**tried))
        raise error

    def upload_files_bulk(
        self,
        file_paths: list[Path],
        *,
        max_workers: int = 10,
        on_progress: Progress = None,
        batch_size: int = 200,
        max_upload_retries: int = 2,
        strategy: str | None = None,
    ) -> ConfirmUploadResponse:
        """Send files straight to the storage of the service, and return which have arrived.

        Args:
            file_paths: The files.
            max_workers: Files that are sent at a time.
            on_progress: Called with the number of files that are sent, and of all.
            batch_size: Files that are asked for, and confirmed, in one request.
            max_upload_retries: How often one is sent again.
            strategy: `presigned`; by default, if the storage can take files so.

        Raises:
            ValueError: The storage cannot take files so, or there is no such strategy.
            ClientError: The service answered with an error.
        """
        from handrail_synapse.clients.presigned import (  # noqa: PLC0415 - most plugins send few
            PROVIDERS,
            send_files,
        )

        if not file_paths:
            return ConfirmUploadResponse(results=[], created_count=0, failed_count=0)
        if strategy not in (None, "presigned"):
            raise ValueError(f"there is no strategy {strategy!r}; there is 'presigned'")
        if strategy is None:
            provider = str(self.get_default_storage().get("provider", "")).lower()
            if provider not in PROVIDERS:
                raise ValueError(f"a storage of the kind {provider!r} takes no files directly")
        return send_files(
            self,
            file_paths,
            workers=max_workers,
            batch=batch_size,
            retries=max_upload_retries,
            on_progress=on_progress,
        )

    def verify_data_files_checksums(self, checksums: list[str]) -> Answer:
        """Return which of the files with these checksums are there."""
        return self._post("data_files/verify_checksums/", data={"checksums": checksums})

    def upload_data_file(
        self,
        data: Data,
        collection_id: int,
        *,
        use_chunked_upload: bool | None = None,
        read_timeout: int | None = None,
    ) -> Answer:
        """Send the `files` of a data unit, and return what `create_data_units` takes for it."""
        sent = {
            name: {
                "checksum": self.create_data_file(
                    path, use_chunked_upload=use_chunked_upload, read_timeout=read_timeout
                )["checksum"],
                "path": str(path),
            }
            for name, path in data.get("files", {}).items()
        }
        made = {"files": sent, "data_collection": collection_id, "meta": data.get("meta", {})}
        groups: Any = data.get("groups")
        if groups:
            made["groups"] = [groups] if isinstance(groups, str) else list(groups)
        return made

    def upload_data_collection(
        self,
        collection_id: int,
        data: list[Data],
        *,
        project_id: int | None = None,
        batch_size: int = 1000,
        max_workers: int = 10,
        on_progress: Progress = None,
    ) -> None:
        """Send the files of data units, create the units, and the tasks of a project for them."""
        sent: list[Data] = []
        with ThreadPoolExecutor(max_workers) as pool:
            for made in pool.map(partial(self.upload_data_file, collection_id=collection_id), data):
                sent.append(made)
                if on_progress is not None:
                    on_progress(len(sent), len(data))
        for at in range(0, len(sent), batch_size):
            units = _results(self.create_data_units(sent[at : at + batch_size]))
            if project_id is not None and units:
                tasks = [{"data_unit": unit["id"]} for unit in units]
                self.create_tasks({"project": project_id, "data": tasks})

    def get_data_unit(self, unit_id: int, *, params: Params = None) -> Answer:
        """Return a data unit."""
        return self._get(f"data_units/{unit_id}/", params=params)

    def create_data_units(self, data: Data | list[Data]) -> Any:
        """Create data units of files that were sent, and return them."""
        for each in data if isinstance(data, list) else [data]:
            DataUnitCreateRequest.model_validate(each)
        return self._post("data_units/", data=data)

    def list_data_units(
        self,
        params: Params = None,
        *,
        url_conversion: Params = None,
        list_all: bool = False,
        page_size: int = 100,
        timeout: int = 60,
    ) -> Any:
        """Return data units, with the paths of their files, which are fetched."""
        return self._list(
            "data_units/",
            url_conversion or _FILES_OF_ITEMS,
            list_all,
            {"page_size": page_size, **(params or {})},
            timeout=(5, timeout),
        )

    # Projects, tasks and assignments

    def get_project(self, project_id: int) -> Answer:
        """Return a project."""
        return self._get(f"projects/{project_id}/")

    def get_task(self, task_id: int, *, params: Params = None) -> Answer:
        """Return a task."""
        return self._get(f"tasks/{task_id}/", params=params)

    def annotate_task_data(self, task_id: int, data: Data, schema: str | None = None) -> Answer:
        """Put annotations into a task, and return it."""
        asked = {"schema": schema} if schema else None
        return self._put(f"tasks/{task_id}/annotate_task_data/", data=data, params=asked)

    def annotate_task_data_batch(
        self, items: list[Data], *, max_workers: int | None = None
    ) -> dict[int, Data]:
        """Put annotations into tasks, and return `success`, `error` and `response` of each.

        Args:
            items: `task_id`, `data` and, if need be, `schema` of each.
            max_workers: How many at a time; by default, all.
        """
        numbers = [each["task_id"] for each in items]

        def annotate(item: Data) -> Data:
            try:
                made = self.annotate_task_data(item["task_id"], item["data"], item.get("schema"))
            except Exception as error:  # noqa: BLE001 - the others are done all the same
                return {"success": False, "error": str(error), "response": None}
            return {"success": True, "error": None, "response": made}

        if not items:
            return {}
        with ThreadPoolExecutor(max_workers or len(items)) as pool:
            return dict(zip(numbers, pool.map(annotate, items), strict=True))

    def get_task_tag(self, tag_id: int) -> Answer:
        """Return a tag of tasks."""
        return self._get(f"task_tags/{tag_id}/")

    def list_task_tags(self, params: Params = None) -> Answer:
        """Return a page of tags of tasks."""
        return self._get("task_tags/", params=params)

    def list_tasks(
        self,
        params: Params = None,
        *,
        url_conversion: Params = None,
        list_all: bool = False,
        **options: Any,
    ) -> Any:
        """Return tasks."""
        return self._list("sdk/tasks/", url_conversion or _FILES, list_all, params, **options)

    def list_tasks_data(self, params: Params = None, *, list_all: bool = False) -> Any:
        """Return the numbers of tasks, and their data."""
        return self._list("sdk/tasks/data/", None, list_all, params)

    def list_tasks_files(
        self, params: Params = None, *, url_conversion: Params = None, list_all: bool = False
    ) -> Any:
        """Return the files of tasks."""
        return self._list("sdk/tasks/files/", url_conversion or _FILES, list_all, params)

    def create_tasks(self, data: Data | list[Data]) -> Answer:
        """Create tasks of a project, and return them."""
        return self._post("tasks/", TaskCreateRequest, data=data)

    def set_tags_tasks(self, data: Data, *, params: Params = None) -> Answer:
        """Add tags to tasks, or remove them; see `SetTagsRequest`."""
        return self._post("tasks/set_tags/", SetTagsRequest, data=data, params=params)

    def get_assignment(self, assignment_id: int) -> Answer:
        """Return an assignment."""
        return self._get(f"assignments/{assignment_id}/")

    def list_assignments(
        self,
        params: Params = None,
        *,
        url_conversion: Params = None,
        list_all: bool = False,
        **options: Any,
    ) -> Any:
        """Return assignments."""
        return self._list("sdk/assignments/", url_conversion or _FILES, list_all, params, **options)

    def list_assignments_data(self, params: Params = None, *, list_all: bool = False) -> Any:
        """Return the numbers of assignments, and their data."""
        return self._list("sdk/assignments/data/", None, list_all, params)

    def list_assignments_files(
        self, params: Params = None, *, url_conversion: Params = None, list_all: bool = False
    ) -> Any:
        """Return the files of assignments."""
        return self._list("sdk/assignments/files/", url_conversion or _FILES, list_all, params)

    def set_tags_assignments(self, data: Data, *, params: Params = None) -> Answer:
        """Add tags to assignments, or remove them; see `SetTagsRequest`."""
        return self._post("assignments/set_tags/", SetTagsRequest, data=data, params=params)

    # Models and ground truths

    def list_models(self, params: Params = None) -> Answer:
        """Return a page of models."""
        return self._get("models/", params=params)

    def get_model(
        self, model_id: int, *, params: Params = None, url_conversion: Params = None
    ) -> Answer:
        """Return a model; its `file` is the path of the file, which is fetched."""
        fetched = url_conversion or {"files_fields": ["file"]}
        return self._get(f"models/{model_id}/", fetched, params=params)

    def create_model(self, data: Data, *, file: str | Path | None = None) -> Answer:
        """Send the file of a model in chunks, register the model, and return it.

        Raises:
            FileNotFoundError: There is no such file.
            ClientError: The service does not have it.
        """
        if file is not None:
            data["chunked_upload"] = self.create_chunked_upload(file)["id"]
        return self._post("models/", ModelCreateRequest, data=data)

    def list_ground_truth_events(
        self,
        params: Params = None,
        *,
        url_conversion: Params = None,
        list_all: bool = False,
        page_size: int = 100,
        **options: Any,
    ) -> Any:
        """Return events of ground truths, with the paths of their files, which are fetched."""
        asked = {"page_size": page_size, **(params or {})}
        files = url_conversion or _FILES_OF_ITEMS
        return self._list("sdk/ground_truth_events/", files, list_all, asked, **options)

    def list_ground_truth_events_data(
        self, params: Params = None, *, list_all: bool = False, page_size: int = 100
    ) -> Any:
        """Return the numbers of events of ground truths, and their data."""
        asked = {"page_size": page_size, **(params or {})}
        return self._list("sdk/ground_truth_events/data/", None, list_all, asked)

    def list_ground_truth_events_files(
        self,
        params: Params = None,
        *,
        url_conversion: Params = None,
        list_all: bool = False,
        page_size: int = 100,
    ) -> Any:
        """Return the files of events of ground truths."""
        asked = {"page_size": page_size, **(params or {})}
        files = url_conversion or _FILES
        return self._list("sdk/ground_truth_events/files/", files, list_all, asked)

    def list_ground_truths(
        self,
        params: Params = None,
        *,
        url_conversion: Params = None,
        list_all: bool = False,
        page_size: int = 100,
        timeout: int = 60,
    ) -> Any:
        """Return ground truths, with the paths of their files, which are fetched."""
        return self._list(
            "ground_truths/",
            url_conversion or _FILES_OF_ITEMS,
            list_all,
            {"page_size": page_size, **(params or {})},
            timeout=(5, timeout),
        )

    def get_ground_truth_version(self, version_id: int) -> Answer:
        """Return a version of a ground truth data set."""
        return self._get(f"ground_truth_dataset_versions/{version_id}/")

    def list_ground_truth_versions(self, params: Params = None) -> Answer:
        """Return a page of versions of ground truth data sets."""
        return self._get("ground_truth_dataset_versions/", params=params)


def _range(offset: int, length: int, size: int) -> str:
    return f"bytes {offset}-{offset + length - 1}/{size}"


def _results(answer: Any) -> list[Data]:
    """Return what an answer lists: itself, its `results`, or the one thing that it is."""
    if isinstance(answer, list):
        return cast("list[Data]", answer)
    found: list[Data] = answer.get("results", [answer])
    return found
