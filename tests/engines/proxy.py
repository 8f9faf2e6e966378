"""A way to a server that can be cut: bytes go through it until it is told to break off."""

import socket
import threading
from contextlib import suppress
from urllib.parse import urlsplit


class Proxy:
    """Listens on a port of this machine and carries everything to the server of `url`."""

    def __init__(self, url: str) -> None:
        self._url = urlsplit(url)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._lock = threading.Lock()
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._left: dict[str, int] = {}  # bytes until the next cut, by direction
        self.times = 0  # cuts that are left
        self.cuts = 0  # that were made
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        """The server's address, by way of this."""
        return f"postgresql://{self._url.username}@127.0.0.1:{self.port}{self._url.path}"

    def cut_after(self, count: int, *, answers: bool, times: int = 1) -> None:
        """Breaks the connection off when so many bytes have gone through: of the server's answers
        or of what it is sent; and again so many bytes later, so many `times`."""
        with self._lock:
            self._left = {"answers" if answers else "questions": count}
            self._count, self.times, self.cuts = count, times, 0

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            far = socket.create_connection((self._url.hostname or "", self._url.port or 0))
            with self._lock:
                self._pairs.append((near, far))
            for source, sink, kind in ((near, far, "questions"), (far, near, "answers")):
                threading.Thread(target=self._carry, args=(source, sink, kind), daemon=True).start()

    def _carry(self, source: socket.socket, sink: socket.socket, kind: str) -> None:
        with suppress(OSError):
            while data := source.recv(4096):
                whole, data = data, self._allowed(data, kind)
                sink.sendall(data)
                if len(data) < len(whole):
                    break
        for one in (source, sink):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def _allowed(self, data: bytes, kind: str) -> bytes:
        with self._lock:
            if not self.times or kind not in self._left:
                return data
            self._left[kind] -= len(data)
            if self._left[kind] >= 0:
                return data
            kept = data[: self._left[kind]]
            self.times -= 1
            self.cuts += 1
            self._left[kind] = self._count
            return kept

    def close(self) -> None:
        self._listener.close()
        with self._lock:
            for pair in self._pairs:
                for one in pair:
                    one.close()
