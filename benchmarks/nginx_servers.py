"""nginx as a reference: with files, and before the service as ``docker/nginx.conf`` has it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from children import ChildFailed, find_program, running
from servers import free_port

_ROOT = Path(__file__).resolve().parents[1]

_STATIC = """
pid {folder}/nginx.pid;
error_log {folder}/error.log;
worker_processes 1;
daemon off;
{user}
events {{ worker_connections 4096; }}
http {{
    access_log off;
    sendfile on;
    client_body_temp_path {folder}/client_body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    keepalive_requests 1000000;
    server {{
        listen 127.0.0.1:{port};
        root {root};
        add_header Content-Encoding gzip;
        location = /ready {{ return 200; }}
    }}
}}
"""


@contextmanager
def static_nginx(root: Path) -> Iterator[str]:
    """One worker of nginx with the files of a folder, as compressed ones; gives its address."""
    port = free_port()
    folder = _made(root.with_name("nginx-static"))
    text = _STATIC.format(folder=folder, root=root, port=port, user=_user())
    with _nginx(folder, text, f"http://127.0.0.1:{port}/ready") as _:
        yield f"http://127.0.0.1:{port}"


@contextmanager
def caching_nginx(folder: Path, service_url: str) -> Iterator[str]:
    """The proxy with the configuration of docker/ and one worker, before a service; its address."""
    port = free_port()
    folder = _made(folder)
    text = (_ROOT / "docker" / "nginx.conf").read_text(encoding="utf-8")
    text = text.replace("worker_processes auto;", f"worker_processes 1;\ndaemon off;\n{_user()}")
    text = text.replace("/tmp/", f"{folder}/").replace("/dev/stderr", f"{folder}/error.log")  # noqa: S108  # words of the configuration
    text = text.replace("service:8000", service_url.removeprefix("http://"))
    text = re.sub(
        r"listen \d+;", f"listen 127.0.0.1:{port};\n        keepalive_requests 1000000;", text
    )
    with _nginx(folder, text, f"http://127.0.0.1:{port}/readyz"):
        yield f"http://127.0.0.1:{port}"


@contextmanager
def _nginx(folder: Path, text: str, ready_url: str) -> Iterator[None]:
    program = find_program("nginx")
    if program is None:
        message = "nginx is not installed: run make bench"
        raise ChildFailed(message)
    configuration = folder / "nginx.conf"
    configuration.write_text(text, encoding="utf-8")
    command = [
        program,
        "-p",
        str(folder),
        "-e",
        str(folder / "error.log"),
        "-c",
        str(configuration),
    ]
    with running(command, environment={}, log=folder / "nginx.log", ready_url=ready_url):
        yield


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _user() -> str:
    """As root nginx would have its worker read files as somebody who may not."""
    return "user root;" if os.geteuid() == 0 else ""
