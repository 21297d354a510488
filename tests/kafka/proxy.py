"""A way between clients and brokers that can be made to swallow the answers, or to break.

Brokers tell clients where to connect, so their addresses in the answers are replaced by ours, byte for byte.
"""

import contextlib
import socket
import struct
import threading

from tests.kafka.topics import administrator

_SIZE = struct.Struct(">i")
_REQUEST = struct.Struct(">hhi")  # what is asked, in which version, and the number of the question
_HANDSHAKE, _AUTHENTICATE = 17, 36
_ONLY_PLAIN = b"\0\0\0\0\0\1\0\5PLAIN"  # no error; one mechanism


class Proxy:
    """Stands before every broker; `address` is that of the first."""

    def __init__(self) -> None:
        with administrator() as client:
            brokers = [(broker["host"], broker["port"]) for broker in client.describe_cluster()["brokers"]]
        self.is_silent = False
        self._sockets: list[socket.socket] = []
        self._doors = {broker: socket.create_server(("127.0.0.1", 0)) for broker in brokers}
        self.address = f"127.0.0.1:{next(iter(self._doors.values())).getsockname()[1]}"
        self.passwords = b""  # what clients sent to show who they are; all are refused
        for broker, door in self._doors.items():
            threading.Thread(target=self._serve, args=(broker, door), daemon=True).start()

    def cut(self) -> None:
        """Break every connection."""
        sockets, self._sockets = self._sockets, []
        for each in sockets:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def close(self) -> None:
        for door in self._doors.values():
            with contextlib.suppress(OSError):
                door.shutdown(socket.SHUT_RDWR)
            door.close()
        self.cut()

    def _serve(self, broker: tuple[str, int], door: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = door.accept()
                server = socket.create_connection(broker)
                self._sockets += [client, server]
                for source, target, answers in ((client, server, False), (server, client, True)):
                    threading.Thread(target=self._pass_on, args=(source, target, answers), daemon=True).start()

    def _pass_on(self, source: socket.socket, target: socket.socket, answers: bool) -> None:
        with contextlib.suppress(OSError, EOFError):
            while True:
                message = _exactly(source, _SIZE.unpack(_exactly(source, _SIZE.size))[0])
                if answers and self.is_silent:
                    continue
                if not answers and self._is_about_users(message, source):
                    continue
                message = self._with_our_addresses(message) if answers else message
                target.sendall(_SIZE.pack(len(message)) + message)
        for each in (source, target):
            each.close()

    def _is_about_users(self, message: bytes, client: socket.socket) -> bool:
        """The brokers know no users. For them, we say that there are, and then that this is none."""
        asked, _, number = _REQUEST.unpack_from(message)
        if asked == _HANDSHAKE:
            answer = _SIZE.pack(number) + _ONLY_PLAIN
            client.sendall(_SIZE.pack(len(answer)) + answer)
        elif asked == _AUTHENTICATE:
            self.passwords += message
            raise EOFError
        return asked == _HANDSHAKE

    def _with_our_addresses(self, message: bytes) -> bytes:
        for (host, port), door in self._doors.items():
            ours = _SIZE.pack(door.getsockname()[1])
            message = message.replace(host.encode() + _SIZE.pack(port), host.encode() + ours)
        return message


def _exactly(source: socket.socket, size: int) -> bytes:
    parts = bytearray()
    while len(parts) < size:
        part = source.recv(size - len(parts))
        if not part:
            raise EOFError
        parts += part
    return bytes(parts)
