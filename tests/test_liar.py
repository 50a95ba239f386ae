"""The lying server: it serves smbclient well while it tells the truth, and no lie gets past us."""

import errno
import os
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from lab import ADDRESS, HOST, SHARE, Daemon, run, wait_for
from liar.lies import LIES
from liar.quirks import QUIRKS
from liar.wire import Cmd

CIPHERS = ["aes-256-gcm", "aes-128-gcm", "aes-256-ccm", "aes-128-ccm"]


class Liar(Daemon):
    """tests/liar on a directory of its own; looks like a lab.Smbd to the fixtures."""

    def __init__(self, kdc, *options):
        super().__init__("liar")
        self.share = self.dir / SHARE
        self.share.mkdir()
        self.url = f"//{HOST}/{SHARE}"
        argv = [sys.executable, "-B", "-m", "liar", "--port", self.port, "--keytab", kdc.keytab,
                "--share", self.share, *options]
        try:
            self.launch(argv, {**kdc.env(), "PYTHONPATH": __file__.rpartition("/")[0]})
        except BaseException:
            self.stop()
            raise


@pytest.fixture
def liar(kdc):
    """liar("--lie", name): gone after the test, and never wronged by the client."""
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
    "no-final-token": "auth.no-mutual",
    "no-mutual-authentication": "auth.no-mutual",
    "garbage-token": "auth.protocol",
    "token-outside": "session.malformed",
    "endless-legs": "auth.no-mutual",
    "logon-failure": "session.ticket-refused",
    "credits-flood": "proto.violation",
    "tree-type-unknown": "tree.not-disk",
    "tree-printer": "tree.not-disk",
    # The very first look at the root meets these.
    "create-contexts-outside": "mount.no-answer",
    "info-too-short": "mount.no-answer",
    "info-outside": "mount.no-answer",
}

# Lies after which nothing the server says can be believed: the operation fails, the connection ends
# and the status says why.
ENDS = {
    "bad-tag": "tag does not match",
    "bad-ciphertext": "tag does not match",
    "clear-reply": "an unencrypted message on an encrypted session",
    "signed-reply": "an unencrypted message on an encrypted session",
    "pending-in-clear": "an unencrypted message on an encrypted session",
    "oplock-break-in-clear": "an unencrypted message on an encrypted session",
    "session-deleted-in-clear": "an unencrypted message on an encrypted session",
    "file-closed-in-clear": "an unencrypted message on an encrypted session",
    "wrong-outer-session": "a transform header for another session",
    "wrong-inner-session": "a message for another session",
    "transform-flags-zero": "without the encrypted flag",
    "original-size-bigger": "a wrong message size",
    "original-size-smaller": "a wrong message size",
    "clear-tail": "a wrong message size",
    "cut-transform": "shorter than its header",
    "frame-empty": "shorter than its header",
    "sealed-nothing": "an encrypted message",
    "sealed-twice": "encrypted twice",
    "sealed-old-protocol": "an SMB1 message",
    "sealed-compressed": "a compressed message",
    "sealed-cut-header": "a malformed message header",
    "next-outside": "a malformed message header",
    "next-unaligned": "a malformed message header",
    "next-into-itself": "a malformed message header",
    "next-backwards": "a malformed message header",
    "frame-too-long": "a frame longer than any reply",
    "frame-first-byte": "does not begin with a length prefix",
    "half-frame": "closed the connection",
    "no-reply-flag": "not a response",
    "stray-message-id": "a request that was not sent",
    "reply-twice": "answered before",
    "wrong-command": "the command of another request",
    "two-pendings": "interim reply",
    "async-id-changes": "another asynchronous id",
    "credits-starve": "credits",
    "silence": "does not answer",
}
# The same where the policy asks for signatures only.
ENDS_SIGNED = {
    "unsigned-reply": "an unsigned message",
    "bad-signature": "signature does not match",
    "wrong-signer": "signature does not match",
}

# Lies in a body: at least the operation fails.
FAILS = {
    "read-too-long", "read-offset-in-header", "read-offset-outside", "read-length-outside",
    "read-cut", "error-too-long", "write-too-much", "write-less", "write-nothing",
    "size-negative", "entry-backwards", "entry-outside", "entry-into-itself", "entry-unaligned",
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

# The log-on is not renewed, and the log says why.
LATER = {
    "guest-later": "as a guest",
    "no-token-later": "without proving who it is",
}

# Nobody can know that the answer will never come; who waits for it can be killed.
WAITS = {"forgets", "stalls"}


def test_every_lie_is_met():
    met = [set(REFUSED), set(ENDS), set(ENDS_SIGNED), FAILS, NAMES, HARMLESS, set(LATER), WAITS]
    assert set().union(*met) == set(LIES)
    assert sum(map(len, met)) == len(LIES)


DATA = b"nothing but the truth\n" * 1000
AT_ONCE_S = 10          # a lie is noticed when it is told, not at the end of some timeout


@pytest.fixture
def mount_liar(liar, mount):
    """mount_liar("--lie", name, options=…) -> Mount of a server that has `file` and `other`."""
    def make(*argv, options=""):
        server = liar(*argv)
        for name in ("file", "other"):
            (server.share / name).write_bytes(DATA)
        it = mount(server=server, options=options)
        it.share = server.share
        return it
    return make


def meet(lie, path):
    """The operation that meets a lie; returns what it saw, if it did not fail."""
    at = LIES[lie].at
    if Cmd.WRITE in at:
        with open(path / "new", "wb") as f:
            f.write(DATA)
    elif Cmd.QUERY_DIRECTORY in at:
        return os.listdir(path)
    elif Cmd.READ in at:
        return (path / "file").read_bytes()
    elif Cmd.CREATE in at:
        return os.stat(path / "file")
    for _ in range(1000):
        os.listdir(path)
    return "nothing"


def expect_error(lie, path):
    """The operation fails at once, and so that programs understand it."""
    start = time.monotonic()
    with pytest.raises(OSError) as failed:
        print("saw", meet(lie, path))
    assert time.monotonic() - start < AT_ONCE_S
    honest = {errno.EACCES} if lie == "error-too-long" else {errno.EIO, errno.EHOSTDOWN}
    assert failed.value.errno in honest


def expect_lost(mount, lie, why):
    """The connection ended for this reason, and nothing works any more."""
    def lost():
        return mount.status()["state"] == "lost"

    wait_for(lost, "the end of the connection", AT_ONCE_S)
    assert why in mount.status()["reason"]
    with pytest.raises(OSError):
        (mount.path / "other").read_bytes()


@pytest.mark.parametrize("cipher", CIPHERS)
def test_truth_serves_a_mount(mount_liar, cipher):
    m = mount_liar("--cipher", cipher)
    assert m.status()["cipher"].lower() == cipher
    exercise(m)


def exercise(m):
    """Some of everything, seen from both sides."""
    assert (m.path / "file").read_bytes() == DATA
    (m.path / "dir").mkdir()
    big = bytes(range(256)) * 10000
    (m.path / "dir/new").write_bytes(big)
    assert (m.share / "dir/new").read_bytes() == big
    (m.path / "dir/new").rename(m.path / "dir/moved")
    assert (m.path / "dir/moved").read_bytes() == big
    assert sorted(os.listdir(m.path)) == ["dir", "file", "other"]
    assert os.listdir(m.path / "dir") == ["moved"]
    with pytest.raises(FileNotFoundError):
        (m.path / "dir/new").read_bytes()
    with pytest.raises(FileExistsError):
        (m.path / "dir").mkdir()
    (m.path / "dir/moved").unlink()
    (m.path / "dir").rmdir()
    os.truncate(m.path / "other", 5)
    assert (m.share / "other").read_bytes() == DATA[:5]
    assert sorted(os.listdir(m.share)) == ["file", "other"]
    assert m.status()["state"] == "connected"


@pytest.mark.parametrize("quirk", QUIRKS)
def test_quirk_is_lived_with(mount_liar, quirk):
    exercise(mount_liar("--quirk", quirk))


@pytest.mark.parametrize("lie", REFUSED)
def test_lie_is_refused(liar, expect_refused, lie):
    expect_refused(REFUSED[lie], server=liar("--lie", lie))


@pytest.mark.parametrize("lie", ENDS)
def test_lie_ends_the_connection(mount_liar, lie):
    # Only silence shows no sooner than by an ECHO that is not answered.
    m = mount_liar("--lie", lie, options="echo_interval=1" if lie == "silence" else "")
    if lie == "reply-twice":            # the first of the two is true
        (m.path / "file").read_bytes()
    else:
        expect_error(lie, m.path)
    expect_lost(m, lie, ENDS[lie])


@pytest.mark.parametrize("lie", ENDS_SIGNED)
def test_lie_ends_a_signed_connection(mount_liar, tmp_path, lie):
    conf = tmp_path / "smbsecure.conf"
    conf.write_text(f"[{HOST}]\nrequire = integrity\n")
    m = mount_liar("--lie", lie, options=f"config={conf}")
    assert m.status()["protection"] == "signed"
    expect_error(lie, m.path)
    expect_lost(m, lie, ENDS_SIGNED[lie])


@pytest.mark.parametrize("lie", sorted(FAILS))
def test_lie_makes_the_operation_fail(mount_liar, lie):
    m = mount_liar("--lie", lie)
    expect_error(lie, m.path)


@pytest.mark.parametrize("lie", sorted(NAMES))
def test_hostile_name_is_not_listed(mount_liar, lie):
    m = mount_liar("--lie", lie)
    try:
        seen = os.listdir(m.path)
    except OSError:
        return
    assert sorted(seen) == ["file", "other"]


@pytest.mark.parametrize("command", ["tree_connect", "create"])
@pytest.mark.parametrize("lie", ["bad-tag", "clear-reply", "stray-message-id", "frame-too-long"])
def test_lie_during_the_mount_is_refused(liar, expect_refused, lie, command):
    text = expect_refused("proto.violation", server=liar("--lie", lie, "--at", command))
    assert ENDS[lie] in text


def test_weakest_cipher_is_the_policy_s_to_refuse(liar, expect_refused, mount_liar):
    assert mount_liar("--lie", "cipher-weakest").status()["cipher"] == "AES-128-CCM"
    expect_refused("negotiate.cipher-not-offered", server=liar("--lie", "cipher-weakest"),
                   options="ciphers=AES-256-GCM")


@pytest.mark.parametrize("lie", ["bad-tag", "clear-reply", "stray-message-id", "frame-too-long"])
def test_lie_fails_everything_in_flight(mount_liar, lie):
    m = mount_liar("--lie", lie)
    for n in range(8):
        (m.share / f"big{n}").write_bytes(bytes(4 << 20))

    def read(n):
        with pytest.raises(OSError):
            (m.path / f"big{n}").read_bytes()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(read, range(8), timeout=AT_ONCE_S))
    expect_lost(m, lie, ENDS[lie])


@pytest.mark.parametrize("command, tool", [("read", "cat"), ("query_directory", "ls")])
@pytest.mark.parametrize("lie", sorted(WAITS))
def test_who_waits_can_be_killed(mount_liar, lie, command, tool):
    m = mount_liar("--lie", lie, "--at", command)
    waiting = subprocess.Popen([tool, m.path / "file" if tool == "cat" else m.path],
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_for(lambda: m.status()["in_flight"] > 0, "a request that waits", AT_ONCE_S)
    waiting.terminate()
    waiting.wait(2)
    assert m.status()["state"] == "connected"
    assert (m.path / "other").stat().st_size == len(DATA)
    if (lie, command) == ("stalls", "query_directory"):
        wait_for(lambda: m.status()["in_flight"] == 0, "the answer to CANCEL", AT_ONCE_S)
        assert m.status()["smb"]["cancel"] > 0


# --- a log-on that is renewed ----------------------------------------------------------------


@pytest.fixture
def renewing_mount(liar, mount, kdc):
    """A mount whose ticket ends in seconds, with a newer one in its cache."""
    def make(*argv):
        ccache = kdc.kinit("alice", None, "-l", "6s")
        server = liar(*argv)
        (server.share / "file").write_bytes(DATA)
        it = mount("foreground", server=server, ccache=ccache)
        it.server = server
        shutil.copy(kdc.kinit("alice").removeprefix("FILE:"), ccache.removeprefix("FILE:"))
        return it
    return make


def test_truth_renews_the_log_on(renewing_mount):
    m = renewing_mount()
    end = m.status()["ticket_end"]
    wait_for(lambda: m.status()["ticket_end"] > end, "the renewed log-on", AT_ONCE_S)
    assert "alice@EXAMPLE.TEST logs on again" in m.server.log()
    assert (m.path / "file").read_bytes() == DATA


@pytest.mark.parametrize("lie", sorted(LATER))
def test_lie_renews_no_log_on(renewing_mount, lie):
    m = renewing_mount("--lie", lie)
    end = m.status()["ticket_end"]
    wait_for(lambda: LATER[lie] in m.log(), "the refusal", AT_ONCE_S)
    assert m.status()["ticket_end"] == end
    assert m.status()["state"] == "connected"


def test_forgotten_renewal_does_not_keep_the_daemon(renewing_mount):
    m = renewing_mount("--lie", "forgets", "--at", "session_setup")
    wait_for(lambda: "logs on again" in m.server.log(), "the renewal", AT_ONCE_S)
    assert (m.path / "file").read_bytes() == DATA
    wait_for(lambda: "could not be renewed" in m.log(), "the daemon's patience", AT_ONCE_S)
    assert m.status()["state"] == "connected"
    m.umount()
