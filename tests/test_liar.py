"""The lying server: it serves smbclient well while it tells the truth, and no lie gets past us."""

import subprocess
import sys

import pytest

from lab import ADDRESS, HOST, SHARE, Daemon, run

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
