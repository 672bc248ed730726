"""A TCP proxy, in a process of its own, that counts what goes by and makes it late.

    with Proxy("127.0.0.2", port) as proxy:
        proxy.delay(20)                    milliseconds, each way, from the next byte on
        proxy.reset()
        ... clients connect to 127.0.0.1, proxy.port ...
        proxy.cost()  ->  Cost(connections, turns, up, down)

A turn is a client that speaks after its server spoke, or first of all: a round trip that was waited for.
Commands that are sent together are one, and the connection itself is none. (Without delay a server may answer
the first part of a flight before the last one is sent, so turns are to be counted with delay.) A connection
is made late as TCP would make it: a server's greeting arrives after four times the delay. Bandwidth is not
limited, and connections do not start slowly.
"""

import asyncio
import collections
import json
import socket
import subprocess
import sys
import time

HIGH = 4 << 20  # bytes on their way in one direction before no more are taken
LONGEST_SECONDS = 10

Cost = collections.namedtuple("Cost", "connections turns up down")


class Proxy:
    def __init__(self, host, port):
        self._process = subprocess.Popen(
            [sys.executable, "-B", __file__, host, str(port)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,  # Ctrl-C is ours
        )
        self.port = json.loads(self._process.stdout.readline())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        self._process.stdin.close()  # is its end
        self._process.stdout.close()
        try:
            self._process.wait(LONGEST_SECONDS)
        finally:
            self._process.kill()
            self._process.wait()

    def _ask(self, *words):
        print(*words, file=self._process.stdin, flush=True)
        return json.loads(self._process.stdout.readline())

    def delay(self, milliseconds):
        self._ask("delay", milliseconds)

    def reset(self):
        """Counts from here on. Connections that are open stay, and are not counted again."""
        self._ask("reset")

    def cost(self):
        """Once nothing has gone by for a third of a second: what a client sent last may be on its way."""
        last, since = None, time.monotonic()
        while time.monotonic() - since < 0.3:
            now = Cost(*self._ask("cost"))
            if now != last:
                last, since = now, time.monotonic()
            time.sleep(0.02)
        return last


class _Half(asyncio.Protocol):
    """One side of a connection; what it receives it hands to the other one when it is due."""

    def __init__(self, relay, by_client):
        self.relay, self.by_client = relay, by_client
        self.other = self.transport = None
        self.due = collections.deque()  # what the other side is still to be sent; None is the end
        self.size = 0

    def connection_made(self, transport):
        self.transport = transport
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self.by_client:
            self.relay.connect(self)
        else:
            self.flush_all()

    def data_received(self, data):
        self.relay.count(self, len(data))
        self.send(data)

    def connection_lost(self, _):
        self.send(None)

    def send(self, data):
        """To the other side, after the delay."""
        self.due.append(data)
        self.size += len(data or b"")
        if self.size > HIGH:
            self.transport.pause_reading()
        if self.relay.delay:
            self.relay.loop.call_later(self.relay.delay, self.flush)
        else:
            self.flush()

    def flush(self):
        """What is due is the oldest, whichever timer says so."""
        if not self.due or self.other is None or self.other.transport is None:
            return  # flush_all() does it when the connection is there
        data = self.due.popleft()
        if data is None:
            self.other.transport.close()
            return
        full = self.size > HIGH
        self.size -= len(data)
        if full and self.size <= HIGH:
            self.transport.resume_reading()
        self.other.transport.write(data)

    def flush_all(self):
        """A client that spoke first, or went, before there was a connection to its server."""
        while self.other.due:
            self.other.flush()


class _Relay:
    def __init__(self, host, port):
        self.target = (host, port)
        self.loop = asyncio.get_running_loop()
        self.delay = 0.0
        self.spoke_last = {}  # the client's half -> the half that spoke last
        self.counted = [0, 0, 0, 0]

    def count(self, half, size):
        if half.by_client:
            self.counted[1] += self.spoke_last.get(half) is not half
            self.spoke_last[half] = half
        else:
            self.spoke_last[half.other] = half
        self.counted[2 if half.by_client else 3] += size

    def connect(self, client):
        self.counted[0] += 1
        self.loop.create_task(self._connect(client))

    async def _connect(self, client):
        if self.delay:
            await asyncio.sleep(3 * self.delay)
        server = _Half(self, False)
        server.other, client.other = client, server
        try:
            await self.loop.create_connection(lambda: server, *self.target)
        except OSError:
            client.transport.close()

    def obey(self, line):
        word, *arguments = line.split()
        if word == "delay":
            self.delay = float(arguments[0]) / 1000
        elif word == "reset":
            self.counted = [0, 0, 0, 0]
        return self.counted


async def _serve(host, port):
    relay = _Relay(host, port)
    listener = await relay.loop.create_server(lambda: _Half(relay, True), "127.0.0.1", 0, backlog=1000)
    print(json.dumps(listener.sockets[0].getsockname()[1]), flush=True)
    commands = asyncio.StreamReader()
    await relay.loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(commands), sys.stdin)
    while line := await commands.readline():
        print(json.dumps(relay.obey(line.decode())), flush=True)


if __name__ == "__main__":
    asyncio.run(_serve(sys.argv[1], int(sys.argv[2])))
