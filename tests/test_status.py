"""`smbsecure status` finds a mount whatever happens to others."""

import os
import signal

from lab import wait_for


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
