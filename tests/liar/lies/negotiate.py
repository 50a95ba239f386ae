"""Lies in the answer to NEGOTIATE."""

import struct

from ..wire import (CTX_ENCRYPTION, CTX_PREAUTH, CTX_SIGNING, PROTO_SMB1, frame, id_context, patch,
                    preauth_context)
from .base import Lie


class _Context(Lie):
    """Replaces the negotiate context of one type by others."""

    kind = None

    def negotiate(self, conn, answer):
        answer.contexts = [c for c in answer.contexts if c[0] != self.kind] + self.contexts(answer)

    def contexts(self, answer):
        return []


class CipherWeakest(_Context):
    """Picks AES-128-CCM, whatever better was offered."""

    kind = CTX_ENCRYPTION

    def negotiate(self, conn, answer):
        conn.cipher = 1
        super().negotiate(conn, answer)

    def contexts(self, answer):
        return [id_context(CTX_ENCRYPTION, 1)]


class CipherNone(_Context):
    """Says that there is no common cipher."""

    kind = CTX_ENCRYPTION

    def contexts(self, answer):
        return [id_context(CTX_ENCRYPTION, 0)]


class CipherNotOffered(_Context):
    """Picks a cipher nobody offered."""

    kind = CTX_ENCRYPTION

    def contexts(self, answer):
        return [id_context(CTX_ENCRYPTION, 5)]


class CipherTwo(_Context):
    """Picks two ciphers in one context."""

    kind = CTX_ENCRYPTION

    def contexts(self, answer):
        return [id_context(CTX_ENCRYPTION, 4, 2)]


class NoEncryption(_Context):
    """Answers without an encryption context."""

    kind = CTX_ENCRYPTION


class TwoEncryptions(_Context):
    """Answers with two encryption contexts."""

    kind = CTX_ENCRYPTION

    def contexts(self, answer):
        return [id_context(CTX_ENCRYPTION, 4), id_context(CTX_ENCRYPTION, 2)]


class NoPreauth(_Context):
    """Answers without a pre-authentication context."""

    kind = CTX_PREAUTH


class TwoPreauths(_Context):
    """Answers with two pre-authentication contexts."""

    kind = CTX_PREAUTH

    def contexts(self, answer):
        return [preauth_context(bytes(32)), preauth_context(bytes(32))]


class PreauthHashUnknown(_Context):
    """Picks a pre-authentication hash that is not SHA-512."""

    kind = CTX_PREAUTH

    def contexts(self, answer):
        return [preauth_context(bytes(32), hashes=(2,))]


class PreauthTwoHashes(_Context):
    """Picks two pre-authentication hashes."""

    kind = CTX_PREAUTH

    def contexts(self, answer):
        return [preauth_context(bytes(32), hashes=(1, 1))]


class PreauthSaltOutside(_Context):
    """Announces a salt longer than its context."""

    kind = CTX_PREAUTH

    def contexts(self, answer):
        return [preauth_context(bytes(32), salt_length=0x8000)]


class SigningNotOffered(_Context):
    """Picks a signing algorithm nobody offered."""

    kind = CTX_SIGNING

    def contexts(self, answer):
        return [id_context(CTX_SIGNING, 7)]


class TwoSignings(_Context):
    """Answers with two signing contexts."""

    kind = CTX_SIGNING

    def contexts(self, answer):
        return [id_context(CTX_SIGNING, 2), id_context(CTX_SIGNING, 1)]


class _Dialect(Lie):
    dialect = 0

    def negotiate(self, conn, answer):
        answer.dialect = self.dialect


class Dialect0302(_Dialect):
    """Agrees to SMB 3.0.2, which nobody offered."""

    dialect = 0x0302


class Dialect0210(_Dialect):
    """Agrees to SMB 2.1, which nobody offered."""

    dialect = 0x0210


class DialectWildcard(_Dialect):
    """Answers with the wildcard dialect of the multi-protocol negotiation."""

    dialect = 0x02FF


class OldProtocol(Lie):
    """Answers NEGOTIATE in SMB 1."""

    def negotiate_message(self, message):
        return PROTO_SMB1 + b'r' + bytes(31) + b'\0\0\0'


class SmallSizes(Lie):
    """Claims to read and write no more than 4 KiB at a time."""

    def negotiate(self, conn, answer):
        answer.sizes = (4096, 4096, 4096)


class ContextCountTooBig(Lie):
    """Announces more negotiate contexts than the message holds."""

    def negotiate(self, conn, answer):
        answer.count = 0xFFFF


class ContextTooLong(Lie):
    """Gives the first negotiate context a length beyond the message."""

    def negotiate_message(self, message):
        where, = struct.unpack_from('<I', message, 64 + 60)
        return patch(message, where + 2, 'H', 0xFFF0)


class ContextsOutside(Lie):
    """Points to negotiate contexts behind the end of the message."""

    def negotiate_message(self, message):
        return patch(message, 64 + 60, 'I', 0xFFFFFFF8)


class SecurityBufferOutside(Lie):
    """Points to a security buffer behind the end of the NEGOTIATE answer."""

    def negotiate_message(self, message):
        return patch(message, 64 + 56, 'HH', 0xFFF0, 0x20)


class NegotiateTampered(Lie):
    """Flips a bit of the server's GUID in transit, which only the preauth hash notices."""

    def negotiate_frames(self, message):
        yield frame(patch(message, 64 + 8, 'B', message[64 + 8] ^ 1))


class CipherTampered(Lie):
    """Changes the cipher to AES-128-CCM in transit, as somebody in the middle would."""

    def negotiate_frames(self, message):
        honest = struct.pack('<HHIHH', CTX_ENCRYPTION, 4, 0, 1, 4)
        yield frame(message.replace(honest, honest[:-2] + b'\1\0'))


class NegotiateTwice(Lie):
    """Answers NEGOTIATE twice."""

    def negotiate_frames(self, message):
        yield frame(message) * 2
