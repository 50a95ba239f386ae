"""Record what really crosses the loopback interface, and look into it."""

import os
import secrets
import socket
import struct
import subprocess
import tempfile
from pathlib import Path

from lab import ADDRESS, LabError, tool, wait_for

NEGOTIATE, SESSION_SETUP, LOGOFF, TREE_CONNECT = 0, 1, 2, 3


class Capture:
    """tcpdump on lo for some ports, from the constructor to stop().

    A UDP datagram to the first port serves as a mark: when it is in the file, everything sent before
    it is too.  That proves that tcpdump listens, and later that it has written all it saw.
    """

    def __init__(self, *ports, path=None):
        self.ports = ports
        self._own = None if path else tempfile.TemporaryDirectory(prefix="lab-wire-")
        self.path = Path(path) if path else Path(self._own.name) / "pcap"
        self._errors = self.path.with_suffix(".tcpdump")
        argv = [tool("tcpdump"), "-i", "lo", "-n", "-U", "--immediate-mode", "-B", "32768",
                "-w", self.path]
        if os.geteuid() == 0:
            argv += ["-Z", "root"]
        expression = " or ".join(f"port {p}" for p in ports)
        with open(self._errors, "wb") as errors:
            self._process = subprocess.Popen(
                [tool("setpriv"), "--pdeathsig", "INT", *map(str, argv), expression],
                stdin=subprocess.DEVNULL, stdout=errors, stderr=errors, start_new_session=True)
        try:
            wait_for(self._listens, "tcpdump")
            flush(self.path, ports[0])
        except BaseException:
            self.stop()
            raise

    def _listens(self):
        text = self._errors.read_text()
        if self._process.poll() is not None:
            raise LabError(f"tcpdump ended at once: {text}")
        return "listening on" in text and self.path.exists()

    def stop(self):
        """End the recording; LabError if the kernel had to drop packets."""
        if self._process is None:
            return
        if self._process.poll() is None:
            try:
                flush(self.path, self.ports[0])
            finally:
                self._process.terminate()
                self._process.wait(10)
        self._process = None
        text = self._errors.read_text()
        if "0 packets dropped by kernel" not in text.splitlines():
            raise LabError(f"the recording is not complete: {text}")

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.stop()
        if self._own is not None:
            self._own.cleanup()

    def _records(self):
        if self._process is not None:
            flush(self.path, self.ports[0])
        return records(self.path)

    def contains(self, needle):
        """Was this text (in UTF-8 or UTF-16) or were these bytes visible, in either direction?"""
        return sees(self._records(), needle)

    def frames(self, port=None):
        """SMB frames as (to_server, bytes), in wire order within one direction of one connection."""
        wanted = (port,) if port else self.ports
        for (_, source, _, target), data in streams(self._records()).items():
            if source in wanted or target in wanted:
                for frame in split(data):
                    yield target in wanted, frame

    def requests(self):
        """Commands of the SMB2 requests that went out unsealed."""
        return [struct.unpack_from("<H", f, 12)[0] for to_server, f in self.frames()
                if to_server and f[:4] == b"\xfeSMB"]

    def protocols(self):
        """The four-byte protocol ids that occurred (b"\\xfeSMB" clear, b"\\xfdSMB" sealed, …)."""
        return {f[:4] for _, f in self.frames()}

    def connections(self):
        """How many TCP connections were begun."""
        return sum(p[47] & 0x12 == 2 for p in self._records()
                   if p[12:14] == b"\x08\x00" and p[14] == 0x45 and p[23] == 6)

    def negotiated(self):
        """What each NEGOTIATE response settled: [(dialect, cipher id, signing id)], 0 where absent."""
        return [negotiate_response(f) for to_server, f in self.frames()
                if not to_server and f[:4] == b"\xfeSMB" and f[12:14] == b"\0\0"]

    def dialects(self):
        """Every dialect that a NEGOTIATE request offered."""
        offered = set()
        for to_server, f in self.frames():
            if to_server and f[:4] == b"\xfeSMB" and f[12:14] == b"\0\0":
                count = struct.unpack_from("<H", f, 66)[0]
                offered |= set(struct.unpack_from(f"<{count}H", f, 100))
        return offered


def flush(path, port):
    """Return when everything that has been sent so far is in the file."""
    mark = secrets.token_bytes(16)
    before = path.stat().st_size

    def seen():
        with socket.socket(type=socket.SOCK_DGRAM) as s:
            s.sendto(mark, (ADDRESS, port))
        with open(path, "rb") as f:
            f.seek(before)
            return mark in f.read()
    wait_for(seen, "tcpdump writing what it sees")


def records(path):
    """The captured Ethernet frames of a pcap file in this machine's byte order."""
    data = path.read_bytes()
    if len(data) < 24 or data[:4] != struct.pack("=I", 0xa1b2c3d4):
        raise LabError(f"{path} is not a capture")
    at, found = 24, []
    while at + 16 <= len(data):
        n = struct.unpack_from("=I", data, at + 8)[0]
        found.append(data[at + 16:at + 16 + n])
        at += 16 + n
    return found


def streams(packets):
    """TCP payload of each direction, put together: (source, port, target, port) -> bytes."""
    first, parts = {}, {}
    for p in packets:
        if len(p) < 34 or p[12:14] != b"\x08\x00" or p[23] != 6:
            continue
        tcp = 14 + (p[14] & 15) * 4
        source, target, seq = struct.unpack_from("!HHI", p, tcp)
        key = (p[26:30], source, p[30:34], target)
        payload = p[tcp + (p[tcp + 12] >> 4) * 4:14 + struct.unpack_from("!H", p, 16)[0]]
        if p[tcp + 13] & 2:
            first[key] = seq + 1
        elif payload:
            at = (seq - first.setdefault(key, seq)) & 0xffffffff
            whole = parts.setdefault(key, bytearray())
            whole.extend(bytes(max(0, at + len(payload) - len(whole))))
            whole[at:at + len(payload)] = payload
    return parts


def split(data):
    """The SMB frames of one stream (four bytes of length in front of each)."""
    at = 0
    while at + 4 <= len(data):
        n = int.from_bytes(data[at:at + 4], "big")
        yield bytes(data[at + 4:at + 4 + n])
        at += 4 + n


def negotiate_response(frame):
    """[MS-SMB2] 2.2.4; contexts of type 2 and 8 hold a count and then the one choice."""
    dialect, count = struct.unpack_from("<HH", frame, 68)
    at = struct.unpack_from("<I", frame, 124)[0]
    chosen = {}
    for _ in range(count if dialect == 0x0311 else 0):
        kind, n = struct.unpack_from("<HH", frame, at)
        if kind in (2, 8):
            chosen[kind] = struct.unpack_from("<H", frame, at + 10)[0]
        at += 8 + (n + 7) // 8 * 8
    return dialect, chosen.get(2, 0), chosen.get(8, 0)


def sees(packets, needle):
    forms = [needle] if isinstance(needle, bytes) else [needle.encode(), needle.encode("utf-16-le")]
    haystacks = [*packets, *streams(packets).values()]
    return any(form in haystack for haystack in haystacks for form in forms)


def search(path, port, texts):
    """(readable messages, sealed ones, those of the texts that were seen) of a running recording."""
    flush(path, port)
    packets = records(path)
    ids = [f[:4] for data in streams(packets).values() for f in split(data)]
    sealed = ids.count(b"\xfdSMB")
    return len(ids) - sealed, sealed, [text for text in texts if sees(packets, text)]
