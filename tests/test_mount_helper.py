"""mount.smbsecure as mount(8), fstab, systemd and people call it."""

import os
import re
import signal
import socket
import subprocess
from pathlib import Path

import pytest
from client import Mount, daemons, mount_line
from lab import ADDRESS, HOST, PRINCIPALS, SHARE, free_port, wait_for

SOURCE = f"//{HOST}/{SHARE}"


@pytest.fixture
def helper(client):
    """helper("arguments", …): mount.smbsecure with exactly these; returns what subprocess.run() does."""
    def run(*args, **kwargs):
        return subprocess.run([client.fs / "mount.smbsecure", *args], env=client.env, text=True,
                              capture_output=True, timeout=60, check=False, **kwargs)
    return run


@pytest.fixture
def mount8(client, sbin, ccache, tmp_path):
    """mount8("-t", …): run mount(8), return the Mount on tmp_path/mnt."""
    target = tmp_path / "mnt"
    target.mkdir()

    def run(*args, code=0):
        done = subprocess.run(["mount", *map(str, args)], env={**client.env, "KRB5CCNAME": ccache},
                              text=True, capture_output=True, timeout=60, check=False)
        assert done.returncode == code, done.stderr
        output = tmp_path / "output"
        output.write_text(done.stderr)
        m = Mount(client, SOURCE, target, daemons(client.fs, target), output)
        if m.pids and m.pids not in [other.pids for other in client.mounts]:
            client.mounts.append(m)
        return m

    run.target = target
    return run


def where(server):
    return f"ip={ADDRESS},port={server.port}"


# --- the command line


def test_version_and_help(helper):
    assert re.fullmatch(r"mount\.smbsecure \d+\.\d+\.\d+\n", helper("-V").stdout)
    done = helper("-h")
    assert done.returncode == 0
    assert "credentials=FILE" in done.stdout


@pytest.mark.parametrize("args", [(), (SOURCE,), (SOURCE, "/mnt", "more"), ("-Q", SOURCE, "/mnt")])
def test_usage(helper, args):
    done = helper(*args)
    assert done.returncode == 1
    assert "mount.smbsecure -h" in done.stderr


@pytest.mark.parametrize("option,code,hint", [
    ("usernam=alice", "opt.unknown", 'did you mean "username"?'),
    ("port=x", "opt.value", "a number from 1 to 65535"),
    ("guest", "opt.refused", "without a user"),
    ("vers=2.1", "opt.refused", "must be upgraded"),
    ("sec=ntlm", "opt.refused", "Kerberos"),
    ("hard", "opt.not-yet", "EIO"),
    ("password=Hush-1234", "opt.refused", "PASSWD_FD"),
])
def test_option_errors(expect_refused, option, code, hint):
    text = expect_refused(code, exit=1, options=option)
    assert hint in text
    assert "Hush" not in text


@pytest.mark.parametrize("source,code", [
    ("srv/share", "source.syntax"),
    ("//srv", "source.syntax"),
    ("//srv/share/../other", "source.path"),
    ("smb://alice:Hush-1234@srv/share", "source.password"),
])
def test_source_errors(expect_refused, source, code):
    assert "Hush" not in expect_refused(code, exit=1, source=source)


def test_mount_point_that_is_not_there(expect_refused, tmp_path):
    assert "mkdir" in expect_refused("target.open", target=tmp_path / "none")


def test_mount_point_that_is_a_file(expect_refused, tmp_path):
    (tmp_path / "file").touch()
    expect_refused("target.open", target=tmp_path / "file")


def test_closed_standard_streams(client, smbd, tmp_path):
    """What is opened then must not land on descriptor 2 and receive messages."""
    done = subprocess.run(["sh", "-c", '"$@" <&- >&- 2>&-', "sh", client.fs / "mount.smbsecure", SOURCE,
                           tmp_path, "-o", where(smbd)], env=client.env, timeout=60, check=False)
    assert done.returncode == 32


def test_fake_does_everything_but_mount(client, helper, smbd, tmp_path):
    """No ticket is needed: nobody is asked."""
    done = helper(SOURCE, str(tmp_path), "-f", "-v", "-o", f"{where(smbd)},x-passphrase=a,sloppy")
    assert done.returncode == 0, done.stderr
    assert mount_line(tmp_path) is None
    assert helper(SOURCE, str(tmp_path), "-f", "-o", "guest").returncode == 1
    assert helper(SOURCE, str(tmp_path / "none"), "-f").returncode == 32


def test_verbose_stars_passwords(helper, tmp_path):
    done = helper(SOURCE, str(tmp_path), "-f", "-s", "-v", "-o", "passwrd=Hush-1234,ro")
    assert done.returncode == 0
    assert "passwrd=***,ro" in done.stderr
    assert "Hush" not in done.stderr


def test_sloppy(mount, expect_refused):
    m = mount(args=("-s",), options="no-such-option=1")
    assert "no-such-option is unknown" in m.log()
    expect_refused("opt.refused", exit=1, args=("-s",), options="guest")


def test_ignored_option_is_told(mount):
    assert "option nostrictsync has no effect: fsync always waits" in mount(options="nostrictsync").log()


# --- ways to mount


@pytest.mark.parametrize("kind", ["smbsecure", "fuse.smbsecure"])
def test_mount_t(mount8, smbd, kind):
    m = mount8("-t", kind, SOURCE, mount8.target, "-o", where(smbd))
    assert m.mounted()
    m.umount()


@pytest.mark.parametrize("args", [("-a",), ("{target}",)])
def test_fstab(mount8, smbd, tmp_path, args):
    directory = smbd.share / "with blank"
    directory.mkdir(exist_ok=True)
    (directory / "file").write_text("x")
    fstab = tmp_path / "fstab"
    fstab.write_text(f"{SOURCE}/with\\040blank {mount8.target} smbsecure {where(smbd)},_netdev,nofail,ro,"
                     "x-systemd.automount,x-gvfs-name=My%20Share,comment=ours,users 0 0\n")
    m = mount8("-T", fstab, *(a.format(target=mount8.target) for a in args))
    line = mount_line(m.path)
    assert line.startswith(f"{SOURCE}/with\\040blank {m.path} fuse.smbsecure ro,nosuid,nodev,noexec,")
    for word in ("x-", "_netdev", "nofail", "comment", "ip="):
        assert word not in line
    assert [p.name for p in m.path.iterdir()] == ["file"]
    with pytest.raises(OSError, match="Read-only"):
        (m.path / "new").touch()
    # mount -a does not mount twice.
    mount8("-T", fstab, "-a")
    assert len(daemons(m.client.fs, m.path)) == 1


def test_remount_read_only(mount8, smbd):
    m = mount8("-t", "smbsecure", SOURCE, mount8.target, "-o", where(smbd))
    mount8("-o", "remount,ro", mount8.target)
    line = mount_line(m.path)
    assert " ro,nosuid,nodev," in line
    with pytest.raises(OSError, match="Read-only"):
        (m.path / "new").touch()
    mount8("-o", "remount,rw", mount8.target)
    (m.path / "new").write_text("x")
    assert (smbd.share / "new").read_text() == "x"


@pytest.mark.parametrize("source", [
    rf"\\{HOST.upper()}\{SHARE}\sub\deep",
    f"//{HOST}./{SHARE}//sub/deep/",
    f"smb://EXAMPLE.TEST;alice@{HOST}:{{port}}/{SHARE}/su%62/deep",
])
def test_sources(mount, smbd, source):
    (smbd.share / "sub/deep").mkdir(parents=True, exist_ok=True)
    m = mount(source=source.format(port=smbd.port))
    assert mount_line(m.path).startswith(f"{SOURCE}/sub/deep ")
    (m.path / "file").write_text("deep")
    assert (smbd.share / "sub/deep/file").read_text() == "deep"


def test_port_of_the_url(helper, client, smbd, ccache, tmp_path):
    client.env["KRB5CCNAME"] = ccache
    done = helper(f"smb://{HOST}:{smbd.port}/{SHARE}", str(tmp_path), "-o", f"ip={ADDRESS}")
    client.mounts.append(Mount(client, SOURCE, tmp_path, daemons(client.fs, tmp_path), tmp_path / "none"))
    assert done.returncode == 0, done.stderr


def test_relative_paths(client, kdc, smbd, tmp_path):
    """Of the caller's directory, not of the daemon's."""
    (tmp_path / "mnt").mkdir()
    (tmp_path / "keys").write_bytes(kdc.user_keytab.read_bytes())
    (tmp_path / "credentials").write_text("username=alice\nkeytab=keys\n")
    (tmp_path / "credentials").chmod(0o600)
    done = subprocess.run([client.fs / "mount.smbsecure", SOURCE, "mnt", "-o",
                           f"{where(smbd)},credentials=credentials"], cwd=tmp_path, env=client.env,
                          text=True, capture_output=True, timeout=60, check=False)
    client.mounts.append(Mount(client, SOURCE, tmp_path / "mnt", daemons(client.fs, "mnt"),
                               tmp_path / "none"))
    assert done.returncode == 0, done.stderr
    assert client.mounts[0].status()["principal"] == "alice@EXAMPLE.TEST"


def test_directory_that_is_not_there(expect_refused, smbd):
    (smbd.share / "a file").touch()
    expect_refused("share.no-directory", source=f"{SOURCE}/no such directory")
    assert "a file" in expect_refused("share.no-directory", source=f"{SOURCE}/a file")


def test_directory_without_permission(expect_refused, smbd, kdc):
    (smbd.share / "private/inner").mkdir(parents=True)
    (smbd.share / "private").chmod(0o700)
    expect_refused("share.denied", source=f"{SOURCE}/private/inner", ccache=kdc.kinit("bob"))


def test_flags_of_the_mount(mount):
    m = mount(options="suid,dev,noexec,noatime,sync,dirsync,noperm")
    words = mount_line(m.path).split(" ")[3].split(",")
    assert {"rw", "noexec", "noatime", "sync", "dirsync", "allow_other"} <= set(words)
    assert not {"nosuid", "nodev", "default_permissions"} & set(words)


def test_defaults_of_a_root_mount(mount):
    m = mount()
    words = mount_line(m.path).split(" ")[3].split(",")
    assert {"rw", "nosuid", "nodev", "allow_other", "default_permissions"} <= set(words)
    (m.path / "file").touch()
    st = (m.path / "file").stat()
    assert (st.st_uid, st.st_gid, st.st_mode & 0o7777) == (0, 0, 0o755)


def test_owner_and_modes(mount):
    m = mount(options="uid=nobody,gid=12345,file_mode=0640,dir_mode=0750")
    st = m.path.stat()
    assert (st.st_uid, st.st_gid, st.st_mode & 0o7777) == (65534, 12345, 0o750)


def test_read_ahead_is_raised(mount):
    m = mount()
    dev = m.path.stat().st_dev
    file = Path(f"/sys/class/bdi/{os.major(dev)}:{os.minor(dev)}/read_ahead_kb")
    assert int(file.read_text()) == 8192


def test_already_mounted(mount, client):
    m = mount()
    code, _, output = client.run(target=m.path)
    assert code == 32
    assert "code:   target.busy" in output.read_text()


# --- the daemon's life


def test_daemon_is_a_daemon(mount):
    password = PRINCIPALS["alice"][0]
    m = mount(options="username=alice", ccache="", env={"PASSWD": password})
    pid, = m.pids
    stat = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    assert os.readlink(f"/proc/{pid}/cwd") == "/"
    assert int(stat[3]) == pid		# its own session
    assert int(stat[4]) == 0		# no terminal
    assert {os.readlink(f"/proc/{pid}/fd/{fd}") for fd in range(3)} == {"/dev/null"}
    limits = Path(f"/proc/{pid}/limits").read_text()
    assert re.search(r"^Max core file size +0 +0 ", limits, re.MULTILINE)
    assert password.encode() not in Path(f"/proc/{pid}/environ").read_bytes()
    # Not dumpable: its files in /proc are root's, and its memory no user's business.
    assert Path(f"/proc/{pid}/environ").stat().st_uid == 0


@pytest.mark.parametrize("command", [("umount",), ("umount", "-l"), ("fusermount3", "-u")])
def test_unmounting_ends_the_daemon(mount, command):
    m = mount()
    m.may_end = True
    subprocess.run([*command, m.path], check=True, timeout=60)
    wait_for(lambda: not m.alive(), "the end of the daemon")
    assert not m.mounted()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_flushes_and_unmounts(mount, smbd, number):
    m = mount()
    m.may_end = True
    pid, = m.pids
    content = os.urandom(1 << 20) * 32
    file = os.open(m.path / "flushed", os.O_WRONLY | os.O_CREAT)
    for i in range(0, len(content), 1 << 20):
        os.write(file, content[i:i + (1 << 20)])
    os.kill(pid, number)
    wait_for(lambda: not m.alive(), "the end of the daemon", 30)
    assert not m.mounted()
    assert (smbd.share / "flushed").read_bytes() == content
    # The program cannot know that, so its close() must not claim it.
    with pytest.raises(OSError, match="not connected|connection abort"):
        os.close(file)


def test_hangup_changes_nothing(mount):
    m = mount()
    os.kill(m.pids[0], signal.SIGHUP)
    (m.path / "file").write_text("x")
    assert m.alive() and m.mounted()


def test_dead_mount_is_replaced(mount, client):
    m = mount()
    m.may_end = True
    os.kill(m.pids[0], signal.SIGKILL)
    wait_for(lambda: not m.alive(), "the end of the daemon")
    with pytest.raises(OSError, match="not connected|connection abort"):
        os.listdir(m.path)
    again = mount(target=m.path)
    assert "detaching a mount whose daemon is gone" in again.log()
    os.listdir(m.path)
    lines = Path("/proc/self/mounts").read_text().splitlines()
    assert sum(line.split(" ")[1] == str(m.path) for line in lines) == 1


def test_foreground(mount, client):
    m = mount(options="foreground")
    # The one that waits, and the daemon; for a moment also the one that looks whether it answers.
    wait_for(lambda: len(daemons(client.fs, m.path)) == 2, "the mount to be ready")
    m.umount()


def test_foreground_dies_together(mount):
    m = mount(options="foreground")
    m.may_end = True
    os.kill(min(m.pids), signal.SIGKILL)
    wait_for(lambda: not m.alive(), "the end of the daemon")
    assert not m.mounted()


class Silent:
    """A server that takes connections and says nothing."""

    def __enter__(self):
        self.socket = socket.create_server((ADDRESS, 0))
        self.socket.settimeout(30)
        self.port = self.socket.getsockname()[1]
        return self

    def __exit__(self, *unused):
        self.socket.close()


def test_time_limit(expect_refused):
    with Silent() as server:
        text = expect_refused("mount.timeout", server=server, options="mount_timeout=1")
    assert "no result after 1 s" in text


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted(client, ccache, tmp_path, number):
    with Silent() as server:
        process = subprocess.Popen([client.fs / "mount.smbsecure", SOURCE, tmp_path, "-o", where(server)],
                                   env={**client.env, "KRB5CCNAME": ccache})
        connection, _ = server.socket.accept()
        process.send_signal(number)
        assert process.wait(30) == 8
        connection.close()
    assert mount_line(tmp_path) is None
    assert not daemons(client.fs, tmp_path)


def test_nobody_waits_any_more(client, ccache, tmp_path):
    with Silent() as server:
        process = subprocess.Popen([client.fs / "mount.smbsecure", SOURCE, tmp_path, "-o", where(server)],
                                   env={**client.env, "KRB5CCNAME": ccache})
        connection, _ = server.socket.accept()
        process.kill()
        process.wait(30)
        wait_for(lambda: not daemons(client.fs, tmp_path), "the end of the daemon")
        connection.close()


def test_daemon_that_is_killed_while_it_starts(client, ccache, tmp_path):
    with Silent() as server:
        process = subprocess.Popen([client.fs / "mount.smbsecure", SOURCE, tmp_path, "-o", where(server)],
                                   env={**client.env, "KRB5CCNAME": ccache}, text=True,
                                   stderr=subprocess.PIPE)
        connection, _ = server.socket.accept()
        child, = set(daemons(client.fs, tmp_path)) - {process.pid}
        os.kill(child, signal.SIGKILL)
        _, text = process.communicate(timeout=30)
        connection.close()
    assert process.returncode == 4
    assert "code:   mount.died" in text


class Nobody:
    """A port on which nobody listens."""
    port = None


def test_nofail_forgives_only_what_cannot_be_reached(client, expect_refused):
    Nobody.port = free_port()
    expect_refused("net.connect", server=Nobody)
    text = expect_refused("net.connect", exit=0, server=Nobody, options="nofail")
    assert HOST in text
    expect_refused("auth.no-ticket", options="nofail", ccache="")


def test_nofail_forgives_a_server_that_swallows_packets(expect_refused):
    with socket.create_server((ADDRESS, 0), backlog=0) as server:
        Nobody.port = server.getsockname()[1]
        waiting = [socket.socket() for _ in range(4)]
        for s in waiting:		# until the queue is full, and SYNs are dropped
            s.setblocking(False)
            s.connect_ex((ADDRESS, Nobody.port))
        expect_refused("net.connect", server=Nobody, options="mount_timeout=2")
        expect_refused("net.connect", exit=0, server=Nobody, options="mount_timeout=2,nofail")
        for s in waiting:
            s.close()
    with Silent() as server:
        expect_refused("mount.timeout", server=server, options="mount_timeout=1,nofail")
