"""A mount outlives the ticket it began with, as long as there is a newer one to be had."""

import errno
import os
import shutil
import time

import pytest
from lab import PRINCIPALS, wait_for

LIFE_S = 15     # of the tickets of "short"


def read_errno(path):
    """0, or the errno with which a fresh read of the file fails."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_DIRECT)
    except OSError as error:
        return error.errno
    try:
        os.pread(fd, 4096, 0)
        return 0
    except OSError as error:
        return error.errno
    finally:
        os.close(fd)


@pytest.mark.deadline(120)
def test_the_log_on_is_renewed_before_the_ticket_ends(client, mount):
    """With a password the daemon gets a new ticket by itself, and no program notices."""
    credentials = client.dir / "credentials"
    credentials.write_text(f"username=short\npassword={PRINCIPALS['short'][0]}\n")
    credentials.chmod(0o600)
    share = mount(f"credentials={credentials}", ccache="")
    first_end = share.status()["ticket_end"]
    (share.path / "file").write_text("content")
    with open(share.path / "file", "rb", buffering=0) as opened:
        def later():
            assert (share.path / "file").read_text() == "content"
            assert os.pread(opened.fileno(), 7, 0) == b"content"
            return time.time() > first_end + 3
        wait_for(later, "the end of the first ticket", LIFE_S + 15)
    assert share.status()["ticket_end"] > first_end
    assert share.status()["smb"]["session_setup"] > 1
    (share.path / "file").unlink()


@pytest.mark.deadline(120)
def test_a_session_that_ended_goes_on_with_a_new_ticket(client, kdc, mount):
    """Without a newer ticket the server's refusal is shown as such, and kinit is all it takes."""
    ccache = kdc.kinit("short")
    share = mount(ccache=ccache)
    path = share.path / "file"
    path.write_text("content")
    wait_for(lambda: read_errno(path) == errno.EKEYEXPIRED, "the end of the session", LIFE_S + 20)
    shutil.copy(kdc.kinit("short").removeprefix("FILE:"), ccache.removeprefix("FILE:"))
    wait_for(lambda: read_errno(path) == 0, "the renewed session", 30)
    path.unlink()


@pytest.mark.deadline(120)
def test_a_ticket_of_somebody_else_renews_nothing(client, kdc, mount):
    """The session stays the user's who began it, whoever logs on to the cache later."""
    ccache = kdc.kinit("short")
    share = mount(ccache=ccache)
    path = share.path / "file"
    path.write_text("content")
    shutil.copy(kdc.kinit("alice").removeprefix("FILE:"), ccache.removeprefix("FILE:"))
    wait_for(lambda: read_errno(path) == errno.EKEYEXPIRED, "the end of the session", LIFE_S + 20)
    assert share.status()["principal"].startswith("short@")
    assert share.status()["smb"]["session_setup"] == 1
