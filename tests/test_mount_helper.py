"""mount.smbsecure as mount(8), fstab, systemd and people call it, and `smbsecure status`."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
from pathlib import Path

import pytest
from client import Mount, daemons, mount_line, running
from lab import ADDRESS, HOST, PRINCIPALS, SHARE, Smbd, free_port, wait_for

ROOT = Path(__file__).parent.parent
SOURCE = f"//{HOST}/{SHARE}"
USER = "smbsecure-test"


@pytest.fixture
def helper(client):
    """helper("arguments", …): mount.smbsecure with exactly these; returns what subprocess.run() does."""
    def run(*args, **kwargs):
        return subprocess.run([client.fs / "mount.smbsecure", *args], env=client.env, text=True,
                              capture_output=True, timeout=60, check=False, **kwargs)
    return run


@pytest.fixture
def sbin(client):
    """mount(8) looks for its helpers in /sbin only."""
    names = [Path("/sbin", name) for name in ("mount.smbsecure", "mount.fuse.smbsecure")]
    for name in names:
        if os.path.lexists(name):
            pytest.fail(f"{name} exists already; the test needs the name for itself")
    try:
        for name in names:
            name.symlink_to(client.fs / "mount.smbsecure")
        yield
    finally:
        for name in names:
            name.unlink(missing_ok=True)


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
    assert int(file.read_text()) == 4096


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
    assert len(m.pids) == 2		# the one that waits, and the daemon
    wait_for(lambda: Path(f"/proc/{max(m.pids)}/stat").exists() and m.path.exists(), "the mount")
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


# --- a plain user


@pytest.fixture
def user(client, kdc, tmp_path):
    """A user who may use FUSE, as on a system with udev; returns what runs a command as that user."""
    mode = os.stat("/dev/fuse").st_mode
    subprocess.run(["useradd", "--no-create-home", "--home-dir", "/nonexistent", USER], check=True)
    try:
        os.chmod("/dev/fuse", 0o666)
        client.dir.chmod(0o1777)
        shutil.copytree(client.fs, client.dir / "fs", ignore=lambda _, names: [
            n for n in names if n not in ("mount.smbsecure", "smbsecure")])
        client.fs = client.dir / "fs"
        cache = client.dir / "ccache"
        shutil.copy(client.ccache.removeprefix("FILE:"), cache)
        shutil.chown(cache, USER)
        client.ccache = f"FILE:{cache}"
        client.env.pop("XDG_RUNTIME_DIR", None)
        yield ("setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups")
        wait_for(lambda: not processes_of(USER), "the end of the user's processes")
    finally:
        subprocess.run(["pkill", "-KILL", "-u", USER], check=False)
        wait_for(lambda: not processes_of(USER), "the end of the user's processes")
        os.chmod("/dev/fuse", mode)
        subprocess.run(["userdel", USER], check=True, capture_output=True)


def processes_of(name):
    return subprocess.run(["pgrep", "-r", "R,S,D", "-u", name], capture_output=True,
                          check=False).stdout


def as_user(user, client, *argv):
    env = {**client.env, "ASAN_OPTIONS": client.env["ASAN_OPTIONS"] + ":detect_leaks=0"}
    return subprocess.run([*user, *map(str, argv)], env=env, text=True, capture_output=True, timeout=60,
                          check=False)


@pytest.fixture
def user_target(client, user):
    target = client.dir / "user"
    target.mkdir()
    shutil.chown(target, USER)
    return target


def test_user_mount(mount, client, user, user_target):
    m = mount(wrap=user, target=user_target)
    words = mount_line(m.path).split(" ")[3].split(",")
    assert {"nosuid", "nodev", "default_permissions"} <= set(words)
    assert "allow_other" not in words
    with pytest.raises(PermissionError):
        os.listdir(m.path)
    done = as_user(user, client, "sh", "-c",
                   f"echo hello > {m.path}/mine && cat {m.path}/mine && stat -c %U:%a {m.path}/mine")
    assert done.stdout == f"hello\n{USER}:755\n", done.stderr
    done = as_user(user, client, client.fs / "smbsecure", "status", "--json", m.path)
    assert json.loads(done.stdout)["principal"] == "alice@EXAMPLE.TEST"
    assert m.status()["target"] == str(m.path)		# root may ask
    done = as_user(user, client, "fusermount3", "-u", m.path)
    m.may_end = True
    wait_for(lambda: not m.alive(), "the end of the daemon")
    assert not m.mounted()


def test_user_mount_ends_by_signal(mount, user, user_target):
    m = mount(wrap=user, target=user_target)
    m.may_end = True
    os.kill(m.pids[0], signal.SIGTERM)
    wait_for(lambda: not m.alive(), "the end of the daemon")
    assert not m.mounted()


def test_user_mount_elsewhere(expect_refused, client, user):
    target = client.dir / "roots"
    target.mkdir(mode=0o755)
    text = expect_refused_user(client, "mount.fusermount", wrap=user, target=target)
    assert "no write access" in text


def test_user_cannot_choose_the_policy(client, user, user_target):
    expect_refused_user(client, "opt.refused", wrap=user, target=user_target, options="config=/dev/null")


def expect_refused_user(client, code, **kwargs):
    """fusermount3 speaks first."""
    refusal = client.refuse(**kwargs)
    assert (refusal.code, refusal.exit) == (code, 32), refusal.text
    return refusal.text


def test_fstab_lets_users_mount(client, smbd, user, user_target, sbin):
    """mount(8) gives up its privileges, then calls us; /etc/fstab is another one in here only."""
    fstab = client.dir / "fstab"
    fstab.write_text(f"{SOURCE} {user_target} smbsecure {where(smbd)},user,noauto,_netdev 0 0\n")
    client.env["KRB5CCNAME"] = client.ccache
    script = f"""set -e
        mount --make-rprivate /
        mount --bind {fstab} /etc/fstab
        {" ".join(user)} mount {user_target}
        grep ' {user_target} ' /proc/mounts
        {" ".join(user)} umount {user_target}"""
    done = subprocess.run(["unshare", "-m", "sh", "-c", script], env=client.env, text=True,
                          capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert " fuse.smbsecure rw,nosuid,nodev,noexec," in done.stdout
    assert "allow_other" not in done.stdout
    wait_for(lambda: not daemons(client.fs, user_target), "the end of the daemon")


def test_user_and_the_mounts_of_others(mount, client, user):
    m = mount()
    done = as_user(user, client, client.fs / "smbsecure", "status", m.path)
    assert done.returncode == 2
    assert "belongs to somebody else" in done.stderr
    done = as_user(user, client, client.fs / "smbsecure", "status")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_user_namespace(client, smbd, user, user_target):
    """Root of a namespace of his own mounts with mount(2); nothing of it is seen outside."""
    client.env["KRB5CCNAME"] = client.ccache
    script = f"""set -e
        cd {client.fs}
        ./mount.smbsecure {SOURCE} {user_target} -o {where(smbd)}
        grep ' {user_target} ' /proc/mounts
        echo hello > {user_target}/namespace
        ./smbsecure status {user_target} | grep protection
        umount {user_target}"""
    done = as_user(user, client, "unshare", "-Urm", "sh", "-c", script)
    assert done.returncode == 0, done.stderr
    assert "fuse.smbsecure rw,nosuid,nodev,relatime,user_id=0,group_id=0,default_permissions,allow_other" \
        in done.stdout
    assert "sealed" in done.stdout
    assert (smbd.share / "namespace").read_text() == "hello\n"
    wait_for(lambda: not daemons(client.fs, user_target), "the end of the daemon")


# --- smbsecure status


def test_status(mount, smbd, client):
    outer = mount()
    (outer.path / 'sub "dir"').mkdir(exist_ok=True)
    m = mount(source=f'{SOURCE}/sub "dir"')
    (m.path / "file").write_bytes(b"x" * 1000)
    status = m.status()
    assert status["source"] == f'{SOURCE}/sub "dir"'
    assert (status["server"], status["share"], status["subdir"]) == (HOST, SHARE, 'sub "dir"')
    assert status["target"] == str(m.path)
    assert status["state"] == "connected"
    assert (status["dialect"], status["protection"]) == ("3.1.1", "sealed")
    assert status["peer"] == f"{ADDRESS}:{smbd.port}"
    assert status["pid"] in m.pids
    assert status["ops"]["create"] == 1
    assert status["smb"]["tree_connect"] == 1
    assert status["bytes_written"] == 1000
    assert status["bytes_out"] > 1000
    assert status["credits"] > 0
    assert status["ticket_end"] > status["since"] > 0
    assert isinstance(status["buffers"], int) and status["buffers"] > 0
    assert status["in_flight"] == 0
    before = status["round_trips"]
    (m.path / "file").stat()
    (m.path / "other").exists()
    assert m.status()["round_trips"] > before
    text = client.smbsecure("status", m.path)
    assert text.startswith(f'{SOURCE}/sub "dir" on {m.path}\n')
    assert re.search(r"^  cipher +AES-256-GCM$", text, re.MULTILINE)
    assert re.search(r"^  since +\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$", text, re.MULTILINE)


def test_status_of_all(mount, client):
    mounts = [mount(), mount()]
    # Those of others may be there, and may be dead.
    done = subprocess.run([client.fs / "smbsecure", "status", "--json"], env=client.env, text=True,
                          capture_output=True, timeout=60, check=False)
    shown = json.loads(done.stdout)
    assert {str(m.path) for m in mounts} <= {s["target"] for s in shown}


@pytest.mark.parametrize("args,code", [((), 1), (("stat",), 1), (("status", "a", "b"), 1),
                                       (("status", "--xml"), 1), (("status", "/proc"), 2),
                                       (("status", "/no/such"), 2), (("--version",), 0)])
def test_status_usage(client, args, code):
    done = subprocess.run([client.fs / "smbsecure", *args], env=client.env, capture_output=True,
                          text=True, timeout=60, check=False)
    assert done.returncode == code
    assert (done.stderr == "") == (code == 0)


def test_status_does_not_wait_for_slow_readers(mount):
    m = mount()
    dev = m.path.stat().st_dev
    name = f"/run/smbsecure/{os.major(dev)}:{os.minor(dev)}"
    idle = []
    for _ in range(6):
        s = socket.socket(socket.AF_UNIX)
        s.connect(name)
        idle.append(s)
    assert m.status()["state"] == "connected"
    for s in idle:
        s.close()
    m.umount()
    assert not os.path.exists(name)


def test_status_when_the_server_is_gone(mount, kdc, client):
    """The daemon knows, the mount answers with errors, and nothing hangs."""
    with Smbd(kdc) as server:
        m = mount(server=server)
        (m.path / "file").write_text("x")
        server.stop()
        wait_for(lambda: m.status()["state"] == "lost", "the loss to be noticed")
    status = m.status()
    assert "closed the connection" in status["reason"] or "reset" in status["reason"]
    with pytest.raises(OSError, match="Host is down|Input/output"):
        os.listdir(m.path)
    assert "lost since 20" in os.getxattr(m.path, "user.smb.status").decode()
    m.umount()


def test_status_of_a_killed_daemon(mount, client):
    m = mount()
    m.may_end = True
    os.kill(m.pids[0], signal.SIGKILL)
    wait_for(lambda: not running(m.pids[0]), "the end of the daemon")
    done = subprocess.run([client.fs / "smbsecure", "status", m.path], capture_output=True, text=True,
                          env=client.env, timeout=60, check=False)
    assert done.returncode == 2
    assert "its daemon is gone" in done.stderr


# --- the manual


def page(name):
    """The text of a page as it is read."""
    done = subprocess.run(["man", "-l", "--no-hyphenation", "--no-justification", "--warnings",
                           ROOT / "contrib/man" / name],
                          env={**os.environ, "MANWIDTH": "200", "LC_ALL": "C.UTF-8"},
                          capture_output=True, text=True, timeout=60, check=True)
    assert done.stderr == ""
    return done.stdout


def test_manual_explains_every_code():
    source = "".join(f.read_text() for d in ("proto", "auth", "fs") for f in (ROOT / d).glob("*.c"))
    used = set(re.findall(r'diag_set\([^"]*?"([a-z0-9.-]+)"', source))
    families = {code.partition(".")[0] for code in used if "." in code}
    # Codes that travel through a variable first.
    used |= {c for c in re.findall(r'"([a-z-]+\.[a-z0-9-]+)"', source)
             if c.partition(".")[0] in families and not c.endswith(".h")}
    manual = (ROOT / "contrib/man/mount.smbsecure.8").read_text().replace("\\-", "-")
    explained = set(re.findall(r"^\.TP\n\.B ([a-z]+(?:\.[a-z0-9-]+)?)$",
                               manual.partition(".SH DIAGNOSTICS")[2], re.MULTILINE))
    assert len(used) > 40
    assert used == explained


def test_manual_names_every_option(helper):
    words = set()
    for line in helper("-h").stdout.partition("Options:\n")[2].splitlines():
        if line.startswith("  "):
            words |= {w.partition("=")[0] for w in line.split()}
    assert len(words) > 150
    manual = (ROOT / "contrib/man/mount.smbsecure.8").read_text().replace("\\-", "-")
    text = manual.partition(".SH OPTIONS")[2].partition(".SH PROMISES")[0]
    text = re.sub(r"\\f.", " ", text)
    missing = [w for w in sorted(words) if not re.search(rf"(?<![\w-]){re.escape(w)}(?![\w-])", text)]
    assert not missing


@pytest.mark.parametrize("name", ["mount.smbsecure.8", "smbsecure.1", "smbsecure.conf.5"])
def test_manual_is_well_formed(name):
    text = page(name)
    for section in ("NAME", "SYNOPSIS" if name != "smbsecure.conf.5" else "DESCRIPTION", "SEE ALSO"):
        assert section in text
