"""The same directory twice: as the mount shows it, and as the server has it."""

import hashlib
import os
import random
import shutil
import stat
import subprocess
from pathlib import Path

import pytest


class Pair:
    """A fresh directory of the share, as the mount shows it and as the server has it."""

    def __init__(self, mount, path, server):
        self.mount = mount
        self.path = path
        self.server = server

    def __truediv__(self, name):
        return self.path / name


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
