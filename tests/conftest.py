"""Fixtures of the integration tests: a KDC, servers, and mounts that always go away."""

import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent / "lab"))

from client import Client  # noqa: E402
from lab import Kdc, Smbd  # noqa: E402
from pair import make_pair  # noqa: E402

DEADLINE_S = 120


def pytest_configure(config):
    config.addinivalue_line("markers", f"deadline(seconds): instead of {DEADLINE_S}; the daemons of "
                                       "a test that takes longer are killed")


@pytest.fixture(scope="session")
def builddir():
    path = os.environ.get("SMBSECURE_BUILD")
    if not path:
        pytest.fail("SMBSECURE_BUILD must name the build directory (tests/run sets it)")
    if not Path(path, "fs/mount.smbsecure").exists():
        pytest.fail(f"there is no fs/mount.smbsecure in SMBSECURE_BUILD={path}")
    return Path(path).resolve()


@pytest.fixture(scope="session")
def kdc():
    with Kdc() as server:
        yield server


@pytest.fixture(scope="session")
def smbd(kdc):
    """The default server: share `share`, encryption required, AES-256-GCM."""
    with Smbd(kdc) as server:
        yield server


@pytest.fixture(scope="module")
def make_smbd(kdc):
    """make_smbd(server_smb_encrypt="off", …): a server with other settings, one per set and module.

    Plain keywords are [global] settings with blanks written as underscores; `options` takes those that
    cannot be spelled so; the other arguments of Smbd go through; kerberos=False leaves NTLM only.
    """
    servers = {}

    def make(kerberos=True, options=None, share_options=None, shares=None, clock=None, keytab=None,
             **named):
        options = {k.replace("_", " "): v for k, v in named.items()} | (options or {})
        args = {"kdc": kdc if kerberos else None, "options": options, "share_options": share_options,
                "shares": shares, "clock": clock, "keytab": keytab}
        key = repr(args)
        if key not in servers:
            servers[key] = Smbd(**args)
        return servers[key]

    yield make
    for server in servers.values():
        server.stop()


@pytest.fixture
def ccache(kdc):
    """A fresh ticket cache of alice."""
    return kdc.kinit("alice")


@pytest.fixture
def client(request, builddir, kdc, smbd, ccache):
    """The program under test; afterwards nothing is left, and nothing may have gone wrong unseen."""
    it = Client(builddir, kdc.env(), smbd, ccache)
    marker = request.node.get_closest_marker("deadline")
    timer = it.watchdog(marker.args[0] if marker else DEADLINE_S)
    timer.start()
    yield it
    timer.cancel()
    wrong = it.close()
    if wrong:
        pytest.fail("\n".join(wrong), pytrace=False)


@pytest.fixture
def mount(client):
    """mount(options="", server=…, share=…, …) -> Mount; arguments of Client.run()."""
    return client.mount


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
def pair(mount, smbd, request):
    """A fresh directory of a fresh mount, and the same directory on the server; see lab/pair.py."""
    return make_pair(mount(), smbd, request.node.name)


@pytest.fixture
def expect_refused(client):
    """expect_refused("diag.code", exit=32, …): the mount must fail exactly so; returns the text."""
    def expect(code, exit=32, **kwargs):
        refusal = client.refuse(**kwargs)
        assert (refusal.code, refusal.exit) == (code, exit), refusal.text
        assert refusal.text.startswith("smbsecure: cannot mount "), refusal.text
        return refusal.text
    return expect


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """With a failure, show what servers and daemon had to say."""
    outcome = yield
    report = outcome.get_result()
    if not report.failed or call.when == "teardown":
        return
    for name, value in getattr(item, "funcargs", {}).items():
        if isinstance(value, (Client, Kdc, Smbd)):
            limit = 80 if isinstance(value, Client) else 10
            lines = [line[:200] for line in value.log().splitlines()[-limit:]]
            report.sections.append((f"log of {name}", "\n".join(lines)))
