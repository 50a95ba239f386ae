"""`smbsecure status`: what it says, to whom, and that nothing can hold it up."""

import json
import os
import re
import signal
import socket
import subprocess

import pytest
from client import running
from lab import ADDRESS, HOST, SHARE, Smbd, wait_for

SOURCE = f"//{HOST}/{SHARE}"


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


def test_status_survives_the_end_of_a_former_mount(mount):
    """The kernel gives a device number to the next mount before the former one's daemon has ended."""
    old = mount()
    device = os.stat(old.path).st_dev
    old.may_end = True
    for pid in old.pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        assert os.system(f"umount -l {old.path}") == 0
        new = mount()
        assert os.stat(new.path).st_dev == device
    finally:
        for pid in old.pids:
            os.kill(pid, signal.SIGCONT)
    wait_for(lambda: not old.alive(), "the end of the former daemon")
    assert new.status()["state"] == "connected"
