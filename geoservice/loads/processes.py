"""Worker processes beside the service: started with it, started again when they die, ended with it.

A worker that the service starts hears of the service's end by the end of its own input: that is
true after a kill, too.
"""

from __future__ import annotations

import subprocess
import sys
import threading
import time

import structlog

WITH_SERVICE = "--with-service"
_LOOK_EVERY_S = 0.5
_MAX_PAUSE_S = 30.0
_HEALTHY_AFTER_S = 60.0

log = structlog.get_logger(__name__)


def start_workers(count: int) -> None:
    """Keep some workers running for as long as this process lives."""
    for _ in range(count):
        threading.Thread(target=_keep_running, name="load worker", daemon=True).start()


def _keep_running() -> None:
    pause_s = _LOOK_EVERY_S
    command = [sys.executable, "-P", "-m", "geoservice", "worker", WITH_SERVICE]
    while True:
        started = time.monotonic()
        # Its input is never written to: it ends when this process does.
        worker = subprocess.Popen(command, stdin=subprocess.PIPE)
        code = worker.wait()
        if time.monotonic() - started > _HEALTHY_AFTER_S:
            pause_s = _LOOK_EVERY_S
        log.warning("load worker ended and is started again", code=code, in_s=pause_s)
        time.sleep(pause_s)
        pause_s = min(2 * pause_s, _MAX_PAUSE_S)
