"""Pre-authentication hash, key derivation, signing and sealing ([MS-SMB2] 3.1.4, 2.2.41)."""

import hashlib
import hmac
import struct

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESCCM, AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.cmac import CMAC

from .wire import FLAG_SIGNED, PROTO_TRANSFORM, Cmd, Violation, patch, spans

# id: (AEAD, key bytes, nonce bytes), the server's preference first
CIPHERS = {4: (AESGCM, 32, 12), 2: (AESGCM, 16, 12), 3: (AESCCM, 32, 11), 1: (AESCCM, 16, 11)}
CIPHER_NAMES = {'aes-256-gcm': 4, 'aes-128-gcm': 2, 'aes-256-ccm': 3, 'aes-128-ccm': 1}
CMAC_ID, GMAC_ID = 1, 2
SIGNING_NAMES = {'gmac': GMAC_ID, 'cmac': CMAC_ID}


def chain_hash(digest, message):
    return hashlib.sha512(digest + message).digest()


def derive(key, label, context, bits):
    """SP800-108 in counter mode; one block of HMAC-SHA256 is all SMB ever needs."""
    data = struct.pack('>I', 1) + label + b'\0\0' + context + struct.pack('>I', bits)
    return hmac.digest(key, data, 'sha256')[:bits // 8]


class Signer:
    def __init__(self, session_key, context, algorithm):
        self.key = derive(session_key[:16].ljust(16, b'\0'), b'SMBSigningKey', context, 128)
        self.algorithm = algorithm

    def mac(self, message, sender):
        """Of a message with its signature zeroed; `sender` is 1 for the server, 2 for a CANCEL."""
        if self.algorithm == GMAC_ID:
            nonce = message[24:32] + bytes([sender, 0, 0, 0])   # the message id first
            return AESGCM(self.key).encrypt(nonce, b'', message)
        mac = CMAC(AES(self.key))
        mac.update(message)
        return mac.finalize()

    def sign(self, message):
        """A reply with SIGNED set and its signature filled in."""
        flags, = struct.unpack_from('<I', message, 16)
        message = patch(message, 16, 'I', flags | FLAG_SIGNED)
        return patch(message, 48, '16s', self.mac(message, 1))

    def sign_each(self, message):
        """A compound, each element signed over its own span."""
        return b''.join(map(self.sign, spans(message)))

    def check(self, message):
        for span in spans(message):
            command, flags = struct.unpack_from('<H2xI', span, 12)
            if not flags & FLAG_SIGNED:
                raise Violation('unsigned request')
            bare = patch(span, 48, '16s', bytes(16))
            if not hmac.compare_digest(self.mac(bare, 2 if command == Cmd.CANCEL else 0),
                                       span[48:64]):
                raise Violation('request with a wrong signature')


class Sealer:
    """Both directions of a sealed session, seen from the server."""

    def __init__(self, session, session_key, context, cipher):
        aead, size, self.nonce_len = CIPHERS[cipher]
        key = session_key if size == 32 else session_key[:16].ljust(16, b'\0')
        self.session = session
        self.out = aead(derive(key, b'SMBS2CCipherKey', context, size * 8))
        self.into = aead(derive(key, b'SMBC2SCipherKey', context, size * 8))
        self.sent = 0
        self.seen = set()

    def seal(self, plain, session=None, flags=1, size=None):
        """plain behind a transform header; the named fields are there for lies to change."""
        self.sent += 1
        nonce = self.sent.to_bytes(self.nonce_len, 'little')
        head = struct.pack('<16sIHHQ', nonce, len(plain) if size is None else size, 0, flags,
                           self.session if session is None else session)
        sealed = self.out.encrypt(nonce, plain, head)
        return b''.join((PROTO_TRANSFORM, sealed[-16:], head, memoryview(sealed)[:-16]))

    def open(self, message):
        nonce = message[20:20 + self.nonce_len]
        size, _, flags, session = struct.unpack_from('<IHHQ', message, 36)
        if flags != 1 or session != self.session or size != len(message) - 52:
            raise Violation('transform header does not fit its message')
        if nonce in self.seen:
            raise Violation('nonce used twice')
        self.seen.add(nonce)
        try:
            return self.into.decrypt(nonce, message[52:] + message[4:20], message[20:52])
        except InvalidTag:
            raise Violation('request fails authentication') from None
