"""python3 -m liar --port P --keytab FILE --share DIR [--lie NAME | --quirk NAME]"""

import argparse
import os

from .crypto import CIPHER_NAMES, CIPHERS, GMAC_ID, CMAC_ID, SIGNING_NAMES
from .lies import LIES
from .quirks import QUIRKS
from .server import Server, Truth
from .wire import Cmd


def main():
    p = argparse.ArgumentParser(prog='liar', description='An SMB 3.1.1 server that tells at most '
                                'one lie.')
    p.add_argument('--port', type=int)
    p.add_argument('--keytab')
    p.add_argument('--share', metavar='DIR')
    p.add_argument('--cipher', choices=CIPHER_NAMES, help='the only cipher to agree to')
    p.add_argument('--signing', choices=SIGNING_NAMES, help='the only signing algorithm')
    p.add_argument('--signed', action='store_true', help='ask for signatures, not for encryption')
    how = p.add_mutually_exclusive_group()
    how.add_argument('--lie', choices=LIES, metavar='NAME')
    how.add_argument('--quirk', choices=QUIRKS, metavar='NAME')
    p.add_argument('--at', metavar='COMMAND', type=lambda name: Cmd[name.upper()],
                   help='the command whose replies the lie is told in')
    p.add_argument('--list', action='store_true', help='list lies and quirks')
    args = p.parse_args()
    if args.list:
        for name, made in (LIES | QUIRKS).items():
            print(f'{name:28} {made.__doc__}')
        return
    if None in (args.port, args.keytab, args.share):
        p.error('--port, --keytab and --share are needed')
    behaviour = LIES[args.lie]() if args.lie else QUIRKS[args.quirk]() if args.quirk else Truth()
    behaviour.sealed &= not args.signed
    if args.at is not None:
        behaviour.at = (args.at,)
    os.environ['KRB5RCACHENAME'] = 'none:'      # a test may well repeat itself within a second
    ciphers = [CIPHER_NAMES[args.cipher]] if args.cipher else list(CIPHERS)
    signings = [SIGNING_NAMES[args.signing]] if args.signing else [GMAC_ID, CMAC_ID]
    server = Server(args.port, args.keytab, args.share, ciphers, signings, behaviour)
    print('READY', flush=True)
    server.serve()


main()
