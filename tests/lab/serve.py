#!/usr/bin/env python3
"""The laboratory for a shell: servers that run until a signal, and questions to a recording."""

import argparse
import signal
import sys
from pathlib import Path

from capture import Capture, search
from lab import HOST, SHARE, Kdc, LabError, Smbd


def serve(directory, capture):
    """Run one KDC and one smbd, describe them in DIRECTORY/env for a shell, wait for a signal."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    signal.signal(signal.SIGINT, lambda *_: sys.exit(0))
    with Kdc() as kdc, Smbd(kdc) as smbd:
        wire = Capture(smbd.port, path=directory / "wire.pcap") if capture else None
        try:
            ccache = kdc.kinit("alice", keytab=kdc.user_keytab)
            values = {"KRB5_CONFIG": kdc.krb5_conf, "KRB5CCNAME": ccache, "LAB_HOST": HOST,
                      "LAB_SHARE": SHARE, "LAB_PORT": smbd.port, "LAB_FILES": smbd.share}
            partial = directory / "env.new"
            partial.write_text("".join(f"export {k}='{v}'\n" for k, v in values.items()))
            partial.rename(directory / "env")
            while True:
                signal.pause()
        finally:
            if wire is not None:
                wire.stop()


def main():
    parser = argparse.ArgumentParser(description="Throw-away Samba server and KDC on 127.0.0.1.")
    commands = parser.add_subparsers(dest="command", required=True)
    up = commands.add_parser("serve", help="run until SIGTERM; DIR/env appears when ready")
    up.add_argument("dir", type=Path)
    up.add_argument("--capture", action="store_true", help="record the wire in DIR/wire.pcap")
    find = commands.add_parser("search", help="exit 0 if none of the texts is in the recording")
    find.add_argument("pcap", type=Path)
    find.add_argument("port", type=int)
    find.add_argument("text", nargs="+")
    args = parser.parse_args()
    try:
        if args.command == "serve":
            serve(args.dir, args.capture)
        else:
            clear, sealed, seen = search(args.pcap, args.port, args.text)
            print(f"{clear} readable messages (negotiation and log-on), {sealed} sealed ones")
            if sealed == 0:
                sys.exit("nothing sealed was recorded, so this proves nothing")
            if seen:
                sys.exit("visible on the wire: " + ", ".join(seen))
            print("not in any of them: " + ", ".join(map(repr, args.text)))
    except LabError as error:
        sys.exit(f"lab: {error}")


if __name__ == "__main__":
    main()
