"""Ceph's radosgw alone, its data in SQLite: S3 with real signatures, on disk.

Unlike other servers, this one

- ignores the condition of a create-only put, and overwrites;
- may refuse parts of one upload that arrive side by side (InvalidPart): give it one at a time;
- lists no uploads in progress, but shows each as an object of 17 bytes, `KEY.2~UPLOAD-ID`, until
  it is completed or aborted.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from servers.missing import missing, need_module
from servers.process import ServerProcess
from servers.s3 import OwnS3Server

CLIENT = "client.rgw.tests"
ACCESS_KEY = "ACMEACCESSKEY"
SECRET_KEY = "acme-secret-key"

CONFIGURATION = """\
[global]
fsid = 11111111-1111-1111-1111-111111111111
auth_cluster_required = none
auth_service_required = none
auth_client_required = none
run_dir = {folder}
admin_socket =
log_to_file = false
log_to_stderr = true
[{client}]
rgw_backend_store = dbstore
rgw_config_store = dbstore
rgw_data = {folder}
dbstore_db_dir = {folder}
dbstore_db_name_prefix = rgw
dbstore_config_uri = file:{folder}/configuration.db
rgw_frontends = beast endpoint=127.0.0.1:{port} tcp_nodelay=1
"""


@contextmanager
def running_radosgw() -> Iterator[OwnS3Server]:
    """Run a server with one user until the block ends."""
    need_module("boto3", "boto3")
    for program, package in (("radosgw", "radosgw"), ("radosgw-admin", "ceph-common")):
        if shutil.which(program) is None:
            missing(program, f"the Debian package {package}")
    with ServerProcess("radosgw") as process:
        configuration = process.folder / "ceph.conf"
        configuration.write_text(
            CONFIGURATION.format(folder=process.folder, client=CLIENT, port=process.port)
        )
        options = ("-c", configuration, "-n", CLIENT, "--no-mon-config")
        process.command = ("radosgw", *options, "-f")
        process.run(
            *("radosgw-admin", *options, "user", "create", "--uid=acme", "--display-name=Acme"),
            *(f"--access-key={ACCESS_KEY}", f"--secret-key={SECRET_KEY}"),
            says='"user_id": "acme"',  # It may hang at exit.
        )
        process.start()
        yield OwnS3Server(
            endpoint=f"http://127.0.0.1:{process.port}",
            access_key=ACCESS_KEY,
            secret_key=SECRET_KEY,
            process=process,
        )
