"""Programs at work in the mount, and a model of them: the result must be that of a local directory."""

import errno
import os
import random
import sqlite3
import stat
from pathlib import Path

import pytest
from lab import wait_for
from pair import make_pair, run, tree_of


@pytest.mark.parametrize("options", ["", "actimeo=0,rsize=65536,wsize=65536"])
def test_random_operations_against_a_model(mount, smbd, tmp_path, options):
    pair = make_pair(mount(options), smbd, f"model{options}")
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

    def has_open_files(self, name):
        """The server does not move a directory below which files are open."""
        paths = [Path(os.readlink(f"/proc/self/fd/{fd}")) for fd, _ in self.fds]
        directory = self.roots[0] / name
        return directory.is_dir() and any(p.is_relative_to(directory) for p in paths)

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
            if self.has_open_files(old):
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
            rows = [(f"row {i}.{k}",) for k in range(50)]
            db.executemany("INSERT INTO t (text) VALUES (?)", rows)
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
