"""A TCP proxy between the agent and a server that counts what a pass costs: round trips and bytes.

    with CountingProxy(rig.ports["imap"], PLAIN_HOST) as proxy:
        ... let the agent connect to proxy.port, in clear ...
        proxy.reset()
        ... a pass ...
        cost = proxy.cost()  ->  Cost(round_trips, sent, received, connections), and proxy.said

A round trip is a burst of the client's that the server has answered: commands that are sent together
are one. IDLE and DONE alone are none: nobody waits for the one, and what follows the other does not
have to. held() keeps back what both sides say, so that things happen behind the agent's back.

`most_open` is the number of connections that were open at the same time, as the agent sees it, and
`opened` when each of them began, by time.monotonic().
"""

import collections
import contextlib
import re
import selectors
import socket
import threading
import time

Cost = collections.namedtuple("Cost", "round_trips sent received connections")
PARKING = re.compile(rb"(?i)(?:\S+ IDLE|DONE)\r\n")


class _Pair:
    def __init__(self, client, server):
        self.client, self.server = client, server
        self.burst = b""  # of the client's, not answered yet


class CountingProxy:
    def __init__(self, port, host):
        self._target = (host, port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ, None)
        self._wake, self._woken = socket.socketpair()
        self._selector.register(self._woken, selectors.EVENT_READ, None)
        self._lock = threading.Lock()
        self._open = threading.Event()
        self._open.set()
        self._ended = False
        self._pairs = set()
        self._idle_said = self._parked = False
        self.reset()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        self._ended = True
        self._open.set()
        self._wake.send(b"x")
        self._thread.join()
        for pair in list(self._pairs):
            self._close(pair)
        for one in (self._listener, self._wake, self._woken):
            one.close()
        self._selector.close()

    def reset(self):
        """Counts from here on. Connections that are open stay, and are not counted again."""
        with self._lock:
            self._round_trips = self._sent = self._received = self._connections = 0
            self.said = []  # ("C" or "S", bytes), for a failing test's message
            self.most_open, self.opened = len(self._pairs), []

    def cost(self):
        with self._lock:
            return Cost(self._round_trips, self._sent, self._received, self._connections)

    def is_parked(self):
        """Whether IDLE is the last that the client said, and the server agreed."""
        with self._lock:
            return self._parked

    @contextlib.contextmanager
    def held(self):
        self._open.clear()
        self._wake.send(b"x")
        try:
            yield
        finally:
            self._open.set()

    # ---- in its thread ----------------------------------------------------------------------------
    def _run(self):
        while not self._ended:
            ready = {key.fileobj: key.data for key, _ in self._selector.select()}
            self._open.wait()
            if self._ended:
                return
            if self._listener not in ready:
                self._read(ready)
            # What the agent closed before it opened one more is seen before.
            while self._listener in ready:
                del ready[self._listener]
                if not ready:
                    self._accept()
                    break
                self._read(ready)
                ready = {key.fileobj: key.data for key, _ in self._selector.select(0)}

    def _read(self, ready):
        for source, pair in ready.items():
            if source is self._woken:
                self._woken.recv(100)
            else:
                self._pass_on(source, pair)

    def _accept(self):
        client, _ = self._listener.accept()
        try:
            server = socket.create_connection(self._target)
        except OSError:
            client.close()
            return
        pair = _Pair(client, server)
        self._pairs.add(pair)
        for one in (client, server):
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._selector.register(one, selectors.EVENT_READ, pair)
        with self._lock:
            self._connections += 1
            self.most_open = max(self.most_open, len(self._pairs))
            self.opened.append(time.monotonic())

    def _pass_on(self, source, pair):
        if pair not in self._pairs:
            return  # its other half has just ended
        try:
            data = source.recv(65536)
            if data:
                self._count(pair, source is pair.client, data)
                (pair.server if source is pair.client else pair.client).sendall(data)
                return
        except OSError:
            pass
        self._close(pair)

    def _count(self, pair, by_client, data):
        with self._lock:
            self.said.append(("C" if by_client else "S", data))
            if by_client:
                self._sent += len(data)
                pair.burst += data
                self._idle_said = re.search(rb"(?i) IDLE\r\n$", data) is not None
                self._parked = False
                return
            self._received += len(data)
            if pair.burst and not PARKING.fullmatch(pair.burst):
                self._round_trips += 1
            pair.burst = b""
            self._parked = self._idle_said

    def _close(self, pair):
        self._pairs.discard(pair)
        for one in (pair.client, pair.server):
            self._selector.unregister(one)
            one.close()
