"""The laboratory itself: a test that relies on it proves nothing unless this holds."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from capture import NEGOTIATE, SESSION_SETUP, TREE_CONNECT, Capture
from lab import ADDRESS, HOST, NTLM_PASSWORD, LabError, Smbd, free_port, wait_for

NAME = "Grüße-from-the-clear-name.txt"
AES_256_GCM, AES_GMAC = 4, 2
CONTENT = "content that must not be readable on the wire"


def smbclient(server, kdc, command, *args, ccache=None):
    who = ["--use-kerberos=required", f"--use-krb5-ccache={ccache}"] if ccache else []
    return subprocess.run(
        ["smbclient", server.url, "-I", ADDRESS, "-p", str(server.port), "-m", "SMB3_11", "-s",
         "/dev/null", *who, *args, "-c", command],
        env=kdc.env(ccache), text=True, timeout=60, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        check=False)


def put(server, kdc, ccache, tmp_path, *args):
    file = tmp_path / "file"
    file.write_text(CONTENT)
    return smbclient(server, kdc, f'put {file} "{NAME}"', *args, ccache=ccache)


def test_kerberos_user_can_write_to_the_encrypted_share(kdc, smbd, ccache, tmp_path):
    done = put(smbd, kdc, ccache, tmp_path)
    assert done.returncode == 0, done.stdout
    assert (smbd.share / NAME).read_text() == CONTENT
    assert (smbd.share / NAME).stat().st_uid == os.getuid()


def test_password_user_can_log_on_with_ntlm(kdc, smbd):
    done = smbclient(smbd, kdc, "ls", "--use-kerberos=off", "-U", f"EXAMPLE\\alice%{NTLM_PASSWORD}")
    assert done.returncode == 0, done.stdout


def test_server_without_service_key_knows_only_ntlm(kdc, make_smbd, ccache):
    server = make_smbd(kerberos=False)
    assert smbclient(server, kdc, "ls", ccache=ccache).returncode != 0
    done = smbclient(server, kdc, "ls", "--use-kerberos=off", "-U", f"EXAMPLE\\alice%{NTLM_PASSWORD}")
    assert done.returncode == 0, done.stdout


def test_recording_shows_names_and_content_when_nothing_is_encrypted(kdc, make_smbd, ccache,
                                                                    tmp_path):
    server = make_smbd(server_smb_encrypt="off")
    with Capture(server.port) as wire:
        done = put(server, kdc, ccache, tmp_path)
        assert done.returncode == 0, done.stdout
        assert wire.contains(NAME)
        assert wire.contains(CONTENT)
        assert not wire.contains("something nobody sent")
        assert wire.protocols() == {b"\xfeSMB"}
        assert wire.requests()[:3] == [NEGOTIATE, SESSION_SETUP, TREE_CONNECT]


def test_recording_shows_nothing_when_encryption_is_required(kdc, smbd, ccache, tmp_path):
    with Capture(smbd.port) as wire:
        done = put(smbd, kdc, ccache, tmp_path)
        assert done.returncode == 0, done.stdout
        assert not wire.contains(NAME)
        assert not wire.contains(CONTENT)
        assert wire.protocols() == {b"\xfeSMB", b"\xfdSMB"}
        assert wire.requests() == [NEGOTIATE, SESSION_SETUP]
        assert 0x0311 in wire.dialects()
        assert wire.negotiated() == [(0x0311, AES_256_GCM, AES_GMAC)]
        assert wire.connections() == 1


def test_recording_sees_what_is_split_over_packets(kdc, make_smbd, ccache, tmp_path):
    server = make_smbd(server_smb_encrypt="off")
    file = tmp_path / "file"
    file.write_bytes(os.urandom(3_000_000) + CONTENT.encode() + os.urandom(1_000_000))
    with Capture(server.port) as wire:
        done = smbclient(server, kdc, f"put {file} big", ccache=ccache)
        assert done.returncode == 0, done.stdout
        assert wire.contains(file.read_bytes()[1000:61_000])
        assert wire.contains(CONTENT)


def test_recording_sees_ntlm(kdc, smbd):
    with Capture(smbd.port) as wire:
        smbclient(smbd, kdc, "ls", "--use-kerberos=off", "-U", f"EXAMPLE\\alice%{NTLM_PASSWORD}")
        assert wire.contains(b"NTLMSSP\0")
        assert wire.requests()[:3] == [NEGOTIATE, SESSION_SETUP, SESSION_SETUP]


def test_clock_of_a_server_can_be_moved(kdc, make_smbd, ccache):
    done = smbclient(make_smbd(clock="-3600s"), kdc, "ls", ccache=ccache)
    assert "TIME_DIFFERENCE" in done.stdout


def test_clock_of_the_kdc_can_be_moved(kdc, ccache):
    kdc.start("+3600s")
    try:
        done = subprocess.run(["kvno", f"cifs/{HOST}"], env=kdc.env(ccache), text=True,
                              capture_output=True, check=False)
    finally:
        kdc.start()
    assert "Clock skew too great" in done.stderr


def test_expired_ticket_is_one(kdc):
    done = subprocess.run(["kvno", f"cifs/{HOST}"], env=kdc.env(kdc.kinit_expired()), text=True,
                          capture_output=True, check=False)
    assert "Ticket expired" in done.stderr


@pytest.mark.parametrize("name,reason", [("expired", "Password expired"),
                                         ("locked", "credentials have been revoked"),
                                         ("nobody-knows", "not found in Kerberos database")])
def test_kdc_refuses(kdc, name, reason):
    with pytest.raises(LabError, match=reason):
        kdc.kinit(name, "Exp1red-Passw0rd")


def test_servers_leave_nothing(kdc):
    servers = [Smbd(kdc) for _ in range(3)]
    ports = {s.port for s in servers}
    assert len(ports) == 3
    for server in servers:
        server.stop()
        assert not server.dir.exists()
    # The end of smbd's own children follows a moment after their parent's.
    wait_for(lambda: not any(str(s.dir) in line for s in servers for line in command_lines()),
             "the end of every smbd process", 5)


def command_lines():
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            yield file.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue


def test_broken_server_explains_itself(kdc):
    with pytest.raises(LabError, match="smbd ended at once"):
        Smbd(kdc, options={"smb ports": free_port(), "interfaces": "203.0.113.1/24"})


def test_needed_tools_are_there():
    for tool in ("tcpdump", "smbclient", "kinit", "kvno", "fusermount3"):
        assert shutil.which(tool), f"{tool} is missing"
