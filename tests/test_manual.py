"""The manual says what the program does: every option, every code."""

import os
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def page(name):
    """The text of a page as it is read."""
    done = subprocess.run(["man", "-l", "--no-hyphenation", "--no-justification", "--warnings",
                           ROOT / "contrib/man" / name],
                          env={**os.environ, "MANWIDTH": "200", "LC_ALL": "C.UTF-8"},
                          capture_output=True, text=True, timeout=60, check=True)
    assert done.stderr == ""
    return done.stdout


def test_manual_explains_every_code():
    source = "".join(f.read_text() for d in ("proto", "auth", "fs") for f in (ROOT / d).glob("*.c"))
    used = set(re.findall(r'diag_set\([^"]*?"([a-z0-9.-]+)"', source))
    families = {code.partition(".")[0] for code in used if "." in code}
    # Codes that travel through a variable first.
    used |= {c for c in re.findall(r'"([a-z-]+\.[a-z0-9-]+)"', source)
             if c.partition(".")[0] in families and not c.endswith(".h")}
    manual = (ROOT / "contrib/man/mount.smbsecure.8").read_text().replace("\\-", "-")
    explained = set(re.findall(r"^\.TP\n\.B ([a-z]+(?:\.[a-z0-9-]+)?)$",
                               manual.partition(".SH DIAGNOSTICS")[2], re.MULTILINE))
    assert len(used) > 40
    assert used == explained


def test_manual_names_every_option(client):
    words = set()
    done = subprocess.run([client.fs / "mount.smbsecure", "-h"], env=client.env, capture_output=True,
                          text=True, timeout=60, check=True)
    for line in done.stdout.partition("Options:\n")[2].splitlines():
        if line.startswith("  "):
            words |= {w.partition("=")[0] for w in line.split()}
    assert len(words) > 150
    manual = (ROOT / "contrib/man/mount.smbsecure.8").read_text().replace("\\-", "-")
    text = manual.partition(".SH OPTIONS")[2].partition(".SH PROMISES")[0]
    text = re.sub(r"\\f.", " ", text)
    missing = [w for w in sorted(words) if not re.search(rf"(?<![\w-]){re.escape(w)}(?![\w-])", text)]
    assert not missing


@pytest.mark.parametrize("name", ["mount.smbsecure.8", "smbsecure.1", "smbsecure.conf.5"])
def test_manual_is_well_formed(name):
    text = page(name)
    for section in ("NAME", "SYNOPSIS" if name != "smbsecure.conf.5" else "DESCRIPTION", "SEE ALSO"):
        assert section in text
