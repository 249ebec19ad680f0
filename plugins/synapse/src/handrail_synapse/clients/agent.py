"""AgentClient: the agent that runs plugins on a cluster."""

from __future__ import annotations

from typing import Any

from handrail_synapse.clients.http import BaseClient

Answer = Any
"""What the agent answers in JSON: most of it a dict."""

Data = dict[str, Any]


class AgentClient(BaseClient):
    """A client of an agent; methods are called like what they ask for.

    Args:
        base_url: The URL of the agent.
        agent_token: Says who asks.
        user_token: Says for which user.
        tenant: The tenant of the service.
        timeout: Seconds to `connect`, and to `read`; by default, 3 and 10.
    """

    name = "Agent"

    def __init__(
        self,
        base_url: str,
        agent_token: str,
        *,
        user_token: str | None = None,
        tenant: str | None = None,
        timeout: dict[str, int] | None = None,
    ) -> None:
        super().__init__(base_url, timeout or {"connect": 3, "read": 10})
        self.agent_token = agent_token
        self.user_token = user_token
        self.tenant = tenant

    def _get_headers(self) -> dict[str, str]:
        tokens = {"SYNAPSE-User": self.user_token, "SYNAPSE-Tenant": self.tenant}
        named = {name: f"Token {token}" for name, token in tokens.items() if token}
        return {"Authorization": self.agent_token, **named}

    def health_check(self) -> Answer:
        """Return how it is."""
        return self._get("health/")

    def list_jobs(self) -> Answer:
        """Return the jobs of the cluster."""
        return self._get("jobs/")

    def get_job(self, job_id: str) -> Answer:
        """Return a job of the cluster."""
        return self._get(f"jobs/{job_id}/")

    def get_job_logs(self, job_id: str) -> Answer:
        """Return what a job has written."""
        return self._get(f"jobs/{job_id}/logs/")

    def stop_job(self, job_id: str) -> Answer:
        """Stop a job."""
        return self._post(f"jobs/{job_id}/stop/")

    def list_nodes(self) -> Answer:
        """Return the machines of the cluster."""
        return self._get("nodes/")

    def get_gpu_status(self) -> Answer:
        """Return which GPUs are in use."""
        return self._get("gpu_status/")

    def list_serve_applications(self) -> Answer:
        """Return the applications that the cluster serves."""
        return self._get("serve_applications/")

    def get_serve_application(self, name: str) -> Answer:
        """Return an application that the cluster serves."""
        return self._get(f"serve_applications/{name}/")

    def delete_serve_application(self, name: str) -> None:
        """Serve an application no more."""
        self._delete(f"serve_applications/{name}/")

    def list_plugin_releases(self, params: Data | None = None, *, list_all: bool = False) -> Any:
        """Return the releases of plugins that it has."""
        return self._list("plugin_releases/", params=params, list_all=list_all)

    def get_plugin_release(self, lookup: str) -> Answer:
        """Return a release of a plugin by its number, or as `code@version`."""
        return self._get(f"plugin_releases/{lookup}")

    def create_plugin_release(self, plugin: str, version: str) -> Answer:
        """Let it fetch a release of a plugin."""
        return self._post("plugin_releases/", data={"plugin": plugin, "version": version})

    def delete_plugin_release(self, lookup: str) -> None:
        """Delete a release of a plugin there."""
        self._delete(f"plugin_releases/{lookup}")

    def run_plugin_release(
        self,
        lookup: str,
        action: str | None = None,
        params: Data | None = None,
        *,
        data: Data | None = None,
        timeout: tuple[int, int] | None = None,
        **more: Any,
    ) -> Any:
        """Run an action of a plugin there, and return its result.

        Args:
            lookup: The release, as `code@version` or by its number.
            action: The action.
            params: Its params.
            data: All of the request, in the place of what the others make of it.
            timeout: Seconds to connect, and to read.
            **more: `requirements`, `job_id`, `language`.
        """
        asked = {"params": params, **more}
        made = {name: value for name, value in asked.items() if value is not None}
        return self._post(
            f"plugin_releases/{lookup}/run/",
            data={"action": action, **made} if data is None else data,
            **({} if timeout is None else {"timeout": timeout}),
        )

    def get_cluster_resources(self, use_cache: bool = True) -> Answer:
        """Return what the cluster has to spare."""
        return self._get("resources/cluster/", params={"use_cache": str(use_cache).lower()})
