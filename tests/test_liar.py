"""The lying server: it serves smbclient well while it tells the truth, and no lie gets past us."""

import os
import subprocess
import sys
import time

import pytest

from lab import ADDRESS, HOST, SHARE, Daemon, run
from liar.lies import LIES
from liar.quirks import QUIRKS

CIPHERS = ["aes-256-gcm", "aes-128-gcm", "aes-256-ccm", "aes-128-ccm"]


class Liar(Daemon):
    """tests/liar on a directory of its own; looks like a lab.Smbd to the fixtures."""

    def __init__(self, kdc, *options):
        super().__init__("liar")
        self.share = self.dir / SHARE
        self.share.mkdir()
        self.url = f"//{HOST}/{SHARE}"
        argv = [sys.executable, "-m", "liar", "--port", self.port, "--keytab", kdc.keytab,
                "--share", self.share, *options]
        try:
            self.launch(argv, {**kdc.env(), "PYTHONPATH": __file__.rpartition("/")[0]})
        except BaseException:
            self.stop()
            raise


@pytest.fixture
def liar(kdc):
    """liar("--lie", name): a server that is gone after the test, and that the client never wronged."""
    servers = []

    def make(*options):
        servers.append(Liar(kdc, *options))
        return servers[-1]

    yield make
    logs = [server.log() for server in servers]
    for server in servers:
        server.stop()
    for log in logs:
        assert "VIOLATION" not in log and "Traceback" not in log, log


@pytest.fixture
def smbclient(kdc, ccache, tmp_path):
    """smbclient(server, commands) -> its output."""
    conf = tmp_path / "smb.conf"
    conf.write_text("[global]\n")

    def call(server, *commands):
        return run(["smbclient", "-s", conf, "-I", ADDRESS, "-p", server.port,
                    "--use-kerberos=required", f"--use-krb5-ccache={ccache}",
                    "--client-protection=encrypt", server.url, "-c", ";".join(commands)],
                   kdc.env(ccache))
    return call


@pytest.mark.parametrize("signing", ["gmac", "cmac"])
@pytest.mark.parametrize("cipher", CIPHERS)
def test_truth_serves_smbclient(liar, smbclient, tmp_path, cipher, signing):
    server = liar("--cipher", cipher, "--signing", signing)
    data = bytes(range(256)) * 20000
    (tmp_path / "sent").write_bytes(data)
    smbclient(server, "mkdir dir", f"put {tmp_path}/sent dir\\one", "mkdir dir\\sub")
    assert (server.share / "dir/one").read_bytes() == data
    smbclient(server, "rename dir\\one dir\\two", f"get dir\\two {tmp_path}/got")
    assert (tmp_path / "got").read_bytes() == data
    listing = smbclient(server, "cd dir", "ls")
    assert {line.split()[0] for line in listing.splitlines() if line.startswith("  ")} == \
        {".", "..", "two", "sub"}
    smbclient(server, "rm dir\\two", "rmdir dir\\sub", "rmdir dir")
    assert list(server.share.iterdir()) == []


@pytest.mark.parametrize("quirk", sorted(set(QUIRKS) - {"two-legs"}))    # Samba wants a last token
def test_quirk_is_no_lie_to_smbclient(liar, smbclient, tmp_path, quirk):
    server = liar("--quirk", quirk)
    (server.share / "file").write_bytes(b"quirk" * 1000)
    listing = smbclient(server, f"get file {tmp_path}/got", f"put {tmp_path}/got back", "ls")
    assert " back " in listing
    assert (server.share / "back").read_bytes() == b"quirk" * 1000


def test_truth_refuses_without_a_ticket(kdc, liar):
    server = liar()
    done = subprocess.run(
        ["smbclient", "-s", "/dev/null", "-I", ADDRESS, "-p", str(server.port),
         "--use-kerberos=required", "-N", "--client-protection=encrypt", server.url, "-c", "ls"],
        env=kdc.env(), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30,
        check=False)
    assert done.returncode != 0


@pytest.mark.parametrize("signing", ["gmac", "cmac"])
def test_truth_signs_where_asked_to(liar, kdc, ccache, signing):
    server = liar("--signed", "--signing", signing)
    (server.share / "file").write_text("signed")
    out = run(["smbclient", "-s", "/dev/null", "-I", ADDRESS, "-p", server.port,
               "--use-kerberos=required", f"--use-krb5-ccache={ccache}",
               "--client-protection=sign", server.url, "-c", "ls"], kdc.env(ccache))
    assert " file " in out


# --- what our own client makes of it ---------------------------------------------------------

# Lies of the handshake: the mount is refused, with this code.
REFUSED = {
    "cipher-none": "policy.no-cipher",
    "no-encryption": "policy.no-cipher",
    "cipher-not-offered": "negotiate.cipher-not-offered",
    "cipher-two": "negotiate.cipher-not-offered",
    "two-encryptions": "negotiate.cipher-not-offered",
    "no-preauth": "negotiate.preauth",
    "two-preauths": "negotiate.preauth",
    "preauth-hash-unknown": "negotiate.preauth",
    "preauth-two-hashes": "negotiate.preauth",
    "preauth-salt-outside": "negotiate.malformed",
    "signing-not-offered": "negotiate.signing-not-offered",
    "two-signings": "negotiate.signing-not-offered",
    "dialect-0302": "negotiate.dialect",
    "dialect-0210": "negotiate.dialect",
    "dialect-wildcard": "negotiate.dialect",
    "old-protocol": "proto.violation",
    "small-sizes": "negotiate.limits",
    "context-count-too-big": "negotiate.malformed",
    "context-too-long": "negotiate.malformed",
    "contexts-outside": "negotiate.malformed",
    "security-buffer-outside": "negotiate.malformed",
    "negotiate-tampered": "session.tampered",
    "cipher-tampered": "session.tampered",
    "negotiate-twice": "proto.violation",
    "final-unsigned": "session.unsigned",
    "final-wrong-key": "session.tampered",
    "final-zero-signature": "session.tampered",
    "guest-session": "session.guest",
    "null-session": "session.guest",
    "session-id-zero": "session.id-changed",
    "session-id-changes-at-end": "session.id-changed",
    "session-id-changes-between": "session.id-changed",
    "no-final-token": "session.incomplete",
    "no-mutual-authentication": "session.incomplete",
    "garbage-token": "session.incomplete",
    "token-outside": "session.malformed",
    "endless-legs": "session.incomplete",
    "logon-failure": "session.refused",
    "credits-flood": "proto.violation",
    "tree-type-unknown": "tree.not-disk",
    "tree-printer": "tree.not-disk",
}

# Lies after which nothing the server says can be believed: the operation fails, the connection ends.
ENDS = {
    "bad-tag", "bad-ciphertext", "clear-reply", "signed-reply", "wrong-outer-session",
    "wrong-inner-session", "transform-flags-zero", "original-size-bigger", "original-size-smaller",
    "cut-transform", "sealed-nothing", "sealed-twice", "sealed-old-protocol", "sealed-compressed",
    "sealed-cut-header", "no-reply-flag", "clear-tail", "frame-too-long", "frame-empty",
    "frame-first-byte", "half-frame", "stray-message-id", "wrong-command", "two-pendings",
    "pending-in-clear", "async-id-changes", "next-outside", "next-unaligned", "next-into-itself",
    "next-backwards", "credits-starve", "oplock-break-in-clear", "session-deleted-in-clear",
    "file-closed-in-clear",
}
# The same where the server asks for signatures only, and so does the policy.
ENDS_SIGNED = {"unsigned-reply", "bad-signature", "wrong-signer"}
# The first answer is good; the connection ends when the second one comes.
ENDS_LATER = {"reply-twice"}

# Lies in a body: at least the operation fails.
FAILS = {
    "read-too-long", "read-offset-in-header", "read-offset-outside", "read-length-outside",
    "read-cut", "error-too-long", "write-too-much", "create-contexts-outside", "info-too-short",
    "info-outside", "entry-backwards", "entry-outside", "entry-into-itself", "entry-unaligned",
    "entry-loop", "entry-name-outside", "entry-name-into-next", "entry-cut", "page-too-long",
    "pages-empty",
}

# Names that must not reach the kernel; the directory may be listed without them.
NAMES = {
    "name-climbs", "name-slash", "name-backslash", "name-nul", "name-odd", "name-surrogate",
    "name-empty", "name-too-long", "name-dots",
}

# Legal, and visible in the status.
HARMLESS = {"cipher-weakest"}


def test_every_lie_is_met():
    met = [set(REFUSED), ENDS, ENDS_SIGNED, ENDS_LATER, FAILS, NAMES, HARMLESS]
    assert set().union(*met) == set(LIES)
    assert sum(map(len, met)) == len(LIES)
