"""A TCP proxy between the unit and a server that does to a connection what networks do.

    with FaultProxy(rig.ports["relay"]) as proxy:
        port = proxy.listen(CutAfter(by_client=True, count=100))     a port of its own for each fault
        ... let the unit connect to 127.0.0.1:port, in clear ...

A fault is asked about every piece that one side sent, and passes on of it what it likes. It may be
changed at any time: proxy.faults[port] = Fault().
"""

import re
import socket
import struct
import threading


class Fault:
    """None: everything passes. One object serves all connections of its port; what is called at once for
    two of them, or for both directions, takes self.lock."""

    def __init__(self):
        self.lock = threading.Lock()
        self.released = threading.Event()

    def begin(self):
        """A connection comes; False: it is closed at once."""
        return True

    def piece(self, link, by_client, data):
        """Passes on by link.send(by_client, data); False: the connection ends here."""
        link.send(by_client, data)
        return True

    def ended(self, link):
        """One half of the connection has ended; both do."""


class SingleBytes(Fault):
    """Each byte in a packet of its own, both ways."""

    def piece(self, link, by_client, data):
        for at in range(len(data)):
            link.send(by_client, data[at : at + 1])
        return True


class Tarpit(SingleBytes):
    """What the server says comes a byte at a time, with `pause` seconds after each."""

    def __init__(self, pause):
        super().__init__()
        self.pause = pause

    def piece(self, link, by_client, data):
        if by_client:
            return super().piece(link, by_client, data)
        for at in range(len(data)):
            link.send(by_client, data[at : at + 1])
            if self.released.wait(self.pause):
                link.send(by_client, data[at + 1 :])
                break
        return True


class CutAfter(Fault):
    """Ends the connection after so many bytes of one direction, counted over all of them; once. `reset`:
    by a reset, which may overtake what was sent before. `counts` says what came through."""

    def __init__(self, by_client, count, reset=False):
        super().__init__()
        self.by_client, self.count, self.reset = by_client, count, reset
        self.counts = {True: 0, False: 0}
        self.happened = False

    def piece(self, link, by_client, data):
        with self.lock:
            before = self.counts[by_client]
            self.counts[by_client] += len(data)
            mine = not self.happened and by_client == self.by_client and self.counts[by_client] > self.count
            if mine:
                self.happened = True
        if not mine:
            return super().piece(link, by_client, data)
        link.send(by_client, data[: self.count - before])
        link.reset = self.reset
        return False


class CutBehind(Fault):
    """Ends the connection when the server has done what a command with these words told it to, which
    nobody hears of; once."""

    def __init__(self, words):
        super().__init__()
        self.words = words
        self.armed = self.happened = False

    def piece(self, link, by_client, data):
        with self.lock:
            if by_client:
                self.armed |= not self.happened and self.words in data
            elif self.armed:
                self.armed, self.happened = False, True
                return False
        return super().piece(link, by_client, data)


class StallAfterLines(Fault):
    """Passes on so many of the server's lines and then nothing more of either side, until released."""

    def __init__(self, lines):
        super().__init__()
        self.lines = lines
        self.stalled = threading.Event()

    def piece(self, link, by_client, data):
        if not by_client:
            for line in data.splitlines(keepends=True):
                with self.lock:
                    self.lines -= 1
                    stalls = self.lines < 0
                if stalls:
                    break
                link.send(by_client, line)
            else:
                return True
        elif not self.stalled.is_set():
            return super().piece(link, by_client, data)
        self.stalled.set()
        self.released.wait()
        return False


class CutAtDot(Fault):
    """Ends an SMTP dialogue in clear about its final dot, each connection's first one:

    "before"  the dot did not reach the server
    "after"   it did; the server goes on, and its reply finds nobody
    "reset"   it did, and the connection to the server was reset with it: who knows
    "reply"   the server's reply was on its way

    `cuts` counts them."""

    def __init__(self, how):
        super().__init__()
        self.how, self.cuts = how, 0

    def piece(self, link, by_client, data):
        if by_client and not link.dot_seen:
            link.in_data = link.in_data or re.search(rb"(?im)^DATA\r\n", data) is not None
            link.tail = (link.tail + data)[-5:]
            if link.in_data and link.tail == b"\r\n.\r\n":
                link.dot_seen = True
                return self._dot(link, data)
        elif not by_client and link.dot_seen:
            if self.how == "reply":
                self._count()
            return False
        return super().piece(link, by_client, data)

    def _dot(self, link, data):
        link.send(True, data[:-3] if self.how == "before" else data)
        if self.how == "reply":
            return True
        self._count()
        link.reset = self.how == "reset"
        if self.how == "after":
            link.leave_server()
        return self.how == "after"

    def _count(self):
        with self.lock:
            self.cuts += 1


class _Link:
    """A connection, both halves of it."""

    def __init__(self, client, server):
        self._client, self._server = client, server
        self.reset = self.alone = False
        self.in_data = self.dot_seen = False  # of CutAtDot
        self.tail = b""

    def send(self, by_client, data):
        if data:
            (self._server if by_client else self._client).sendall(data)

    def leave_server(self):
        """The client's half ends; the server may go on until it has said something."""
        self.alone = True
        _shut(self._client)

    def close(self):
        for one in (self._client, self._server):
            _shut(one, self.reset)


def _shut(one, reset=False):
    """Wakes the thread that reads from it, which closes it: by a reset, if wanted."""
    try:
        if reset:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        one.shutdown(socket.SHUT_RD if reset else socket.SHUT_RDWR)
    except OSError:
        pass


class FaultProxy:
    def __init__(self, port, host="127.0.0.1"):
        self._target = (host, port)
        self.faults = {}
        self.connections = {}  # by port
        self._listeners, self._links = [], set()
        self._lock = threading.Lock()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        for fault in self.faults.values():
            fault.released.set()
        for listener in self._listeners:
            _shut(listener)
            listener.close()
        with self._lock:
            links = list(self._links)
        for link in links:
            link.close()

    def listen(self, fault=None):
        listener = socket.create_server(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        self.faults[port] = fault or Fault()
        self.connections[port] = 0
        self._listeners.append(listener)
        threading.Thread(target=self._accept, args=(listener, port), daemon=True).start()
        return port

    def _accept(self, listener, port):
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            self.connections[port] += 1
            fault = self.faults[port]
            if not fault.begin():
                client.close()
                continue
            try:
                server = socket.create_connection(self._target)
            except OSError:
                client.close()
                continue
            for one in (client, server):
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            link = _Link(client, server)
            with self._lock:
                self._links.add(link)
            for source, by_client in ((client, True), (server, False)):
                threading.Thread(target=self._pump, args=(link, source, by_client, fault), daemon=True).start()

    def _pump(self, link, source, by_client, fault):
        try:
            while data := source.recv(65536):
                if not fault.piece(link, by_client, data):
                    break
        except OSError:
            pass
        if not (by_client and link.alone):
            link.close()
        source.close()
        fault.ended(link)
        with self._lock:
            self._links.discard(link)
