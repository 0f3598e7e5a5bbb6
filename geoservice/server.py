"""Running the application: workers, graceful shutdown, and what is prepared before."""

from __future__ import annotations

import os
import resource

import uvicorn

from geoservice.app import create_app
from geoservice.db import DatabaseAddress
from geoservice.loads.processes import start_workers
from geoservice.logs import configure_logs
from geoservice.protocol import ServiceProtocol
from geoservice.schema import assert_current, migrate
from geoservice.settings import Settings
from layers.roles import Role


def prepare_database(settings: Settings) -> DatabaseAddress:
    """Have the database running and in the shape of this version.

    An embedded database is made, started and migrated; so is the schema of a given one, as its
    owner.
    """
    address = DatabaseAddress(settings.database)
    address.prepare()
    with address.connect(Role.OWNER) as connection:
        migrate(connection)
    return address


def serve(settings: Settings) -> None:
    """Serve until a signal comes; open requests are finished within ``http.shutdown_s``.

    Workers for loads run beside, in processes of their own.
    """
    with DatabaseAddress(settings.database).connect(Role.GATE) as connection:
        assert_current(connection)
    _open_as_many_files_as_may_be()
    start_workers(settings.load.workers)
    uvicorn.run(
        "geoservice.server:worker_app",
        factory=True,
        host=settings.http.host,
        port=settings.http.port,
        workers=settings.http.workers,
        loop="uvloop",
        http=ServiceProtocol,
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=True,
        forwarded_allow_ips=settings.http.trusted_proxies,
        timeout_graceful_shutdown=settings.http.shutdown_s,
    )


def _open_as_many_files_as_may_be() -> None:
    """Raise the soft bound to the hard one: each stream that is listened to is an open file."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def worker_app() -> object:
    """The application of one worker process, made from the environment that it inherits."""
    settings = Settings.read(os.environ)
    configure_logs(settings.log)
    return create_app(settings)
