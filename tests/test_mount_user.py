"""Mounts of plain users: through fusermount3, from fstab, and as root of a user namespace."""

import json
import os
import shutil
import signal
import subprocess

import pytest
from client import daemons, mount_line
from lab import ADDRESS, HOST, SHARE, wait_for

SOURCE = f"//{HOST}/{SHARE}"
USER = "smbsecure-test"


def where(server):
    return f"ip={ADDRESS},port={server.port}"


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
