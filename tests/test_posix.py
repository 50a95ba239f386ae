"""File semantics through the mount, those of a local one, and what the server then holds."""

import ctypes
import errno
import fcntl
import mmap
import os
import random
import shutil
import stat
import subprocess
import threading
import time
from pathlib import Path

import pytest
from lab import wait_for
from pair import fails, make_pair, pattern

RENAME_NOREPLACE = 1
RENAME_EXCHANGE = 2


def renameat2(old, new, flags):
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.renameat2(-100, os.fsencode(old), -100, os.fsencode(new), flags) != 0:
        raise OSError(ctypes.get_errno(), "renameat2")


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
    size = theirs.f_frsize * theirs.f_blocks
    assert ours.f_frsize * ours.f_blocks == pytest.approx(size, rel=0.01)
    assert 0 < ours.f_bavail <= ours.f_blocks


def test_locks_work_among_local_programs(pair):
    with open(pair / "file", "w") as one, open(pair / "file", "w") as two:
        fcntl.flock(one, fcntl.LOCK_EX)
        with pytest.raises(BlockingIOError):
            fcntl.flock(two, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_a_directory_that_is_open_or_somebodys_cwd_can_be_deleted(pair):
    (pair / "d").mkdir()
    fd = os.open(pair / "d", os.O_RDONLY | os.O_DIRECTORY)
    assert os.listdir(fd) == []
    os.rmdir(pair / "d")
    fails(errno.ENOENT, os.stat, pair / "d")
    os.close(fd)
    (pair / "d").mkdir()
    child = subprocess.Popen(["cat"], cwd=pair / "d", stdin=subprocess.PIPE)
    os.rmdir(pair / "d")
    (pair / "d").mkdir()
    child.communicate()
    (pair / "d/file").write_text("x")


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
