"""A name server on loopback that answers as it is told, and the programs made to ask it alone.

    with ScriptedDns() as dns:
        dns.serve_this_process()            a resolv.conf of our own, seen by this process and its children
        dns.names["mail.test"] = "127.0.0.1"
        dns.says["slow.test"] = ScriptedDns.NOTHING     or SERVFAIL; a name that is not known is NXDOMAIN

Needs to be root, and smalldisk.is_possible().
"""

import pathlib
import socket
import struct
import subprocess
import tempfile
import threading

A, AAAA, IN = 1, 28, 1
PORT = 53


class ScriptedDns:
    SERVFAIL = 2
    NXDOMAIN = 3
    NOTHING = object()

    def __init__(self):
        self.names, self.says = {}, {}
        self.asked = []
        self._lock = threading.Lock()
        self._conf = None
        self._socket = self._bound()
        threading.Thread(target=self._run, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self._conf:
            subprocess.run(["umount", "/etc/resolv.conf"], check=False)
            self._conf.close()
        try:
            self._socket.shutdown(socket.SHUT_RDWR)  # wakes its thread, whatever it says
        except OSError:
            pass
        self._socket.close()

    def _bound(self):
        """At an address of its own: others have theirs, and the resolver knows one port only."""
        out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        for last in range(2, 255):
            self.address = f"127.53.53.{last}"
            try:
                out.bind((self.address, PORT))
                return out
            except OSError:
                continue
        raise OSError("no address for a name server")

    def serve_this_process(self):
        self._conf = tempfile.NamedTemporaryFile("w", prefix="vmresolv.", suffix=".conf")
        pathlib.Path(self._conf.name).chmod(0o644)
        self._conf.write(f"nameserver {self.address}\n")
        self._conf.flush()
        subprocess.run(["mount", "--bind", self._conf.name, "/etc/resolv.conf"], check=True)

    def count(self, name):
        with self._lock:
            return self.asked.count(name)

    def _run(self):
        while True:
            try:
                query, client = self._socket.recvfrom(4096)
                answer = self._answer(query)
                if answer:
                    self._socket.sendto(answer, client)
            except OSError:
                return

    def _answer(self, query):
        number, flags, *_ = struct.unpack(">6H", query[:12])
        labels, at = [], 12
        while query[at]:
            labels.append(query[at + 1 : at + 1 + query[at]].decode())
            at += 1 + query[at]
        name, (kind, _) = ".".join(labels).lower(), struct.unpack(">HH", query[at + 1 : at + 5])
        with self._lock:
            self.asked.append(name)
        code = self.says.get(name, 0 if name in self.names else self.NXDOMAIN)
        if code is self.NOTHING:
            return None
        records = b""
        if code == 0 and kind == A:
            records = struct.pack(">HHHIH", 0xC00C, A, IN, 1, 4) + socket.inet_aton(self.names[name])
        question = query[12 : at + 5]
        return struct.pack(">6H", number, 0x8180 | code, 1, 1 if records else 0, 0, 0) + question + records
