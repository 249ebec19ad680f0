"""Azurite, the emulator of Azure's blob storage, if it is installed."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import shutil
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import formatdate
from pathlib import Path

import pytest

from servers.process import ServerProcess

VARIABLE = "HANDRAIL_AZURITE"
PROGRAM = "azurite-blob"
VERSION = "2021-08-06"

# The well-known account of Azurite, from its documentation.
ACCOUNT = "devstoreaccount1"
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="


@dataclass(frozen=True, slots=True, kw_only=True)
class AzureServer:
    """The address and the credentials of an Azure blob server."""

    endpoint: str
    account: str = ACCOUNT
    key: str = KEY
    process: ServerProcess = field(compare=False, repr=False)

    def container(self) -> str:
        """Create an empty container; return its name."""
        name = f"acme-{uuid.uuid4().hex[:12]}"
        date = formatdate(usegmt=True)
        # https://learn.microsoft.com/rest/api/storageservices/authorize-with-shared-key
        signed = (
            f"PUT{12 * chr(10)}x-ms-date:{date}\nx-ms-version:{VERSION}\n"
            f"/{self.account}/{self.account}/{name}\nrestype:container"
        )
        digest = hmac.digest(base64.b64decode(self.key), signed.encode(), hashlib.sha256)
        headers = {
            "x-ms-date": date,
            "x-ms-version": VERSION,
            "Authorization": f"SharedKey {self.account}:{base64.b64encode(digest).decode()}",
            "Content-Length": "0",
        }
        url = f"{self.endpoint}/{name}?restype=container"
        request = urllib.request.Request(url, method="PUT", headers=headers)
        with urllib.request.urlopen(request, timeout=60):
            return name

    def environment(self) -> dict[str, str]:
        """Return the environment variables with which obstore uses this server."""
        return {
            "AZURE_STORAGE_ACCOUNT_NAME": self.account,
            "AZURE_STORAGE_ACCOUNT_KEY": self.key,
            "AZURE_STORAGE_ENDPOINT": self.endpoint,
            "AZURE_ALLOW_HTTP": "true",
        }


def find_azurite() -> str:
    """Return the program: HANDRAIL_AZURITE, the one in a local node_modules, or that on PATH."""
    beside = Path(__file__).parents[3] / "node_modules" / ".bin" / PROGRAM
    found = os.environ.get(VARIABLE) or shutil.which(beside) or shutil.which(PROGRAM)
    if not found:
        pytest.skip(f"Azurite is not installed; npm install azurite, or {VARIABLE}={PROGRAM}")
    return found


@contextmanager
def running_azurite() -> Iterator[AzureServer]:
    """Run a server until the block ends."""
    program = find_azurite()
    with ServerProcess("azurite") as process:
        process.command = (
            *(program, "--blobHost", "127.0.0.1", "--blobPort", process.port),
            *("--location", process.folder, "--silent", "--skipApiVersionCheck"),
            "--disableTelemetry",
        )
        process.start()
        yield AzureServer(
            endpoint=f"http://127.0.0.1:{process.port}/{ACCOUNT}",
            process=process,
        )
