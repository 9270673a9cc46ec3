"""A Milvus server of a test's own: standalone, in a folder that goes when the server goes.

The program comes from the wheel ``milvus`` (an old branch of Milvus: for tests only). The wheel's
own server class is not used: its server goes on when the process that started it is killed.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib.util
import lzma
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Self

__all__ = ["MilvusServer", "milvus_programs"]

_PR_SET_PDEATHSIG = 1
_START_S = 120.0
_FIELD = re.compile(r"\{\{\s*(\w+)(?:\((\w+)\))?\s*(?::\s*([^}]*?))?\s*\}\}")


def milvus_programs() -> Path | None:
    """The folder of the packed programs, or None where the wheel is not installed."""
    if sys.platform != "linux":  # elsewhere nothing stops it when a test is killed
        return None
    spec = importlib.util.find_spec("milvus")
    for place in (spec and spec.submodule_search_locations) or ():
        if (Path(place) / "data" / "bin" / "milvus.lzma").is_file():
            return Path(place) / "data"
    return None


class MilvusServer:
    """A standalone server. A context manager.

    The kernel kills it when the thread that started it ends, however that happens.

    Args:
        programs: from :func:`milvus_programs`.

    Raises:
        RuntimeError: it does not start; the message is the end of its log.

    Example:
        >>> programs = milvus_programs()
        >>> if programs is not None:  # doctest: +SKIP
        ...     with MilvusServer(programs) as server:
        ...         server.uri.startswith("http://127.0.0.1:")
        True
    """

    def __init__(self, programs: Path) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="mien-milvus-"))
        self._process: subprocess.Popen[bytes] | None = None
        self.port = 0
        try:
            self._unpack(programs)
            self._health = self._configure(programs)
            self.start()
        except BaseException:
            self.close()
            raise

    @property
    def uri(self) -> str:
        """Where a client finds it."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int | None:
        """Its process, while it runs."""
        return None if self._process is None else self._process.pid

    def start(self) -> None:
        """Start the server (again), and wait until it says that it is healthy."""
        folder = self._folder
        environment = {
            **os.environ,
            "DEPLOY_MODE": "STANDALONE",
            "METRICS_PORT": str(self._health),
            "MILVUS_RUN_DIR": str(folder / "run"),
            "LD_LIBRARY_PATH": str(folder / "bin"),
        }
        with (folder / "log").open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - the wheel's own program
                [str(folder / "bin" / "milvus"), "run", "standalone"],
                cwd=folder,
                env=environment,
                stdout=log,
                stderr=log,
                preexec_fn=_die_with_parent,
            )
        until = time.monotonic() + _START_S
        while not self._is_healthy():
            if self._process.poll() is not None or time.monotonic() > until:
                raise RuntimeError((folder / "log").read_text(errors="replace")[-2000:])
            time.sleep(0.1)

    def kill(self) -> None:
        """Kill it at once, as a lost machine would."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait(60)
            self._process = None

    def close(self) -> None:
        """Kill the server and delete its folder."""
        self.kill()
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

    def _unpack(self, programs: Path) -> None:
        folder = self._folder / "bin"
        folder.mkdir()
        for packed in (programs / "bin").glob("*.lzma"):
            target = folder / packed.stem
            with lzma.open(packed) as source, target.open("wb") as file:
                shutil.copyfileobj(source, file, 2**20)
            target.chmod(0o755)

    def _configure(self, programs: Path) -> int:
        """Write its settings, with free ports; the port where it tells its health."""
        for name in ("configs", "logs", "data"):
            (self._folder / name).mkdir()
        template = (programs / "config.yaml.template").read_text()
        fields = {match[1]: match for match in _FIELD.finditer(template)}
        ports = [name for name in fields if name.endswith("_port")]
        free = _free_ports(len(ports) + 3)
        values = dict(zip(ports, map(str, free), strict=False))
        values |= {
            "etcd_data_dir": str(self._folder / "data" / "etcd"),
            "etcd_log_path": str(self._folder / "logs" / "etcd.log"),
            "local_storage_dir": str(self._folder / "data"),
            "rocksmq_data_dir": str(self._folder / "data" / "rocksmq"),
            "system_log_path": str(self._folder / "logs"),
        }
        settings = _FIELD.sub(lambda match: values.get(match[1], match[3] or ""), template)
        etcd = self._folder / "configs" / "etcd.yaml"
        etcd.write_text(_etcd(free[-2], free[-3]))
        settings = settings.replace("etcd:\n", f"etcd:\n  config:\n    path: {etcd}\n", 1)
        (self._folder / "configs" / "milvus.yaml").write_text(settings)
        shutil.copy(programs / "glog.conf", self._folder / "configs")
        self.port = int(values["proxy_port"])
        return free[-1]

    def _is_healthy(self) -> bool:
        url = f"http://127.0.0.1:{self._health}/healthz"
        with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=5) as answer:
            return b"OK" in answer.read()
        return False


def _die_with_parent() -> None:
    """Ask the kernel to kill the server when whoever started it is gone."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _etcd(client: int, peer: int) -> str:
    """Settings of the etcd inside; without them it takes the ports 2379 and 2380."""
    return (
        f"name: default\nlisten-client-urls: http://127.0.0.1:{client}\n"
        f"advertise-client-urls: http://127.0.0.1:{client}\n"
        f"listen-peer-urls: http://127.0.0.1:{peer}\n"
        f"initial-advertise-peer-urls: http://127.0.0.1:{peer}\n"
        f"initial-cluster: default=http://127.0.0.1:{peer}\n"
    )


def _free_ports(count: int) -> list[int]:
    servers = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [int(server.getsockname()[1]) for server in servers]
    for server in servers:
        server.close()
    return ports
