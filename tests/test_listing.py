"""Listings, what is remembered of them, and the round trips that operations cost."""

import ctypes
import os
from pathlib import Path

import pytest
from lab import wait_for
from pair import make_pair, pattern, run


@pytest.mark.deadline(240)
def test_a_directory_of_100_000_entries(pair):
    names = {f"entry number {i}" for i in range(100_000)}
    for name in names:
        os.close(os.open(pair.server / name, os.O_CREAT | os.O_WRONLY))
    assert set(os.listdir(pair.path)) == names
    sizes = sum(e.stat().st_size for e in os.scandir(pair.path))
    assert sizes == 0
    assert int(run("sh", "-c", "find . -type f | wc -l", cwd=pair.path)) == 100_000
    for i in range(0, 100_000, 2):
        os.unlink(pair.server / f"entry number {i}")
    wait_for(lambda: len(os.listdir(pair.path)) == 50_000, "the shorter listing")


def test_seeking_in_a_listing(pair):
    for i in range(300):
        (pair.server / f"file{i}").touch()
    libc = ctypes.CDLL(None, use_errno=True)
    libc.opendir.restype = ctypes.c_void_p
    libc.readdir.restype = ctypes.c_void_p
    libc.telldir.restype = ctypes.c_long
    for f in (libc.readdir, libc.telldir, libc.rewinddir, libc.closedir):
        f.argtypes = [ctypes.c_void_p]
    libc.seekdir.argtypes = [ctypes.c_void_p, ctypes.c_long]
    d = libc.opendir(os.fsencode(pair.path))

    def rest():
        names = []
        while (entry := libc.readdir(d)):
            names.append(ctypes.string_at(entry + 19))
        return names

    everything = rest()
    assert len(everything) == 302 and everything[:2] == [b".", b".."]
    libc.rewinddir(d)
    for _ in range(100):
        libc.readdir(d)
    here = libc.telldir(d)
    tail = rest()
    assert tail == everything[100:]
    libc.seekdir(d, here)
    assert rest() == tail
    (pair.server / "one more").touch()
    libc.rewinddir(d)
    assert len(rest()) == 303
    libc.closedir(d)


def test_deleting_while_listing(pair):
    for i in range(3000):
        (pair.server / f"file{i}").touch()
    listing = os.scandir(pair.path)
    first = next(listing).name
    gone = {f"file{i}" for i in range(0, 3000, 3)} - {first}
    for name in gone:
        os.unlink(pair / name)
    # The listing may still have their names, but nothing is there.
    for entry in listing:
        assert (pair / entry.name).exists() == (entry.name not in gone)
        if entry.name not in gone:
            os.unlink(entry.path)
            assert not os.path.exists(entry.path)
    assert os.listdir(pair.server) == [first]


def test_nothing_is_remembered_for_longer_than_the_kernel_wants(mount, smbd, request):
    if os.geteuid() != 0:
        pytest.skip("only root can make the kernel forget")
    m = mount()
    pair = make_pair(m, smbd, request.node.name)
    before = m.status()["nodes"]
    for i in range(20):
        (pair.server / f"d{i}").mkdir()
        for k in range(100):
            (pair.server / f"d{i}/{k}").touch()
    run("find", pair.path, "-size", "+1")
    run("find", pair.path, "-newer", "/")
    for i in range(20):
        (pair / f"d{i}/new").write_text("x")
        os.rename(pair / f"d{i}/new", pair / f"d{i}/0")
        os.unlink(pair / f"d{i}/1")
        os.mkdir(pair / f"d{i}/dir")
    assert m.status()["nodes"] > before + 2000

    def forgotten():
        Path("/proc/sys/vm/drop_caches").write_text("2")
        return m.status()["nodes"] <= before + 1
    wait_for(forgotten, "an inode table as small as before")


# --- round trips

@pytest.fixture
def trips(mount, smbd):
    """trips(function) -> packets exchanged for it; the directory is known already."""
    m = mount("actimeo=60")
    pair = make_pair(m, smbd, "trips")
    (pair.server / "file").write_bytes(pattern(4096))
    for i in range(1000):
        (pair.server / f"file{i}").touch()
    os.stat(pair.path)

    def count(function):
        before = m.status()["round_trips"]
        function()
        return m.status()["round_trips"] - before
    count.pair = pair
    return count


def test_round_trips(trips):
    path = trips.pair.path
    assert trips(lambda: os.stat(path / "file")) == 1
    assert trips(lambda: os.stat(path / "file")) == 0
    assert trips(lambda: (path / "file").read_bytes()) == 2
    assert trips(lambda: [e.stat() for e in os.scandir(path)]) == 2
    assert trips(lambda: os.stat(path / "file500")) == 0
    assert trips(lambda: os.mkdir(path / "dir")) == 2		# with the look whether it is there
    os.stat(path)		# what the kernel knew of the directory is void after each change
    assert trips(lambda: os.rmdir(path / "dir")) == 1
    os.stat(path)
    # With the look at the target, which the kernel never believes it knows.
    assert trips(lambda: os.rename(path / "file1", path / "file2")) == 2
    os.stat(path)
    assert trips(lambda: os.unlink(path / "file3")) == 1
    os.stat(path)
    assert trips(lambda: os.chmod(path / "file4", 0o700)) == 0
    assert trips(lambda: os.utime(path / "file4")) == 1
    assert trips(lambda: os.truncate(path / "file4", 5)) == 1

    def write():
        fd = os.open(path / "new", os.O_CREAT | os.O_EXCL | os.O_WRONLY)
        os.write(fd, b"x")
        os.close(fd)
    os.stat(path)
    assert trips(write) == 4		# LOOKUP, CREATE, WRITE, CLOSE
