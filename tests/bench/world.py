"""What the benchmarks run in: a KDC, one server at a time, the program under test, its peers."""

import os
import resource
import re
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from heapq import heappop, heappush
from pathlib import Path
from types import SimpleNamespace

from client import Client, mount_line
from lab import ADDRESS, HOST, NTLM_PASSWORD, SHARE, Kdc, LabError, Smbd, tool, wait_for

MIB = 1 << 20
# Disks must not matter; the laboratory's directories follow the temporary directory.
RAM = "/dev/shm"
# Files on the share at the same time, in sizes of the largest: read, parts, written, put, quarters.
RAM_SIZES = 8


def sh(argv, timeout=120, **kwargs):
    """Run to the end; returns what it printed, LabError if it failed."""
    done = subprocess.run(list(map(str, argv)), text=True, timeout=timeout,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, check=False, **kwargs)
    if done.returncode != 0:
        raise LabError(f"{' '.join(map(str, argv))}: exit {done.returncode}\n{done.stdout}")
    return done.stdout


def together(argvs, timeout=120):
    """Run several commands at the same time; returns the seconds until the last one ended."""
    begin = time.monotonic()
    running = [subprocess.Popen(list(map(str, argv)), stdin=subprocess.DEVNULL,
                                stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
               for argv in argvs]
    for process in running:
        _, error = process.communicate(timeout=timeout)
        if process.returncode != 0:
            raise LabError(f"{process.args}: {error.decode()}")
    return time.monotonic() - begin


def fill(path, size):
    """A file of `size` bytes without holes."""
    block = os.urandom(MIB)
    with open(path, "wb") as out:
        for at in range(0, size, MIB):
            out.write(block[:min(MIB, size - at)])


def forget_pages(path):
    """Drop what the page cache holds of one file: nobody else on the machine is disturbed."""
    fd = os.open(path, os.O_RDONLY)
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(fd)


class Meter:
    """Processor time of other processes from now on, as long as they live."""

    def __init__(self, pids):
        self.before = {pid: self._now(pid) for pid in pids}

    @staticmethod
    def _now(pid):
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            return 0
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def spent(self):
        """Seconds, user and system."""
        return sum(max(0, self._now(pid) - before) for pid, before in self.before.items())


def cpu_of_children():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def memory_of(pid, key):
    """A line of /proc/PID/status in KiB: VmRSS, VmHWM."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.search(rf"^{key}:\s+(\d+)", status, re.MULTILINE).group(1))


class DelayProxy:
    """A TCP relay that keeps every byte for `delay_s` in each direction: a server far away."""

    def __init__(self, port, delay_s):
        self.delay_s = delay_s
        self.target = port
        self._listener = socket.create_server((ADDRESS, 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            far = socket.create_connection((ADDRESS, self.target))
            for a, b in ((near, far), (far, near)):
                a.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._relay(a, b)

    def _relay(self, source, sink):
        queue, filled = [], threading.Condition()

        def receive():
            data = b"?"
            while data:
                try:
                    data = source.recv(MIB)
                except OSError:
                    data = b""
                with filled:
                    heappush(queue, (time.monotonic() + self.delay_s, data))
                    filled.notify()

        def send():
            data = b"?"
            while data:
                with filled:
                    filled.wait_for(lambda: queue)
                    due, data = heappop(queue)
                time.sleep(max(0, due - time.monotonic()))
                try:
                    sink.sendall(data) if data else sink.shutdown(socket.SHUT_WR)
                except OSError:
                    return

        threading.Thread(target=receive, daemon=True).start()
        threading.Thread(target=send, daemon=True).start()

    def close(self):
        self._listener.close()


class Peer:
    """A mount by another program; begin() mounts, end() unmounts and waits for the process."""

    def __init__(self, world, server):
        self.world = world
        self.server = server
        self.process = None
        self.dir = Path(tempfile.mkdtemp(prefix="bench-peer-"))
        self.top = self.dir / "mnt"
        self.top.mkdir()
        self.root = self.top
        self.env = {**os.environ, "HOME": str(self.dir)}

    @property
    def pids(self):
        return [self.process.pid]

    def argv(self):
        raise NotImplementedError

    def begin(self):
        with open(self.dir / "output", "ab") as out:
            self.process = subprocess.Popen(self.argv(), env=self.env, stdin=subprocess.DEVNULL,
                                            stdout=out, stderr=out, start_new_session=True)
        try:
            wait_for(self._answers, f"the mount of {self.name}", 20)
        except LabError as error:
            text = (self.dir / "output").read_text(errors="replace")
            self.end()
            raise LabError(f"{error}: {text[-400:]}") from None
        return self.root

    def _answers(self):
        if self.process.poll() is not None:
            raise LabError(f"{self.name} ended with {self.process.returncode}")
        if not mount_line(self.top):
            return False
        try:
            return subprocess.run(["ls", self.root], timeout=10, capture_output=True,
                                  check=False).returncode == 0
        except subprocess.TimeoutExpired:
            return False

    def end(self):
        if mount_line(self.top):
            subprocess.run(["umount", self.top], capture_output=True, timeout=30, check=False)
        if mount_line(self.top):
            subprocess.run(["umount", "-l", self.top], capture_output=True, timeout=30, check=False)
        if self.process is not None:
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.process = None

    def close(self):
        self.end()
        shutil.rmtree(self.dir, ignore_errors=True)


class Rclone(Peer):
    """rclone mount with its smb backend: NTLM, and sealed because the server requires it."""

    name = "rclone"

    def argv(self):
        secret = subprocess.run([tool("rclone"), "obscure", "-"], input=NTLM_PASSWORD, text=True,
                                env=self.env, stdout=subprocess.PIPE, check=True, timeout=20).stdout
        self.env |= {"RCLONE_CONFIG": "/dev/null", "RCLONE_CONFIG_LAB_TYPE": "smb",
                     "RCLONE_CONFIG_LAB_HOST": ADDRESS, "RCLONE_CONFIG_LAB_USER": "alice",
                     "RCLONE_CONFIG_LAB_PORT": str(self.server.port),
                     "RCLONE_CONFIG_LAB_DOMAIN": "EXAMPLE",
                     "RCLONE_CONFIG_LAB_PASS": secret.strip()}
        return [tool("rclone"), "mount", f"lab:{SHARE}", str(self.top)]


class Smbnetfs(Peer):
    """smbnetfs, which is libsmbclient: NTLM, sealed by its smb.conf, and always on port 445."""

    name = "smbnetfs"

    def argv(self):
        conf = self.dir / ".smb"
        conf.mkdir(exist_ok=True)
        (conf / "smb.conf").write_text("[global]\n\tclient min protocol = SMB3_11\n"
                                       "\tclient protection = encrypt\n"
                                       "\tclient use kerberos = off\n")
        (conf / "smbnetfs.conf").write_text("use_ntlm_auth \"true\"\nauth \"EXAMPLE/alice\" "
                                            f"\"{NTLM_PASSWORD}\"\n"
                                            f"host \"{ADDRESS}\" visible=true\n")
        for file in conf.iterdir():
            file.chmod(0o600)
        self.root = self.top / ADDRESS / SHARE
        return [tool("smbnetfs"), str(self.top), "-f", "-o", f"config={conf}/smbnetfs.conf"]


class World:
    """Made once for a run.  server(cipher) starts a server when it is first asked for."""

    def __init__(self, build, size):
        room = os.statvfs(RAM)
        free = re.search(r"MemAvailable:\s+(\d+)", Path("/proc/meminfo").read_text())
        if min(room.f_bavail * room.f_frsize, int(free.group(1)) * 1024) < RAM_SIZES * size:
            raise LabError(f"no memory for {RAM_SIZES} files of {size // MIB} MiB: use --size")
        tempfile.tempdir = RAM
        self.size = size
        self.kdc = Kdc()
        self.ccache = self.kdc.kinit("alice")
        self._servers = {}
        self._closing = []
        try:
            self.client = Client(build, self.kdc.env(), None, self.ccache)
        except BaseException:
            self.close()
            raise

    def server(self, cipher="AES-128-GCM"):
        """Listens on 445 as well, for the peer that knows no other port."""
        if cipher not in self._servers:
            for other in self._servers.values():
                other.stop()
            self._servers.clear()
            self._servers[cipher] = Smbd(self.kdc, {"server smb3 encryption algorithms": cipher})
            self._listen_on_445(self._servers[cipher])
        return self._servers[cipher]

    def server_pids(self, server):
        """The processes that serve connections."""
        pid = server.process.pid
        return list(map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()))

    def _listen_on_445(self, server):
        text = server.conf.read_text()
        server.conf.write_text(text.replace(f"smb ports = {server.port}",
                                            f"smb ports = {server.port} 445"))
        server.start()

    def empty(self):
        """Remove what a benchmark left on the share."""
        for server in self._servers.values():
            for it in server.share.iterdir():
                shutil.rmtree(it) if it.is_dir() else it.unlink()

    def mount(self, server, options=""):
        return self.client.mount(options, server=server)

    def umount(self, mount):
        wrong = mount.destroy()
        self.client.mounts.remove(mount)
        if wrong:
            raise LabError("; ".join(wrong))

    def via(self, server, delay_s):
        """The same server behind a slow line, as an argument for mount()."""
        proxy = DelayProxy(server.port, delay_s)
        self._closing.append(proxy)
        return SimpleNamespace(port=proxy.port)

    def smbclient_argv(self, server, command):
        return [tool("smbclient"), f"//{HOST}/{SHARE}", "-I", ADDRESS, "-p", str(server.port), "-s",
                "/dev/null", "-m", "SMB3_11", "--use-kerberos=required",
                f"--use-krb5-ccache={self.ccache}", "--client-protection=encrypt", "-c", command]

    def smbclient(self, server, command):
        """Seconds that smbclient itself gives for one get or put: without its log-on."""
        text = sh(self.smbclient_argv(server, command), env=self.kdc.env(self.ccache))
        found = re.search(r"\(([\d.]+) (?:KiloBytes/sec|kb/s)\)", text)
        if not found:
            raise LabError(f"smbclient {command}: {text}")
        return self.size / 1024 / float(found.group(1))

    def smbclients(self, server, commands):
        """Seconds of the wall clock for several at the same time, log-on included."""
        env = self.kdc.env(self.ccache)
        begin = time.monotonic()
        running = [subprocess.Popen(self.smbclient_argv(server, c), env=env,
                                    stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                    stderr=subprocess.DEVNULL) for c in commands]
        if any(process.wait(120) for process in running):
            raise LabError(f"smbclient {commands}")
        return time.monotonic() - begin

    def close(self):
        """Returns what was wrong with the program under test."""
        wrong = self.client.close() if hasattr(self, "client") else []
        for it in self._closing:
            it.close()
        for server in self._servers.values():
            server.stop()
        self.kdc.stop()
        return wrong
