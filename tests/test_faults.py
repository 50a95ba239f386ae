"""Full disks, signals, servers that fall silent or go away: reported once, and nobody hangs."""

import concurrent.futures
import errno
import mmap
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from client import running
from lab import ADDRESS, wait_for
from pair import fails, pattern


@pytest.fixture
def full_disk(tmp_path):
    if os.geteuid() != 0:
        pytest.skip("a small file system can only be mounted by root")
    path = tmp_path / "disk"
    path.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m,mode=777", "none", path], check=True)
    yield path
    subprocess.run(["umount", "-l", path], check=True)


@pytest.mark.parametrize("how", ["close", "fsync", "write"])
def test_a_full_disk_is_reported_once(full_disk, make_smbd, mount, how):
    server = make_smbd(shares={"small": {"path": full_disk}}, log_level=1)
    path = mount(server=server, share="small").path / "file"
    fd = os.open(path, os.O_WRONLY | os.O_CREAT)
    other = os.open(path, os.O_WRONLY)
    errors = []
    for _ in range(200 if how == "write" else 6):
        try:
            os.write(fd, bytes(1024 * 1024))
        except OSError as error:
            errors.append(error.errno)
            break
    if not errors:
        try:
            if how == "fsync":
                os.fsync(fd)
            else:
                os.close(os.dup(fd))
        except OSError as error:
            errors.append(error.errno)
    assert errors == [errno.ENOSPC]
    # Several writes may have failed: at most one more report is due, then silence.
    for _ in range(2):
        try:
            os.close(os.dup(fd))
        except OSError as error:
            assert error.errno == errno.ENOSPC
    os.close(os.dup(fd))
    os.truncate(path, 0)
    os.pwrite(fd, b"there is room again", 0)
    os.fsync(fd)
    os.close(fd)
    fails(errno.ENOSPC, os.fsync, other)
    os.fsync(other)
    os.close(other)
    assert (full_disk / "file").read_bytes() == b"there is room again"
    path.unlink()


def processes_of(server):
    found = []
    for proc in Path("/proc").glob("[0-9]*"):
        try:
            if os.fsencode(server.conf) in (proc / "cmdline").read_bytes().split(b"\0"):
                found.append(int(proc.name))
        except OSError:
            continue
    return found


SILENT = {
    "stat": "os.stat(sys.argv[1] + '/nothing')",
    "open": "open(sys.argv[1] + '/file').read()",
    "create": "open(sys.argv[1] + '/new', 'w')",
    "read": "os.preadv(fd, [bytearray(1 << 20)], 1 << 20)",
    "direct read": "os.preadv(direct, [mmap.mmap(-1, 1 << 20)], 0)",
    "write": "[os.write(fd, bytes(1 << 20)) for _ in range(100)]",
    "fsync": "os.write(fd, b'x'); os.fsync(fd)",
    "close": "os.write(fd, b'x'); os.close(fd)",
    "truncate": "os.ftruncate(fd, 5)",
    "mkdir": "os.mkdir(sys.argv[1] + '/newdir')",
    "unlink": "os.unlink(sys.argv[1] + '/file')",
    "rename": "os.rename(sys.argv[1] + '/file', sys.argv[1] + '/other')",
    "list": "os.listdir(sys.argv[1])",
    "statfs": "os.statvfs(sys.argv[1])",
}


@pytest.mark.parametrize("what", SILENT)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_silent_server_does_not_hold_a_process(make_smbd, mount, what, number):
    server = make_smbd(log_level=1)
    (server.share / "file").write_bytes(pattern(4_000_000))
    path = mount("actimeo=0", server=server).path
    child = subprocess.Popen(
        [sys.executable, "-c",
         "import mmap, os, sys\n"
         "fd = os.open(sys.argv[1] + '/file', os.O_RDWR)\n"
         "direct = os.open(sys.argv[1] + '/file', os.O_RDONLY | os.O_DIRECT)\n"
         "print('ready', flush=True)\nsys.stdin.readline()\nprint('going', flush=True)\n"
         + SILENT[what] + "\nprint('done', flush=True)", str(path)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert child.stdout.readline() == "ready\n"
    stopped = processes_of(server)
    try:
        for pid in stopped:
            os.kill(pid, signal.SIGSTOP)
        child.stdin.write("\n")
        child.stdin.flush()
        assert child.stdout.readline() == "going\n"
        settled = time.monotonic() + 0.2
        wait_for(lambda: time.monotonic() > settled, "the request on its way")
        assert child.poll() is None, child.stdout.read()
        child.send_signal(number)
        wait_for(lambda: not running(child.pid), f"the death of a process in {what}", 1.5)
    finally:
        for pid in stopped:
            os.kill(pid, signal.SIGCONT)
        child.wait()
        child.stdin.close()
        child.stdout.close()
    assert (path / "file").exists() or what in ("unlink", "rename")


def test_a_signal_that_is_handled_disturbs_nothing(pair):
    ticks = []
    old = signal.signal(signal.SIGALRM, lambda *_: ticks.append(1))
    signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
    try:
        for i in range(200):
            data = pattern(100_000, i)
            (pair / "file").write_bytes(data)
            assert (pair / "file").read_bytes() == data
            assert "file" in os.listdir(pair.path)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, old)
    assert len(ticks) > 50


def test_after_the_server_is_gone_everything_fails_at_once(make_smbd, mount):
    server = make_smbd(log_level=2)
    (server.share / "file").write_bytes(pattern(3_000_000))
    path = mount("actimeo=0", server=server).path
    fd = os.open(path / "file", os.O_RDWR)
    os.statvfs(path)
    server.stop()
    begin = time.monotonic()
    fails(errno.EIO, os.pread, fd, 100, 2_000_000)
    fails(errno.EHOSTDOWN, os.stat, path / "file")
    fails(errno.EHOSTDOWN, os.listdir, path)
    fails(errno.EHOSTDOWN, os.mkdir, path / "d")
    os.statvfs(path)
    try:
        os.pwrite(fd, b"lost", 0)
        fails(errno.EIO, os.fsync, fd)
    except OSError as error:
        assert error.errno == errno.EIO
    try:
        os.close(fd)
    except OSError as error:
        assert error.errno == errno.EIO
    assert time.monotonic() - begin < 5


class SlowLine(threading.Thread):
    """A line to a server on which its answers arrive at so many bytes a second."""

    def __init__(self, port, rate):
        super().__init__(daemon=True)
        self.listener = socket.create_server((ADDRESS, 0))
        self.port = self.listener.getsockname()[1]
        self.server_port, self.rate = port, rate
        self.start()

    def run(self):
        near, _ = self.listener.accept()
        far = socket.create_connection((ADDRESS, self.server_port))
        threading.Thread(target=self.pump, args=(near, far, None), daemon=True).start()
        self.pump(far, near, self.rate)

    @staticmethod
    def pump(source, sink, rate):
        """Forward until one side ends."""
        try:
            while data := source.recv(rate // 50 if rate else 65536):
                sink.sendall(data)
                if rate:
                    time.sleep(len(data) / rate)	# this is the line, not a wait for a condition
        except OSError:
            pass
        for end in (source, sink):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


@pytest.mark.parametrize("n", [1, 3])
def test_a_slow_line_is_not_a_dead_server(smbd, mount, n):
    """One answer takes longer than the silence after which a server is given up."""
    data = os.urandom(n * 1024 * 1024)
    file = smbd.share / "slow"
    file.write_bytes(data)
    line = SlowLine(smbd.port, 300_000)
    share = mount("echo_interval=1,actimeo=30", server=line)
    started = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(n) as pool:
        fd = os.open(share.path / "slow", os.O_RDONLY | os.O_DIRECT)
        buffers = [mmap.mmap(-1, 1024 * 1024) for _ in range(n)]
        lengths = list(pool.map(lambda i: os.preadv(fd, [buffers[i]], i * 1024 * 1024), range(n)))
        os.close(fd)
    assert lengths == [1024 * 1024] * n
    assert b"".join(b[:] for b in buffers) == data
    assert time.monotonic() - started > 2, "the line was not slow enough to prove anything"
    assert share.status()["state"] == "connected"
    file.unlink()
