"""A tiny engine: one process that holds its weights and answers with what only they can give.

Run as a program, ``python child.py WEIGHTS NAME MILLISECONDS``, with the standard library alone.
Prints its port, answers chat completions one at a time, each after so many milliseconds, and
ends when its standard input does. An answer is the SHA-256 of the weights and the question.
"""

from __future__ import annotations

import hashlib
import os
import select
import socket
import sys
import time


def main() -> None:
    """Serve until standard input ends."""
    path, name, milliseconds = sys.argv[1:4]
    with open(path, "rb") as file:  # noqa: PTH123  # pathlib takes longer to load than all else
        weights = file.read()
    known = hashlib.sha256(weights)
    listener = socket.create_server(("127.0.0.1", 0), backlog=128)
    os.write(1, b"%d\n" % listener.getsockname()[1])
    while True:
        ready, _, _ = select.select([0, listener.fileno()], [], [])
        if 0 in ready:
            return
        connection, _ = listener.accept()
        with connection:
            try:
                _answer(connection, known.copy(), name, float(milliseconds) / 1000)
            except OSError:  # the client is gone
                continue


def _answer(connection: socket.socket, known: hashlib._Hash, name: str, seconds: float) -> None:
    data = b""
    while b"\r\n\r\n" not in data:
        part = connection.recv(65536)
        if not part:
            return
        data += part
    head, _, body = data.partition(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
    while len(body) < length:
        part = connection.recv(65536)
        if not part:
            return
        body += part
    known.update(body)
    time.sleep(seconds)
    message = '{"role":"assistant","content":"' + known.hexdigest() + '"}'
    choice = '{"index":0,"finish_reason":"stop","message":' + message + "}"
    start = '{"object":"chat.completion","model":"' + name
    answer = (start + '","choices":[' + choice + "]}").encode()
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n"
    connection.sendall(head % len(answer) + b"Connection: close\r\n\r\n" + answer)


if __name__ == "__main__":
    main()
