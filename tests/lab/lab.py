"""Throw-away servers for the tests and for contrib/try: a real MIT KDC and a real smbd.

Each instance lives in a directory of its own under the temporary directory, listens on a free port of
127.0.0.1, needs nothing from /etc and is gone, files and processes, after stop().  Any number of them
can run at the same time, as root or as a plain user (then everybody maps to that user).
"""

import getpass
import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

REALM = "EXAMPLE.TEST"
WORKGROUP = "EXAMPLE"
HOST = "srv.example.test"
ALIAS = "alias.example.test"
ADDRESS = "127.0.0.1"
SHARE = "share"
NTLM_PASSWORD = "Ntlm-Passw0rd"

# name -> (password, further arguments of kadmin's addprinc)
PRINCIPALS = {
    "alice": ("Al1ce-Passw0rd", ()),
    "bob": ("B0b-Passw0rd", ()),
    "short": ("Sh0rt-Passw0rd", ("-maxlife", "15 seconds")),
    "expired": ("Exp1red-Passw0rd", ("-pwexpire", "2001-01-01")),
    "locked": ("L0cked-Passw0rd", ("-allow_tix",)),
}


class LabError(Exception):
    """A part of the laboratory does not work; the text says which and what its log says."""


def wait_for(condition, what, seconds=20.0):
    """Poll until condition() is true and return its value; LabError names `what` at the deadline."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise LabError(f"{what}: not within {seconds:.0f} s")
        time.sleep(0.01)


def free_port():
    """A port nobody listens on, below the range from which the kernel serves everybody else."""
    for port in random.sample(range(10000, 32000), 200):
        with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
            try:
                tcp.bind((ADDRESS, port))
                udp.bind((ADDRESS, port))
                return port
            except OSError:
                continue
    raise LabError("no free port on 127.0.0.1")


def run(argv, env=None, stdin=""):
    """Run a tool of the laboratory to its end; returns what it printed, LabError if it failed."""
    done = subprocess.run([str(a) for a in argv], input=stdin, text=True, env=env, timeout=60,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    if done.returncode != 0:
        raise LabError(f"{' '.join(map(str, argv))}: exit {done.returncode}\n{done.stdout}")
    return done.stdout


def tool(name):
    """Servers live in sbin, which a plain user's PATH often lacks."""
    path = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/local/sbin:/usr/sbin:/sbin")
    if path is None:
        raise LabError(f"{name} is not installed (tests/lab/packages lists what is needed)")
    return path


def faked(clock):
    """Environment under which a program sees the time moved by e.g. "+3600s"."""
    found = sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))
    if not found:
        raise LabError("libfaketime is not installed")
    return {"LD_PRELOAD": str(found[0]), "FAKETIME": clock, "FAKETIME_DONT_FAKE_MONOTONIC": "1"}


class Daemon:
    """One server process and its children; listens on self.port once start() has returned."""

    def __init__(self, name):
        self.name = name
        self.dir = Path(tempfile.mkdtemp(prefix=f"lab-{name}-"))
        self.dir.chmod(0o755)
        self.port = free_port()
        self.output = self.dir / "output"
        self.process = None

    def launch(self, argv, env=None, own_session=True):
        """The process dies with us even when we are killed, as far as the kernel can arrange it."""
        with open(self.output, "ab") as out:
            self.process = subprocess.Popen(
                [tool("setpriv"), "--pdeathsig", "TERM", *map(str, argv)], stdin=subprocess.DEVNULL,
                stdout=out, stderr=out, env=env, cwd="/", start_new_session=own_session)
        try:
            wait_for(self._listens, f"{self.name} on port {self.port}")
        except LabError as error:
            self._kill()
            raise LabError(f"{error}\n{self.log()}") from None

    def _listens(self):
        if self.process.poll() is not None:
            raise LabError(f"{self.name} ended at once with {self.process.returncode}")
        with socket.socket() as s:
            return s.connect_ex((ADDRESS, self.port)) == 0

    def _kill(self):
        if self.process is None:
            return
        group = self.process.pid
        self.process.terminate()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        try:
            os.killpg(group, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process = None

    def log(self):
        """Everything the server wrote so far."""
        return self.output.read_text(errors="replace") if self.output.exists() else ""

    def stop(self):
        self._kill()
        shutil.rmtree(self.dir, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.stop()


class Kdc(Daemon):
    """A KDC for EXAMPLE.TEST with the users of PRINCIPALS and the services cifs/HOST, cifs/ALIAS."""

    def __init__(self):
        super().__init__("kdc")
        self.krb5_conf = self.dir / "krb5.conf"
        self.keytab = self.dir / "smb.keytab"
        self.user_keytab = self.dir / "alice.keytab"
        self._next_cache = 0
        try:
            self._configure()
            self._populate()
            self.start()
        except BaseException:
            self.stop()
            raise

    def _configure(self):
        # The name settings are the unsafe ones on purpose: a client that lets DNS choose the service
        # principal has to fail here, not at a user's site.
        self.krb5_conf.write_text(f"""\
[libdefaults]
	default_realm = {REALM}
	dns_lookup_realm = false
	dns_lookup_kdc = false
	dns_canonicalize_hostname = true
	rdns = true
	default_ccache_name = FILE:{self.dir}/no-ticket
	default_keytab_name = FILE:{self.dir}/no-keytab
[realms]
	{REALM} = {{
		kdc = {ADDRESS}:{self.port}
	}}
[domain_realm]
	.example.test = {REALM}
""")
        # A standalone smbd refuses tickets with a PAC, which krb5 1.20 issues unless told not to.
        (self.dir / "kdc.conf").write_text(f"""\
[kdcdefaults]
	kdc_listen = {ADDRESS}:{self.port}
	kdc_tcp_listen = {ADDRESS}:{self.port}
[realms]
	{REALM} = {{
		database_name = {self.dir}/principal
		key_stash_file = {self.dir}/stash
		acl_file = {self.dir}/acl
		supported_enctypes = aes256-cts:normal aes128-cts:normal
		max_life = 10h
		max_renewable_life = 7d
		disable_pac = true
	}}
[logging]
	kdc = FILE:{self.dir}/kdc.log
	admin_server = FILE:{self.dir}/kadmin.log
	default = FILE:{self.dir}/krb5.log
""")

    def _populate(self):
        run([tool("kdb5_util"), "create", "-s", "-r", REALM, "-P", "master"], self._server_env())
        for name, (password, options) in PRINCIPALS.items():
            self.admin("addprinc", "-pw", password, "+requires_preauth", *options, name)
        for host in (HOST, ALIAS):
            self.admin("addprinc", "-randkey", f"cifs/{host}")
            self.admin("ktadd", "-k", self.keytab, f"cifs/{host}")
        self.admin("ktadd", "-k", self.user_keytab, "-norandkey", "alice")

    def _server_env(self):
        return {**self.env(), "KRB5_KDC_PROFILE": str(self.dir / "kdc.conf")}

    def env(self, ccache=None):
        """Environment for a Kerberos client of this KDC; without `ccache` there is no ticket."""
        env = {k: v for k, v in os.environ.items() if not k.startswith("KRB5")}
        env["KRB5_CONFIG"] = str(self.krb5_conf)
        if ccache is not None:
            env["KRB5CCNAME"] = ccache
        return env

    def admin(self, *query):
        """One kadmin.local command on the live database."""
        return run([tool("kadmin.local"), "-r", REALM, *query], self._server_env())

    def start(self, clock=None):
        """Start, or restart with the clock moved by `clock` ("+3600s"); database and port stay."""
        self._kill()
        env = {**self._server_env(), **(faked(clock) if clock else {})}
        self.launch([tool("krb5kdc"), "-r", REALM, "-n", "-P", self.dir / "pid"], env)

    def log(self):
        files = [self.output, self.dir / "kdc.log"]
        return "".join(f.read_text(errors="replace") for f in files if f.exists())

    def new_ccache(self):
        """The name of a FILE: cache that does not exist yet and dies with the KDC."""
        self._next_cache += 1
        return f"FILE:{self.dir}/cc.{self._next_cache}"

    def kinit(self, name="alice", password=None, *options, keytab=None, clock=None):
        """Log on with the password of PRINCIPALS, another one, or a keytab; returns a fresh ccache."""
        ccache = self.new_ccache()
        argv = [tool("kinit"), "-c", ccache, *options]
        env = {**self.env(), **(faked(clock) if clock else {})}
        if keytab is not None:
            run([*argv, "-k", "-t", keytab, name], env)
        else:
            run([*argv, name], env, f"{password or PRINCIPALS[name][0]}\n")
        return ccache

    def kinit_expired(self, name="alice"):
        """A ccache whose ticket ended yesterday: servers honour one for five minutes after its end."""
        self.start("-2d")
        try:
            return self.kinit(name, clock="-2d")
        finally:
            self.start()


class Smbd(Daemon):
    """A standalone smbd with the share `share`; encryption required, AES-256-GCM unless told else.

    kdc            the Kdc whose service key it uses; None: it knows only NTLM
    options        [global] settings that replace or extend the defaults
    share_options  the same for [share]
    shares         further shares: name -> settings (`path` defaults to the same directory)
    clock          time offset the server sees, e.g. "+3600s"
    keytab         service keys, instead of the KDC's

    alice maps to the user who runs the laboratory (so that her files can be created), bob to nobody
    if that user is root.  NTLM log-on: alice with NTLM_PASSWORD.
    """

    def __init__(self, kdc=None, options=None, share_options=None, shares=None, clock=None,
                 keytab=None):
        super().__init__("smbd")
        self.conf = self.dir / "smb.conf"
        self.share = self.dir / SHARE
        self.url = f"//{HOST}/{SHARE}"
        try:
            self._configure(keytab or (kdc.keytab if kdc else None), options or {},
                            share_options or {}, shares or {})
            self.start(clock)
        except BaseException:
            self.stop()
            raise

    def _configure(self, keytab, options, share_options, shares):
        user = getpass.getuser()
        for name in ("state", "lock", "cache", "priv", "pid", "ncalrpc"):
            (self.dir / name).mkdir()
        self.share.mkdir()
        self.share.chmod(0o777)
        def both(name):
            """A Kerberos user is looked up as DOMAIN\\name, an NTLM user as sent."""
            return rf"{WORKGROUP}\{name} {name}"

        everyone = [p for p in PRINCIPALS if p != "bob"]
        other = "nobody" if os.geteuid() == 0 else user
        (self.dir / "usermap").write_text(
            f"!{user} = {' '.join(map(both, everyone))}\n!{other} = {both('bob')}\n")
        config = {
            "server role": "standalone server",
            "workgroup": WORKGROUP,
            "netbios name": "SRV",
            "smb ports": self.port,
            "interfaces": f"{ADDRESS}/8",
            "bind interfaces only": "yes",
            "passdb backend": f"tdbsam:{self.dir}/priv/passdb.tdb",
            "private dir": f"{self.dir}/priv",
            "state directory": f"{self.dir}/state",
            "lock directory": f"{self.dir}/lock",
            "cache directory": f"{self.dir}/cache",
            "pid directory": f"{self.dir}/pid",
            "ncalrpc dir": f"{self.dir}/ncalrpc",
            "log file": f"{self.dir}/smbd.log",
            "max log size": 0,
            "log level": "1 auth:2",
            "username map": f"{self.dir}/usermap",
            "disable netbios": "yes",
            "disable spoolss": "yes",
            "load printers": "no",
            "printcap name": "/dev/null",
            # Helpers outlive smbd in a process group of their own.
            "rpc start on demand helpers": "no",
            "server smb encrypt": "required",
            "server smb3 encryption algorithms": "AES-256-GCM",
        }
        if keytab is not None:
            config |= {"realm": REALM, "kerberos method": "dedicated keytab",
                       "dedicated keytab file": f"FILE:{keytab}"}
        share = {"path": self.share, "read only": "no"}
        sections = {"global": config | options, SHARE: share | share_options}
        sections |= {name: share | extra for name, extra in shares.items()}
        self.conf.write_text("".join(
            f"[{name}]\n" + "".join(f"\t{k} = {v}\n" for k, v in settings.items())
            for name, settings in sections.items()))
        run([tool("pdbedit"), "-s", self.conf, "-a", "-t", "-u", user],
            stdin=f"{NTLM_PASSWORD}\n{NTLM_PASSWORD}\n")

    def start(self, clock=None):
        """Start, or restart with another clock; port and files stay."""
        self._kill()
        env = {**os.environ, **(faked(clock) if clock else {})}
        # smbd makes its own session and fails when it already leads one; at its end it sends SIGTERM
        # to its process group, which must therefore not be ours.
        argv = [tool("smbd"), "-s", self.conf, "-F", f"--log-basename={self.dir}"]
        self.launch(argv, env, own_session=False)

    def log(self):
        files = [self.output, self.dir / "smbd.log"]
        return "".join(f.read_text(errors="replace") for f in files if f.exists())
