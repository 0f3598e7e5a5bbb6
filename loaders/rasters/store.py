"""The folder of the rasters' files: each written once, under a name of ours, for its owner alone.

``TOKEN.lock`` stands there while a load is at work, locked by its process, and says for which
database; the load writes into ``TOKEN.work/`` and renames the file to ``TOKEN.tif`` just before its
transaction ends. A load that dies leaves the lock file, and its lock dies with it: the next load
asks the database whether the file is needed, and removes what is not.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from sqlalchemy import Connection, text

from layers.errors import StoreUnavailable
from layers.rasters import stored_files


class Slot:
    """A place for one new file.

    Attributes:
        file_name: Name that the file will have.
        output: Where it is to be written.
    """

    def __init__(self, folder: Path, token: str) -> None:
        self._folder = folder
        self.file_name = f"{token}.tif"
        self.work = folder / f"{token}.work"
        self.lock = folder / f"{token}.lock"
        self.final = folder / self.file_name
        self.output = self.work / "output.tif"
        self.is_placed = False
        self.is_kept = False

    def put_in_place(self) -> None:
        """Give the file its name, safely on disk; call before the transaction that names it ends.

        From here on only the database can tell whether the file is needed.
        """
        self.output.chmod(0o600)
        _sync(self.output)
        self.output.rename(self.final)
        _sync(self._folder)
        self.is_placed = True

    def keep(self) -> None:
        """The transaction has ended well: the file stays."""
        self.is_kept = True

    def leave(self) -> None:
        """Remove what is not needed; a file whose transaction may have ended well is left."""
        shutil.rmtree(self.work, ignore_errors=True)
        if self.is_kept or not self.is_placed:
            self.lock.unlink(missing_ok=True)

    def discard(self) -> None:
        """Remove everything; the database does not know the file."""
        self.final.unlink(missing_ok=True)
        shutil.rmtree(self.work, ignore_errors=True)
        self.lock.unlink(missing_ok=True)


class RasterStore:
    """The files of one installation's rasters; several databases may share a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()

    def path(self, file_name: str) -> Path:
        """Where a file of the store lies."""
        return self.folder / file_name

    @contextmanager
    def slot(self, connection: Connection) -> Iterator[Slot]:
        """A place for a new file, after removing what loads that died have left.

        Raises:
            StoreUnavailable: the folder cannot be made or written to.
        """
        database = _identity(connection)
        try:
            self._make()
            self._sweep(connection, database)
            slot, descriptor = self._claim(database)
        except OSError as error:
            message = f"the folder of rasters cannot be used: {error.strerror}"
            raise StoreUnavailable(message) from error
        try:
            yield slot
        finally:
            slot.leave()
            os.close(descriptor)

    @contextmanager
    def removing(self, connection: Connection, file_names: Collection[str]) -> Iterator[None]:
        """Remove those of some files that no version needs any more when the context has ended.

        They are marked as a load under way marks its file: should the process die after the
        transaction that let go of them, the next load removes them.

        Raises:
            StoreUnavailable: the folder cannot be written to.
        """
        database = _identity(connection)
        with ExitStack() as marks:
            try:
                slots = [marks.enter_context(self._marked(name, database)) for name in file_names]
            except OSError as error:
                message = f"the folder of rasters cannot be used: {error.strerror}"
                raise StoreUnavailable(message) from error
            try:
                yield
            finally:
                connection.rollback()
                for slot in slots:
                    self._settle(connection, slot)

    @contextmanager
    def _marked(self, file_name: str, database: str) -> Iterator[Slot]:
        slot = Slot(self.folder, file_name.removesuffix(".tif"))
        descriptor = os.open(slot.lock, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            os.write(descriptor, database.encode())
            yield slot
        finally:
            os.close(descriptor)

    def _make(self) -> None:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.folder.chmod(0o700)

    def _claim(self, database: str) -> tuple[Slot, int]:
        while True:
            slot = Slot(self.folder, secrets.token_hex(16))
            descriptor = os.open(slot.lock, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if _is_at(descriptor, slot.lock):  # else another load took it for a leftover
                break
            os.close(descriptor)
        os.write(descriptor, database.encode())
        slot.work.mkdir(mode=0o700)
        return slot, descriptor

    def _sweep(self, connection: Connection, database: str) -> None:
        for lock in self.folder.glob("*.lock"):
            with suppress(FileNotFoundError), _taken(lock) as is_ours:
                if is_ours and lock.read_text() in ("", database):
                    self._settle(connection, Slot(self.folder, lock.stem))

    def _settle(self, connection: Connection, slot: Slot) -> None:
        if stored_files(connection, [slot.file_name]):
            slot.keep()
            slot.leave()
        else:
            slot.discard()
        connection.commit()


def _identity(connection: Connection) -> str:
    """What tells this database from others that may share the folder."""
    statement = "SELECT oid || ' ' || datname FROM pg_database WHERE datname = current_database()"
    found: str = connection.execute(text(statement)).scalar_one()
    connection.commit()
    return found


@contextmanager
def _taken(lock: Path) -> Iterator[bool]:
    """Whether a lock file could be taken, because its process is no more."""
    descriptor = os.open(lock, os.O_RDWR | os.O_NOFOLLOW)
    try:
        yield _locks(descriptor) and _is_at(descriptor, lock)
    finally:
        os.close(descriptor)


def _locks(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_at(descriptor: int, path: Path) -> bool:
    try:
        return os.fstat(descriptor).st_ino == path.stat().st_ino
    except FileNotFoundError:
        return False


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
