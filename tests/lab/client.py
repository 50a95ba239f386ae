"""Run the program under test: mount, look, unmount, and notice every way in which it can misbehave."""

import json
import os
import re
import signal
import subprocess
import tempfile
import threading
from pathlib import Path

from lab import ADDRESS, HOST, SHARE, LabError, wait_for

BUG = re.compile(r"ERROR: \w*Sanitizer|LeakSanitizer|runtime error:|\bassert", re.IGNORECASE)


class Refusal:
    """What mount.smbsecure said when it did not mount."""

    def __init__(self, returncode, text):
        self.exit = returncode
        self.text = text
        found = re.search(r"^  code:   (\S+)$", text, re.MULTILINE)
        self.code = found.group(1) if found else None


class Mount:
    """One mount of a share; made by Client.mount()."""

    def __init__(self, client, source, path, pids, output):
        self.client = client
        self.source = source
        self.path = path
        self.pids = pids
        self.may_end = False		# set by umount(), or by a test that ends the daemon itself
        self._output = output

    def log(self):
        """What mount.smbsecure and, in the foreground, the daemon wrote to stdout and stderr."""
        return self._output.read_text(errors="replace")

    def status(self):
        """`smbsecure status --json PATH`, decoded."""
        return json.loads(self.client.smbsecure("status", "--json", self.path))

    def mounted(self):
        return mount_line(self.path) is not None

    def alive(self):
        return any(map(running, self.pids))

    def umount(self):
        """umount(8), then wait until the daemon is gone; LabError if either fails."""
        self.may_end = True
        done = subprocess.run(["umount", self.path], capture_output=True, text=True, timeout=60,
                              check=False)
        if done.returncode != 0:
            raise LabError(done.stderr)
        wait_for(lambda: not self.alive(), "the end of the daemon after umount")

    def destroy(self):
        """Make it gone, whatever state it is in; returns what was wrong with it."""
        wrong = []
        if not self.alive() and not self.may_end:
            wrong.append(f"the daemon of {self.path} died")
        if self.mounted():
            subprocess.run(["umount", "-l", self.path], capture_output=True, timeout=60, check=False)
        try:
            wait_for(lambda: not self.alive(), "end after umount")
        except LabError:
            wrong.append(f"the daemon of {self.path} went on running after umount\n" +
                         "\n".join(where(pid) for pid in self.pids))
            self.kill()
        if self.mounted():
            wrong.append(f"{self.path} is still mounted")
        return wrong

    def kill(self):
        for pid in self.pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass


class Client:
    """The programs of one build directory, run for one test; close() tells what went wrong."""

    def __init__(self, builddir, env, server, ccache):
        self.fs = Path(builddir) / "fs"
        self.server = server
        self.ccache = ccache
        self.mounts = []
        self._tmp = tempfile.TemporaryDirectory(prefix="lab-client-")
        self.dir = Path(self._tmp.name)
        self.dir.chmod(0o755)
        self._count = 0
        # A daemon in the background has no stderr, so findings must go to files; abort() is one.
        log = f"log_path={self.dir}/sanitizer:exitcode=99"
        self.env = {**env, "ASAN_OPTIONS": f"{log}:handle_abort=1:detect_leaks=1",
                    "LSAN_OPTIONS": f"suppressions={Path(__file__).parent}/lsan.supp",
                    "UBSAN_OPTIONS": f"{log}:print_stacktrace=1:halt_on_error=1"}

    def smbsecure(self, *args):
        """Run the `smbsecure` command; returns its output, LabError if it failed."""
        done = subprocess.run([self.fs / "smbsecure", *args], env=self.env, text=True, timeout=60,
                              capture_output=True, check=False)
        if done.returncode != 0:
            raise LabError(f"smbsecure {args}: exit {done.returncode}\n{done.stderr}")
        return done.stdout

    def run(self, options="", server=None, share=SHARE, ccache=None, source=None, env=None, args=(),
            stdin="", target=None, wrap=()):
        """Run mount.smbsecure; returns (exit code, target, file with its output).

        options  further -o options; "ip=" and "port=" of the server are always there
        ccache   another Kerberos cache than the client's; "" for none at all
        source   instead of //HOST/share
        env      changes to the environment; None as a value removes
        wrap     command in front, e.g. setpriv
        """
        server = server or self.server
        self._count += 1
        if target is None:
            target = self.dir / f"mnt{self._count}"
            target.mkdir()
            target.chmod(0o777)
        environment = {**self.env, "KRB5CCNAME": self.ccache if ccache is None else ccache,
                       **(env or {})}
        if wrap:	# LeakSanitizer must be able to trace the process, which refuses all but root
            environment["ASAN_OPTIONS"] += ":detect_leaks=0"
        if "sec=ntlmssp" in options:	# to see whose the leaks are; too slow for all
            environment["ASAN_OPTIONS"] += ":fast_unwind_on_malloc=0"
        environment = {k: v for k, v in environment.items() if v}
        option = ",".join(filter(None, (f"ip={ADDRESS},port={server.port}", options)))
        argv = [*wrap, self.fs / "mount.smbsecure", source or f"//{HOST}/{share}", target, "-o",
                option, *args]
        output = self.dir / f"output{self._count}"
        # A file and not a pipe: a daemon that kept stderr open would hold a pipe's reader for ever.
        with open(output, "wb") as out:
            process = subprocess.Popen(list(map(str, argv)), env=environment, stdout=out, stderr=out,
                                       stdin=subprocess.PIPE, start_new_session=True)
            try:
                if "foreground" in option.split(","):
                    process.stdin.close()
                    wait_for(lambda: process.poll() is not None or mount_line(target),
                             "the mount", 60)
                    code = process.poll() or 0
                else:
                    process.communicate(stdin.encode(), timeout=60)
                    code = process.returncode
            except (subprocess.TimeoutExpired, LabError):
                for pid in daemons(self.fs, target):
                    os.kill(pid, signal.SIGKILL)
                raise LabError(f"mount.smbsecure hangs\n{output.read_text()}") from None
        return code, target, output

    def mount(self, *args, **kwargs):
        """Mount (arguments as for run()); LabError with the program's own words if it refuses."""
        code, target, output = self.run(*args, **kwargs)
        pids = daemons(self.fs, target)
        mount = Mount(self, kwargs.get("source") or f"//{HOST}/{kwargs.get('share', SHARE)}", target,
                      pids, output)
        if pids or mount.mounted():
            self.mounts.append(mount)
        if code != 0:
            raise LabError(f"mount.smbsecure: exit {code}\n{mount.log()}")
        if not pids or not mount.mounted():
            raise LabError(f"mount.smbsecure says 0 but nothing is mounted\n{mount.log()}")
        return mount

    def refuse(self, *args, **kwargs):
        """Try to mount (arguments as for run()); LabError if that succeeds or leaves anything."""
        code, target, output = self.run(*args, **kwargs)
        pids = daemons(self.fs, target)
        if pids or mount_line(target):
            self.mounts.append(Mount(self, "", target, pids, output))
            raise LabError(f"mounted what had to be refused, exit {code}\n{output.read_text()}")
        return Refusal(code, output.read_text(errors="replace"))

    def watchdog(self, seconds):
        """A timer that ends the daemons: the only way to free a test that hangs in a system call."""
        return threading.Timer(seconds, lambda: [m.kill() for m in self.mounts])

    def log(self):
        files = [*self.dir.glob("output*"), *self.dir.glob("sanitizer*")]
        return "".join(f"--- {f.name}\n{f.read_text(errors='replace')}" for f in sorted(files))

    def close(self):
        """Unmount everything; returns all findings, empty when nothing was wrong."""
        wrong = [w for m in self.mounts for w in m.destroy()]
        log = self.log()
        if BUG.search(log):
            wrong.append(log)
        self._tmp.cleanup()
        return wrong


def where(pid):
    """What each thread of a process is doing, as the kernel sees it."""
    lines = []
    for task in sorted(Path(f"/proc/{pid}/task").glob("*")):
        try:
            lines.append(f"{task.name} {(task / 'wchan').read_text()} {(task / 'syscall').read_text()}"
                         f"{(task / 'stack').read_text()}")
        except OSError:
            continue	# it has just ended
    return "".join(lines)


def mount_line(path):
    """The line of /proc/mounts for a directory, None if nothing is mounted there."""
    for line in Path("/proc/self/mounts").read_text().splitlines():
        if line.split(" ")[1] == str(path).replace(" ", "\\040"):
            return line
    return None


def running(pid):
    """Zombies are gone: not every init reaps at once."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def daemons(directory, target):
    """Processes of our programs that were given this mount point."""
    found = []
    for proc in Path("/proc").glob("[0-9]*"):
        try:
            ours = os.readlink(proc / "exe").startswith(f"{directory}/")
            if ours and os.fsencode(target) in (proc / "cmdline").read_bytes().split(b"\0"):
                found.append(int(proc.name))
        except OSError:
            continue
    return [pid for pid in found if running(pid)]
