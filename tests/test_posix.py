"""File semantics through the mount: what a local file system does, and what the server then holds."""

import ctypes
import errno
import fcntl
import hashlib
import mmap
import os
import random
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from client import running
from lab import wait_for

RENAME_NOREPLACE = 1
RENAME_EXCHANGE = 2


class Pair:
    """A fresh directory of the share, as the mount shows it and as the server has it."""

    def __init__(self, mount, path, server):
        self.mount = mount
        self.path = path
        self.server = server

    def __truediv__(self, name):
        return self.path / name


@pytest.fixture
def pair(mount, smbd, request):
    return make_pair(mount(), smbd, request.node.name)


def make_pair(mount, smbd, name):
    name = "".join(c if c.isalnum() else "_" for c in name)[:60]
    shutil.rmtree(smbd.share / name, ignore_errors=True)
    (smbd.share / name).mkdir()
    return Pair(mount, mount.path / name, smbd.share / name)


def run(*argv, cwd=None, env=None):
    done = subprocess.run(list(map(str, argv)), cwd=cwd, text=True, timeout=100, env=env,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    assert done.returncode == 0, f"{argv}: exit {done.returncode}\n{done.stdout}"
    return done.stdout


def fails(number, function, *args, **kwargs):
    with pytest.raises(OSError) as info:
        function(*args, **kwargs)
    assert info.value.errno == number, info.value


def renameat2(old, new, flags):
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.renameat2(-100, os.fsencode(old), -100, os.fsencode(new), flags) != 0:
        raise OSError(ctypes.get_errno(), "renameat2")


def pattern(n, seed=1):
    return random.Random(seed).randbytes(n)


def digest(path):
    with open(path, "rb") as f:
        return hashlib.file_digest(f, "sha1").hexdigest()


def tree_of(root):
    """Everything below a directory: name -> type, size, content."""
    found = {}
    for directory, subdirs, files in os.walk(root):
        for name in subdirs + files:
            path = Path(directory, name)
            what = path.lstat()
            content = digest(path) if stat.S_ISREG(what.st_mode) else None
            found[str(path.relative_to(root))] = (stat.S_IFMT(what.st_mode), content)
    return found


# --- what is written is there

def test_what_was_written_is_what_the_server_has(pair):
    data = pattern(5_000_001)
    (pair / "file").write_bytes(data)
    assert (pair.server / "file").read_bytes() == data
    assert (pair / "file").read_bytes() == data
    assert (pair / "file").stat().st_size == len(data)


@pytest.mark.parametrize("options", ["", "rsize=65536,wsize=65536", "actimeo=0"])
def test_any_size_of_request_gives_the_same_bytes(mount, smbd, options):
    pair = make_pair(mount(options), smbd, f"requests{options}")
    data = bytearray(pattern(3_000_000))
    with open(pair / "file", "wb", buffering=0) as f:
        f.write(data)
        for off, n in ((0, 1), (4095, 2), (65535, 3), (1_048_575, 1_048_578), (2_999_999, 10)):
            piece = pattern(n, off)
            f.seek(off)
            assert f.write(piece) == n
            data[off:off + n] = piece
    assert (pair.server / "file").read_bytes() == data
    with open(pair / "file", "rb", buffering=0) as f:
        for off, n in ((0, 1), (4095, 2), (65535, 70000), (1_000_000, 2_500_000), (3_000_005, 9),
                       (5_000_000, 9)):
            f.seek(off)
            assert f.read(n) == data[off:off + n]
    fd = os.open(pair / "file", os.O_RDONLY | os.O_DIRECT)
    try:
        room = mmap.mmap(-1, 4_194_304)
        n = os.preadv(fd, [room], 0)
        assert room[:n] == data
    finally:
        os.close(fd)


def test_direct_writes_are_the_same(pair):
    fd = os.open(pair / "file", os.O_RDWR | os.O_CREAT | os.O_DIRECT)
    room = mmap.mmap(-1, 4_194_304)
    room.write(pattern(4_194_304))
    try:
        assert os.pwrite(fd, room, 0) == 4_194_304
        assert os.pwrite(fd, memoryview(room)[:4096], 8192) == 4096
    finally:
        os.close(fd)
    data = bytearray(pattern(4_194_304))
    data[8192:8192 + 4096] = data[:4096]
    assert (pair.server / "file").read_bytes() == data


def test_a_reader_sees_what_is_still_being_written(pair):
    with open(pair / "file", "wb", buffering=0) as w, open(pair / "file", "rb", buffering=0) as r:
        for i in range(200):
            piece = pattern(5000 + i, i)
            w.write(piece)
            assert os.fstat(w.fileno()).st_size == os.stat(pair / "file").st_size == w.tell()
            assert os.pread(r.fileno(), len(piece), w.tell() - len(piece)) == piece


def test_overlapping_writes_keep_their_order(pair):
    model = bytearray(300_000)
    rng = random.Random(5)
    fd = os.open(pair / "file", os.O_RDWR | os.O_CREAT)
    os.ftruncate(fd, len(model))
    for i in range(400):
        off = rng.randrange(0, 200_000)
        piece = rng.randbytes(rng.randrange(1, 100_000))
        os.pwrite(fd, piece, off)
        model[off:off + len(piece)] = piece
        if i % 50 == 0:
            assert os.pread(fd, len(model), 0) == model
    os.close(fd)
    assert (pair.server / "file").read_bytes() == model


def test_append(pair):
    one = os.open(pair / "file", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    two = os.open(pair / "file", os.O_WRONLY | os.O_APPEND)
    expected = b""
    for i in range(50):
        line = b"line %d\n" % i
        os.write(one if i % 2 else two, line)
        expected += line
    os.close(one)
    os.close(two)
    assert (pair.server / "file").read_bytes() == expected


def test_truncate(pair):
    path = pair / "file"
    path.write_bytes(pattern(100_000))
    os.truncate(path, 10)
    assert path.read_bytes() == pattern(100_000)[:10]
    os.truncate(path, 70_000)
    assert path.read_bytes() == pattern(100_000)[:10] + bytes(69_990)
    with open(path, "r+b", buffering=0) as f:
        f.write(b"x" * 200_000)
        f.truncate(5)
        assert os.fstat(f.fileno()).st_size == 5
        f.write(b"end")
    assert (pair.server / "file").read_bytes() == b"x" * 5 + bytes(199_995) + b"end"
    with open(path, "wb"):
        assert path.stat().st_size == 0
    assert (pair.server / "file").stat().st_size == 0


def test_sparse_file_of_six_gib(pair):
    size = 6 * 1024 ** 3
    fd = os.open(pair / "file", os.O_RDWR | os.O_CREAT)
    for off in (0, 2 ** 31 - 3, 2 ** 32 - 3, size - 7):
        os.pwrite(fd, b"sevenby", off)
    assert os.fstat(fd).st_size == size
    for off in (0, 2 ** 31 - 3, 2 ** 32 - 3, size - 7):
        assert os.pread(fd, 100, off).startswith(b"sevenby")
    assert os.pread(fd, 7, 2 ** 32 + 2 ** 30) == bytes(7)
    os.close(fd)
    server = pair.server / "file"
    assert server.stat().st_size == size
    assert server.stat().st_blocks * 512 < 2 ** 24
    (pair / "file").unlink()


def test_mmap(pair):
    data = bytearray(pattern(1_000_000))
    (pair / "file").write_bytes(data)
    with open(pair / "file", "r+b") as f, mmap.mmap(f.fileno(), 0) as m:
        assert m[:] == data
        m[500_000:500_010] = b"0123456789"
        m[0:1] = b"!"
        m.flush()
        data[500_000:500_010] = b"0123456789"
        data[0:1] = b"!"
        assert (pair.server / "file").read_bytes() == data
        m[-3:] = b"end"
        data[-3:] = b"end"
    assert (pair / "file").read_bytes() == data
    wait_for(lambda: (pair.server / "file").read_bytes() == data, "the pages written back")


def test_many_writers_at_once(pair):
    def work(i):
        with open(pair / f"file{i}", "wb") as f:
            for k in range(30):
                f.write(pattern(200_000, i * 100 + k))

    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    for i in range(8):
        expected = b"".join(pattern(200_000, i * 100 + k) for k in range(30))
        assert (pair.server / f"file{i}").read_bytes() == expected


def test_synchronous_files(pair):
    fd = os.open(pair / "file", os.O_WRONLY | os.O_CREAT | os.O_SYNC)
    os.write(fd, b"at once")
    assert (pair.server / "file").read_bytes() == b"at once"
    os.close(fd)


def test_fsync_of_any_descriptor_makes_the_server_hold_it(pair):
    w = os.open(pair / "file", os.O_WRONLY | os.O_CREAT)
    r = os.open(pair / "file", os.O_RDONLY)
    d = os.open(pair.path, os.O_RDONLY | os.O_DIRECTORY)
    os.write(w, pattern(3_000_000))
    os.fsync(r)
    assert (pair.server / "file").read_bytes() == pattern(3_000_000)
    os.write(w, b"more")
    os.fdatasync(w)
    assert (pair.server / "file").stat().st_size == 3_000_004
    os.fsync(d)
    for fd in (w, r, d):
        os.close(fd)


# --- errors that come late

@pytest.fixture
def full_disk(tmp_path):
    if os.geteuid() != 0:
        pytest.skip("a small file system can only be mounted by root")
    path = tmp_path / "disk"
    path.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m,mode=777", "none", path], check=True)
    yield path
    subprocess.run(["umount", "-l", path], check=True)


@pytest.mark.parametrize("how", ["close", "fsync", "write"])
def test_a_full_disk_is_reported_once(full_disk, make_smbd, mount, how):
    server = make_smbd(shares={"small": {"path": full_disk}}, log_level=1)
    path = mount(server=server, share="small").path / "file"
    fd = os.open(path, os.O_WRONLY | os.O_CREAT)
    other = os.open(path, os.O_WRONLY)
    errors = []
    for _ in range(200 if how == "write" else 6):
        try:
            os.write(fd, bytes(1024 * 1024))
        except OSError as error:
            errors.append(error.errno)
            break
    if not errors:
        try:
            if how == "fsync":
                os.fsync(fd)
            else:
                os.close(os.dup(fd))
        except OSError as error:
            errors.append(error.errno)
    assert errors == [errno.ENOSPC]
    # Several writes may have failed: at most one more report is due, then silence.
    for _ in range(2):
        try:
            os.close(os.dup(fd))
        except OSError as error:
            assert error.errno == errno.ENOSPC
    os.close(os.dup(fd))
    os.truncate(path, 0)
    os.pwrite(fd, b"there is room again", 0)
    os.fsync(fd)
    os.close(fd)
    fails(errno.ENOSPC, os.fsync, other)
    os.fsync(other)
    os.close(other)
    assert (full_disk / "file").read_bytes() == b"there is room again"
    path.unlink()


# --- names

SCRIPTS = ["plain", "with blank", " leading", "trailing ", "dot.", "..dots", ".hidden", "ümläut",
           "русский", "ελληνικά", "עברית", "العربية", "हिन्दी", "日本語", "한국어", "ไทย", "ქართული",
           "combining e\u0301", "composed \u00e9", "emoji 😀🏳️‍🌈", "gothic 𐌰𐌱", "a:b", "a*b", "a?b",
           "a<b>c", "a|b", 'a"b', "a\\b", "tab\there", "new\nline", "\x01control", "%41", "~", "#",
           "$MFT", "-rf",
           # The protocol allows 255 units of UTF-16, this server's file system 255 bytes.
           "x" * 255, "ü" * 127, "日" * 85, "😀" * 63]


def test_names_in_every_script(mount, smbd):
    pair = make_pair(mount("mapposix"), smbd, "names")
    for i, name in enumerate(SCRIPTS):
        (pair / name).write_text(str(i))
    assert sorted(os.listdir(pair.path)) == sorted(SCRIPTS)
    for i, name in enumerate(SCRIPTS):
        assert (pair / name).read_text() == str(i)
        os.rename(pair / name, pair / "moved")
        assert not (pair / name).exists()
        os.rename(pair / "moved", pair / name)
    for entry in os.scandir(pair.path):
        assert entry.inode() == os.stat(entry.path).st_ino
        os.unlink(entry.path)
    assert os.listdir(pair.server) == []


@pytest.mark.parametrize("name,number", [
    ("x" * 256, errno.ENAMETOOLONG), ("日" * 256, errno.ENAMETOOLONG),
    ("😀" * 128, errno.ENAMETOOLONG), (b"not \xff utf-8", errno.EILSEQ),
    (b"surrogate \xed\xa0\x80", errno.EILSEQ)])
def test_names_that_cannot_be(pair, name, number):
    path = os.path.join(os.fsencode(pair.path), os.fsencode(name))
    fails(number, os.open, path, os.O_CREAT | os.O_WRONLY)
    fails(number, os.mkdir, path)
    assert not os.path.lexists(path)
    assert os.listdir(pair.server) == []


def test_deep_directories(pair):
    path = pair.path
    for i in range(60):
        path = path / f"level {i}"
        path.mkdir()
    (path / "bottom").write_text("here")
    os.rename(pair / "level 0", pair / "moved")
    moved = Path(str(path).replace("level 0/", "moved/", 1))
    assert (moved / "bottom").read_text() == "here"
    shutil.rmtree(pair / "moved")
    assert os.listdir(pair.server) == []


def test_inode_numbers_are_stable(pair):
    (pair / "a").write_text("a")
    (pair / "d").mkdir()
    before = {n: (pair / n).stat().st_ino for n in ("a", "d")}
    assert before["a"] == (pair.server / "a").stat().st_ino
    os.rename(pair / "a", pair / "d/b")
    assert (pair / "d/b").stat().st_ino == before["a"]
    assert [e.inode() for e in os.scandir(pair / "d")] == [before["a"]]
    fd = os.open(pair / "d", os.O_PATH)
    assert os.fstat(fd).st_ino == before["d"]
    os.close(fd)


# --- deleting and renaming

def test_a_deleted_file_goes_on_working(pair):
    (pair / "file").write_bytes(pattern(100_000))
    fd = os.open(pair / "file", os.O_RDWR)
    os.unlink(pair / "file")
    assert os.listdir(pair.path) == []
    fails(errno.ENOENT, os.stat, pair / "file")
    (pair / "file").write_text("another one")
    assert os.pread(fd, 200_000, 0) == pattern(100_000)
    os.pwrite(fd, b"still", 100_000)
    os.ftruncate(fd, 100_003)
    os.fsync(fd)
    assert os.fstat(fd).st_size == 100_003
    os.utime(fd, (1, 2))
    assert os.fstat(fd).st_mtime == 2
    assert os.pread(fd, 10, 100_000) == b"sti"
    assert (pair / "file").read_text() == "another one"
    os.unlink(pair / "file")
    os.close(fd)
    wait_for(lambda: os.listdir(pair.server) == [], "the end of the deleted file")
    os.rmdir(pair.path)


def test_a_directory_with_a_deleted_open_file(pair):
    (pair / "d").mkdir()
    fd = os.open(pair / "d/file", os.O_RDWR | os.O_CREAT)
    os.unlink(pair / "d/file")
    assert os.listdir(pair / "d") == []
    os.close(fd)
    os.rmdir(pair / "d")


@pytest.mark.parametrize("open_target", [False, True])
@pytest.mark.parametrize("readonly", [False, True])
def test_rename_over(pair, open_target, readonly):
    (pair / "new").write_text("new")
    (pair / "old").write_text("old")
    fd = os.open(pair / "old", os.O_RDONLY) if open_target else None
    if readonly:
        os.chmod(pair / "old", 0o444)
    number = (pair / "new").stat().st_ino
    os.rename(pair / "new", pair / "old")
    assert (pair / "old").read_text() == "new"
    assert (pair / "old").stat().st_ino == number
    assert os.listdir(pair.path) == ["old"]
    if fd is not None:
        assert os.pread(fd, 10, 0) == b"old"
        assert os.fstat(fd).st_ino != number
        os.close(fd)
    wait_for(lambda: os.listdir(pair.server) == ["old"], "the end of the replaced file")


def test_rename_of_an_open_file(pair):
    with open(pair / "a", "wb", buffering=0) as f:
        f.write(b"before ")
        os.rename(pair / "a", pair / "b")
        f.write(b"after")
        assert (pair / "b").read_bytes() == b"before after"
    assert (pair.server / "b").read_bytes() == b"before after"


def test_rename_of_directories(pair):
    (pair / "d/e").mkdir(parents=True)
    (pair / "d/e/file").write_text("x")
    (pair / "empty").mkdir()
    (pair / "full").mkdir()
    (pair / "full/file").write_text("y")
    (pair / "file").write_text("z")
    fails(errno.ENOTEMPTY, os.rename, pair / "d", pair / "full")
    fails(errno.ENOTDIR, os.rename, pair / "d", pair / "file")
    fails(errno.EISDIR, os.rename, pair / "file", pair / "empty")
    fails(errno.EINVAL, os.rename, pair / "d", pair / "d/e/f")
    os.rename(pair / "d", pair / "empty")
    assert (pair / "empty/e/file").read_text() == "x"
    assert sorted(os.listdir(pair.server)) == ["empty", "file", "full"]


def test_rename_flags(pair):
    (pair / "a").write_text("a")
    (pair / "b").write_text("b")
    fails(errno.EEXIST, renameat2, pair / "a", pair / "b", RENAME_NOREPLACE)
    fails(errno.EINVAL, renameat2, pair / "a", pair / "b", RENAME_EXCHANGE)
    renameat2(pair / "a", pair / "c", RENAME_NOREPLACE)
    assert sorted(os.listdir(pair.server)) == ["b", "c"]


def test_readonly_files(pair):
    path = pair / "file"
    path.write_text("x")
    assert stat.S_IMODE(path.stat().st_mode) & 0o222
    os.chmod(path, 0o444)
    assert not stat.S_IMODE(path.stat().st_mode) & 0o222
    os.utime(path, (5, 6))
    assert path.stat().st_mtime == 6
    os.chmod(path, 0o644)
    path.write_text("again")
    os.chmod(path, 0o444)
    os.unlink(path)
    fd = os.open(pair / "made", os.O_CREAT | os.O_WRONLY, 0o444)
    os.write(fd, b"writable through this descriptor")
    os.close(fd)
    assert not stat.S_IMODE((pair / "made").stat().st_mode) & 0o222
    os.rename(pair / "made", pair / "renamed")
    fd = os.open(pair / "renamed", os.O_RDONLY)
    os.unlink(pair / "renamed")
    assert os.read(fd, 8) == b"writable"
    os.close(fd)
    wait_for(lambda: os.listdir(pair.server) == [], "the end of the files")


def test_modes_that_cannot_be_kept(pair):
    (pair / "file").write_text("x")
    os.chmod(pair / "file", 0o600)
    fails(errno.EPERM, os.chmod, pair / "file", 0o4755)
    fails(errno.EPERM, os.chmod, pair / "file", 0o2755)
    what = (pair / "file").stat()
    os.chown(pair / "file", what.st_uid, what.st_gid)
    if os.geteuid() == 0:
        fails(errno.EPERM, os.chown, pair / "file", what.st_uid + 1, -1)


def test_exclusive_creation_has_one_winner(mount, smbd, request):
    one = make_pair(mount(), smbd, request.node.name)
    two = mount().path / one.path.name
    for i in range(20):
        winners = []

        def create(directory, name=f"lock{i}", won=winners):
            try:
                os.close(os.open(directory / name, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
                won.append(directory)
            except FileExistsError:
                pass

        threads = [threading.Thread(target=create, args=(d,)) for d in (one.path, two) * 4]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        assert len(winners) == 1


def test_errors(pair):
    (pair / "file").write_text("x")
    (pair / "d").mkdir()
    (pair / "d/x").write_text("x")
    fails(errno.ENOENT, os.stat, pair / "nothing")
    fails(errno.ENOENT, os.open, pair / "nothing", os.O_RDONLY)
    fails(errno.ENOENT, os.open, pair / "nothing/file", os.O_CREAT | os.O_WRONLY)
    fails(errno.ENOTDIR, os.stat, pair / "file/x")
    fails(errno.EEXIST, os.mkdir, pair / "d")
    fails(errno.EEXIST, os.mkdir, pair / "file")
    fails(errno.EEXIST, os.open, pair / "file", os.O_CREAT | os.O_EXCL | os.O_WRONLY)
    fails(errno.EISDIR, os.open, pair / "d", os.O_WRONLY)
    fails(errno.ENOTDIR, os.open, pair / "file", os.O_RDONLY | os.O_DIRECTORY)
    fails(errno.ENOTEMPTY, os.rmdir, pair / "d")
    fails(errno.ENOTDIR, os.rmdir, pair / "file")
    fails(errno.EISDIR, os.unlink, pair / "d")
    fails(errno.ENOENT, os.unlink, pair / "nothing")
    fails(errno.ENOENT, os.rmdir, pair / "nothing")
    fails(errno.ENOENT, os.rename, pair / "nothing", pair / "x")
    fails(errno.EPERM, os.link, pair / "file", pair / "link")
    fails(errno.EPERM, os.symlink, "file", pair / "link")
    fails(errno.EPERM, os.mkfifo, pair / "fifo")
    fails(errno.ENODATA, os.getxattr, pair / "file", "user.x")
    fails(errno.EOPNOTSUPP, os.setxattr, pair / "file", "user.x", b"y")
    os.mknod(pair / "node", 0o644 | stat.S_IFREG)
    assert (pair.server / "node").stat().st_size == 0


def test_times(pair):
    path = pair / "file"
    path.write_text("x")
    for ns in (0, 1_000_000_000_123_456_700, 4_000_000_000_999_999_900, 86400 * 10 ** 9):
        os.utime(path, ns=(ns + 100, ns))
        assert path.stat().st_mtime_ns == ns
        assert path.stat().st_atime_ns == ns + 100
        assert (pair.server / "file").stat().st_mtime_ns == ns
    before = time.time()
    os.utime(path)
    assert abs(path.stat().st_mtime - before) < 5
    with open(path, "r+b", buffering=0) as f:
        f.write(b"y")
        os.utime(f.fileno(), ns=(10 ** 18, 10 ** 18))
        assert os.fstat(f.fileno()).st_mtime_ns == 10 ** 18
    # Not even by the CLOSE of a handle that wrote.
    assert path.stat().st_mtime_ns == 10 ** 18
    os.utime(pair.path, ns=(10 ** 18, 10 ** 18))
    assert pair.path.stat().st_mtime_ns == 10 ** 18
    (pair / "another").touch()
    assert pair.path.stat().st_mtime_ns != 10 ** 18


def test_the_time_seen_before_close_is_the_time_after(pair):
    path = pair / "file"
    with open(path, "wb", buffering=0) as f:
        f.write(pattern(100_000))
        seen = os.fstat(f.fileno()).st_mtime_ns
        deadline = time.monotonic() + 0.05
        wait_for(lambda: time.monotonic() > deadline, "a later time")
    wait_for(lambda: time.monotonic() > deadline + 1.1, "the end of what the kernel remembers")
    assert path.stat().st_mtime_ns == seen
    assert (pair.server / "file").stat().st_mtime_ns == seen


def test_statfs(pair):
    ours, theirs = os.statvfs(pair.path), os.statvfs(pair.server)
    assert ours.f_namemax == 255
    assert ours.f_frsize * ours.f_blocks == pytest.approx(theirs.f_frsize * theirs.f_blocks, rel=0.01)
    assert 0 < ours.f_bavail <= ours.f_blocks


def test_locks_work_among_local_programs(pair):
    with open(pair / "file", "w") as one, open(pair / "file", "w") as two:
        fcntl.flock(one, fcntl.LOCK_EX)
        with pytest.raises(BlockingIOError):
            fcntl.flock(two, fcntl.LOCK_EX | fcntl.LOCK_NB)


# --- listings

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
    for entry in os.scandir(pair.path):
        os.unlink(entry.path)
    assert os.listdir(pair.server) == []


# --- two clients

def test_close_to_open(mount, smbd, request):
    one = make_pair(mount(), smbd, request.node.name)
    two = mount().path / one.path.name
    for n in (10, 5000, 3, 200_000, 0, 70_000):
        (one / "file").write_bytes(pattern(n, n))
        assert (two / "file").read_bytes() == pattern(n, n)
    (one / "file").unlink()
    (one / "file").write_text("a new file of that name")
    assert (two / "file").read_text() == "a new file of that name"
    (one / "new").write_text("new")
    os.rename(one / "new", one / "file")
    assert (two / "file").read_text() == "new"


def test_what_the_server_changes_is_seen(pair):
    (pair / "file").write_text("old")
    (pair.server / "file").unlink()
    (pair.server / "file").mkdir()
    wait_for(lambda: (pair / "file").is_dir(), "the change of type", 5)
    (pair.server / "file").rmdir()
    wait_for(lambda: not (pair / "file").exists(), "the deletion", 5)
    (pair.server / "file").write_text("from the server")
    wait_for(lambda: (pair / "file").exists(), "the new file", 5)
    assert (pair / "file").read_text() == "from the server"
    fd = os.open(pair / "file", os.O_RDONLY | os.O_CREAT)
    assert os.read(fd, 100) == b"from the server"
    os.close(fd)


# --- programs

def test_random_operations_against_a_model(pair, tmp_path):
    seed = int(os.environ.get("SMBSECURE_SEED", "1"))
    Model(seed, tmp_path / "model", pair.path).run(4000)
    # What is deleted and was open goes with the handles, which nobody waits for.
    wait_for(lambda: not list(pair.server.rglob(".smbsecure.*")), "the end of the deleted files")
    assert tree_of(pair.server) == tree_of(tmp_path / "model")


class Model:
    """The same random operations here and there: results, errors and what is left must be equal."""

    DIRS = ["", "d1/", "d2/", "d1/e/"]
    NAMES = ["a", "b", "c", "ä", "long name with blanks", "d1", "d2", "e"]

    def __init__(self, seed, model, real):
        self.rng = random.Random(seed)
        self.roots = (model, real)
        self.fds = []
        self.log = []
        model.mkdir()

    def run(self, n):
        actions = [getattr(self, name) for name in dir(self) if name.startswith("do_")]
        try:
            for _ in range(n):
                self.rng.choice(actions)()
        finally:
            for pair in self.fds:
                for fd in pair:
                    os.close(fd)

    def both(self, what, function):
        """function(root, which) here and there; the same outcome, or the history is shown."""
        results = []
        for which, root in enumerate(self.roots):
            try:
                results.append(function(root, which))
            except OSError as error:
                results.append(errno.errorcode[error.errno])
        self.log.append((what, results[0] if isinstance(results[0], (str, int)) else "..."))
        assert results[0] == results[1], (what, results, self.log[-30:])
        return results[0]

    def name(self):
        return self.rng.choice(self.DIRS) + self.rng.choice(self.NAMES)

    def do_write_file(self):
        name, data = self.name(), self.rng.randbytes(self.rng.choice((0, 1, 100, 5000, 150_000)))

        def write(root, _):
            with open(root / name, "wb") as f:
                return f.write(data)
        self.both(f"write {name} {len(data)}", write)

    def do_read_file(self):
        name = self.name()
        self.both(f"read {name}", lambda root, _: (root / name).read_bytes())

    def do_stat(self):
        name = self.name()

        def status(root, _):
            s = os.stat(root / name)
            return (stat.S_IFMT(s.st_mode), s.st_size if stat.S_ISREG(s.st_mode) else 0)
        self.both(f"stat {name}", status)

    def do_list(self):
        name = self.rng.choice(self.DIRS)
        self.both(f"list {name}", lambda root, _: sorted(os.listdir(root / name)))

    def do_walk(self):
        self.both("walk", lambda root, _: sorted(tree_of(root)))

    def do_mkdir(self):
        name = self.name()
        self.both(f"mkdir {name}", lambda root, _: os.mkdir(root / name))

    def do_rmdir(self):
        name = self.name()
        self.both(f"rmdir {name}", lambda root, _: os.rmdir(root / name))

    def do_unlink(self):
        name = self.name()
        self.both(f"unlink {name}", lambda root, _: os.unlink(root / name))

    def do_rename(self):
        old, new = self.name(), self.name()

        def rename(root, _):
            # The server does not move a directory below which files are open.
            if (root / old).is_dir() and any(Path(os.readlink(f"/proc/self/fd/{fd}")).is_relative_to(
                    self.roots[0] / old) for fd, _ in self.fds):
                return "left out"
            return os.rename(root / old, root / new)
        self.both(f"rename {old} {new}", rename)

    def do_truncate(self):
        name, size = self.name(), self.rng.choice((0, 10, 5000, 100_000))
        self.both(f"truncate {name} {size}", lambda root, _: os.truncate(root / name, size))

    def do_utime(self):
        name, when = self.name(), self.rng.randrange(10 ** 9) * 10 ** 9

        def utime(root, _):
            os.utime(root / name, ns=(when, when))
            return os.stat(root / name).st_mtime_ns
        self.both(f"utime {name} {when}", utime)

    def do_open(self):
        if len(self.fds) > 6:
            pair = self.fds.pop(self.rng.randrange(len(self.fds)))
            self.both("close", lambda _, which: os.close(pair[which]))
        name = self.name()
        flags = self.rng.choice((os.O_RDONLY, os.O_RDWR, os.O_RDWR | os.O_CREAT,
                                 os.O_RDWR | os.O_CREAT | os.O_EXCL,
                                 os.O_RDWR | os.O_CREAT | os.O_TRUNC,
                                 os.O_RDWR | os.O_CREAT | os.O_APPEND))
        opened = []

        def open_(root, _):
            fd = os.open(root / name, flags, 0o755)
            opened.append(fd)
            if stat.S_ISDIR(os.fstat(fd).st_mode):
                os.close(opened.pop())
                return "directory"
            return "file"
        if self.both(f"open {name} {flags:#o}", open_) == "file":
            self.fds.append(tuple(opened))

    def with_fd(self, what, function):
        if self.fds:
            pair = self.rng.choice(self.fds)
            self.both(f"{what} of fd {pair}", lambda _, which: function(pair[which]))

    def do_pwrite(self):
        off = self.rng.choice((0, 1, 4095, 4096, 60_000))
        data = self.rng.randbytes(self.rng.choice((1, 4096, 10_000, 200_000)))
        self.with_fd(f"pwrite {off} {len(data)}", lambda fd: os.pwrite(fd, data, off))

    def do_pread(self):
        off, n = self.rng.choice((0, 1, 4095, 60_000)), self.rng.choice((1, 4096, 300_000))
        self.with_fd(f"pread {off} {n}", lambda fd: os.pread(fd, n, off))

    def do_ftruncate(self):
        size = self.rng.choice((0, 3, 5000, 70_000))
        self.with_fd(f"ftruncate {size}", lambda fd: os.ftruncate(fd, size))

    def do_fstat(self):
        self.with_fd("fstat", lambda fd: os.fstat(fd).st_size)

    def do_fsync(self):
        self.with_fd("fsync", os.fsync)


@pytest.fixture
def source_tree(tmp_path):
    """Some hundred files of all sizes in some directories."""
    root = tmp_path / "source"
    rng = random.Random(3)
    for i in range(300):
        path = root / f"dir{i % 7}" / f"sub{i % 3}" / f"file {i}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(rng.randbytes(rng.choice((0, 1, 100, 4096, 30_000, 300_000))))
        os.utime(path, ns=(rng.randrange(10 ** 18), rng.randrange(10 ** 16) * 100))
    return root


def test_cp_a(pair, source_tree):
    run("cp", "-a", source_tree, pair / "copy")
    assert tree_of(pair.server / "copy") == tree_of(source_tree)
    for path in source_tree.rglob("*.txt"):
        there = pair / "copy" / path.relative_to(source_tree)
        assert there.stat().st_mtime_ns == path.stat().st_mtime_ns
    run("cp", "-r", pair / "copy", pair / "again")
    run("diff", "-r", source_tree, pair / "again")


def test_tar(mount, smbd, source_tree):
    pair = make_pair(mount("file_mode=0644,dir_mode=0755"), smbd, "tar")
    source_tree.chmod(0o755)
    run("tar", "-C", source_tree, "-cf", pair / "archive.tar", ".")
    (pair / "out").mkdir()
    run("tar", "-C", pair / "out", "-xf", pair / "archive.tar")
    assert tree_of(pair.server / "out") == tree_of(source_tree)
    assert run("tar", "-C", pair / "out", "-df", pair / "archive.tar") == ""


def test_rsync(mount, smbd, source_tree):
    pair = make_pair(mount("file_mode=0644,dir_mode=0755"), smbd, "rsync")
    run("rsync", "-a", f"{source_tree}/", f"{pair / 'copy'}/")
    assert tree_of(pair.server / "copy") == tree_of(source_tree)
    assert run("rsync", "-aci", "--delete", f"{source_tree}/", f"{pair / 'copy'}/") == ""
    assert run("rsync", "-ai", "--delete", f"{source_tree}/", f"{pair / 'copy'}/") == ""
    victim = next(source_tree.rglob("*.txt"))
    victim.write_text("changed")
    assert victim.name in run("rsync", "-aci", "--delete", f"{source_tree}/", f"{pair / 'copy'}/")
    assert tree_of(pair.server / "copy") == tree_of(source_tree)
    run("rsync", "-a", "--inplace", f"{pair / 'copy'}/", f"{pair / 'second'}/")
    assert tree_of(pair.server / "second") == tree_of(source_tree)


def test_git(pair, source_tree):
    env = {**os.environ, "HOME": str(source_tree.parent), "GIT_CONFIG_NOSYSTEM": "1",
           "GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@example.test", "GIT_COMMITTER_NAME": "a",
           "GIT_COMMITTER_EMAIL": "a@example.test"}

    def git(where, *args):
        return run("git", "-c", "safe.directory=*", "-c", "gc.autoDetach=false", *args, cwd=where,
                   env=env)

    git(source_tree, "init", "-q", "-b", "main")
    git(source_tree, "add", ".")
    git(source_tree, "commit", "-q", "-m", "one")
    git(pair.path, "clone", "-q", "--no-hardlinks", str(source_tree), "work")
    work = pair / "work"
    assert git(work, "status", "--porcelain") == ""
    for i in range(5):
        (work / f"new{i}").write_text(f"content {i}\n" * 1000)
        git(work, "add", "-A")
        git(work, "commit", "-q", "-m", f"commit {i}")
        git(work, "checkout", "-q", "-b", f"branch{i}")
    git(work, "checkout", "-q", "HEAD~3")
    git(work, "checkout", "-q", "branch4")
    git(work, "gc", "-q")
    git(work, "fsck", "--strict")
    assert git(work, "status", "--porcelain") == ""
    git(source_tree, "fetch", "-q", str(work), "branch4")
    git(source_tree, "fsck", "--strict")


@pytest.mark.parametrize("journal", ["DELETE", "TRUNCATE", "PERSIST", "WAL"])
def test_sqlite(pair, journal):
    db = sqlite3.connect(pair / "data.db")
    assert db.execute(f"PRAGMA journal_mode={journal}").fetchone()[0] == journal.lower()
    db.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, text TEXT)")
    for i in range(30):
        with db:
            db.executemany("INSERT INTO t (text) VALUES (?)", [(f"row {i}.{k}",) for k in range(50)])
        if i % 10 == 9:
            try:
                with db:
                    db.execute("DELETE FROM t")
                    raise ValueError
            except ValueError:
                pass
    other = sqlite3.connect(pair / "data.db")
    assert other.execute("SELECT count(*) FROM t").fetchone() == (1500,)
    assert other.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    other.close()
    db.execute("VACUUM")
    db.close()
    assert sqlite3.connect(pair.server / "data.db").execute(
        "PRAGMA integrity_check").fetchone() == ("ok",)


def test_how_editors_save(pair):
    path = pair / "document"
    path.write_text("first")
    # vim with backup: rename away, write anew, delete the backup
    os.rename(path, pair / "document~")
    path.write_text("second")
    os.unlink(pair / "document~")
    assert (pair.server / "document").read_text() == "second"
    # most others: temporary file, fsync, rename over; a reader has the old one open
    with open(path) as reader:
        for i in range(20):
            with open(pair / ".document.tmp", "w") as f:
                f.write(f"version {i}")
                f.flush()
                os.fsync(f.fileno())
            os.rename(pair / ".document.tmp", path)
            assert path.read_text() == f"version {i}"
        assert reader.read() == "second"
    # in place: truncate and write
    with open(path, "r+") as f:
        f.truncate(0)
        f.write("last")
    assert (pair.server / "document").read_text() == "last"
    wait_for(lambda: os.listdir(pair.server) == ["document"], "the end of the old versions")


# --- signals and a server that does not answer

def processes_of(server):
    found = []
    for proc in Path("/proc").glob("[0-9]*"):
        try:
            if os.fsencode(server.conf) in (proc / "cmdline").read_bytes().split(b"\0"):
                found.append(int(proc.name))
        except OSError:
            continue
    return found


SILENT = {
    "stat": "os.stat(sys.argv[1] + '/nothing')",
    "open": "open(sys.argv[1] + '/file').read()",
    "create": "open(sys.argv[1] + '/new', 'w')",
    "read": "os.preadv(fd, [bytearray(1 << 20)], 1 << 20)",
    "direct read": "os.preadv(direct, [mmap.mmap(-1, 1 << 20)], 0)",
    "write": "[os.write(fd, bytes(1 << 20)) for _ in range(100)]",
    "fsync": "os.write(fd, b'x'); os.fsync(fd)",
    "close": "os.write(fd, b'x'); os.close(fd)",
    "truncate": "os.ftruncate(fd, 5)",
    "mkdir": "os.mkdir(sys.argv[1] + '/newdir')",
    "unlink": "os.unlink(sys.argv[1] + '/file')",
    "rename": "os.rename(sys.argv[1] + '/file', sys.argv[1] + '/other')",
    "list": "os.listdir(sys.argv[1])",
    "statfs": "os.statvfs(sys.argv[1])",
}


@pytest.mark.parametrize("what", SILENT)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_silent_server_does_not_hold_a_process(make_smbd, mount, what, number):
    server = make_smbd(log_level=1)
    (server.share / "file").write_bytes(pattern(4_000_000))
    path = mount("actimeo=0", server=server).path
    child = subprocess.Popen(
        [sys.executable, "-c",
         "import mmap, os, sys\n"
         "fd = os.open(sys.argv[1] + '/file', os.O_RDWR)\n"
         "direct = os.open(sys.argv[1] + '/file', os.O_RDONLY | os.O_DIRECT)\n"
         "print('ready', flush=True)\nsys.stdin.readline()\nprint('going', flush=True)\n"
         + SILENT[what] + "\nprint('done', flush=True)", str(path)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert child.stdout.readline() == "ready\n"
    stopped = processes_of(server)
    try:
        for pid in stopped:
            os.kill(pid, signal.SIGSTOP)
        child.stdin.write("\n")
        child.stdin.flush()
        assert child.stdout.readline() == "going\n"
        settled = time.monotonic() + 0.2
        wait_for(lambda: time.monotonic() > settled, "the request on its way")
        assert child.poll() is None, child.stdout.read()
        child.send_signal(number)
        wait_for(lambda: not running(child.pid), f"the death of a process in {what}", 1.5)
    finally:
        for pid in stopped:
            os.kill(pid, signal.SIGCONT)
        child.wait()
        child.stdin.close()
        child.stdout.close()
    assert (path / "file").exists() or what in ("unlink", "rename")


def test_a_signal_that_is_handled_disturbs_nothing(pair):
    ticks = []
    old = signal.signal(signal.SIGALRM, lambda *_: ticks.append(1))
    signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
    try:
        for i in range(200):
            data = pattern(100_000, i)
            (pair / "file").write_bytes(data)
            assert (pair / "file").read_bytes() == data
            assert "file" in os.listdir(pair.path)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, old)
    assert len(ticks) > 50


def test_after_the_server_is_gone_everything_fails_at_once(make_smbd, mount):
    server = make_smbd(log_level=2)
    (server.share / "file").write_bytes(pattern(3_000_000))
    path = mount("actimeo=0", server=server).path
    fd = os.open(path / "file", os.O_RDWR)
    os.statvfs(path)
    server.stop()
    begin = time.monotonic()
    fails(errno.EIO, os.pread, fd, 100, 2_000_000)
    fails(errno.EHOSTDOWN, os.stat, path / "file")
    fails(errno.EHOSTDOWN, os.listdir, path)
    fails(errno.EHOSTDOWN, os.mkdir, path / "d")
    os.statvfs(path)
    try:
        os.pwrite(fd, b"lost", 0)
        fails(errno.EIO, os.fsync, fd)
    except OSError as error:
        assert error.errno == errno.EIO
    try:
        os.close(fd)
    except OSError as error:
        assert error.errno == errno.EIO
    assert time.monotonic() - begin < 5
