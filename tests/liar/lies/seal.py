"""Lies about the seal, or the signature, and the frame around it."""

import struct

from ..wire import FLAG_SIGNED, PROTO_COMPRESSED, PROTO_SMB1, frame, join, patch
from .base import Lie


class BadTag(Lie):
    """Spoils the authentication tag."""

    def seal(self, session, plain):
        sealed = super().seal(session, plain)
        return patch(sealed, 4, 'B', sealed[4] ^ 1)


class BadCiphertext(Lie):
    """Flips a bit of the ciphertext."""

    def seal(self, session, plain):
        sealed = super().seal(session, plain)
        return patch(sealed, len(sealed) - 1, 'B', sealed[-1] ^ 0x80)


class ClearReply(Lie):
    """Answers a sealed request in clear."""

    def outgoing(self, session, replies):
        yield frame(join(replies))


class SignedReply(Lie):
    """Answers a sealed request in clear with a valid signature."""

    def outgoing(self, session, replies):
        yield frame(session.signer.sign(join(replies)))


class UnsignedReply(Lie):
    """Answers a signed request without a signature."""

    sealed = False

    def seal(self, session, plain):
        return plain


class BadSignature(Lie):
    """Spoils the signature of a reply."""

    sealed = False

    def seal(self, session, plain):
        signed = super().seal(session, plain)
        return patch(signed, 48, 'B', signed[48] ^ 1)


class WrongSigner(Lie):
    """Signs a reply as if the client had sent it."""

    sealed = False

    def seal(self, session, plain):
        plain = patch(plain, 16, 'B', plain[16] | FLAG_SIGNED)
        return patch(plain, 48, '16s', session.signer.mac(plain, 0))


class WrongOuterSession(Lie):
    """Puts another session id into the transform header."""

    def seal(self, session, plain):
        return session.sealer.seal(plain, session=session.number + 1)


class WrongInnerSession(Lie):
    """Puts another session id into the sealed header."""

    def plain(self, plain):
        return patch(plain, 40, 'B', plain[40] ^ 1)


class TransformFlagsZero(Lie):
    """Clears the Encrypted flag of the transform header."""

    def seal(self, session, plain):
        return session.sealer.seal(plain, flags=0)


class OriginalSizeBigger(Lie):
    """Announces more sealed bytes than there are."""

    def seal(self, session, plain):
        return session.sealer.seal(plain, size=len(plain) + 8)


class OriginalSizeSmaller(Lie):
    """Announces fewer sealed bytes than there are."""

    def seal(self, session, plain):
        return session.sealer.seal(plain, size=len(plain) - 8)


class CutTransform(Lie):
    """Ends the message inside of its transform header."""

    def seal(self, session, plain):
        return super().seal(session, plain)[:40]


class SealedNothing(Lie):
    """Seals no message at all."""

    def plain(self, plain):
        return b''


class SealedTwice(Lie):
    """Seals a sealed message."""

    def seal(self, session, plain):
        return super().seal(session, super().seal(session, plain))


class SealedOldProtocol(Lie):
    """Seals an SMB 1 message."""

    def plain(self, plain):
        return PROTO_SMB1 + plain[4:]


class SealedCompressed(Lie):
    """Seals a compressed message although compression was not negotiated."""

    def plain(self, plain):
        return PROTO_COMPRESSED + struct.pack('<IHHI', len(plain), 1, 0, 0) + plain


class SealedCutHeader(Lie):
    """Seals half of a header."""

    def plain(self, plain):
        return plain[:32]


class ClearTail(Lie):
    """Puts a clear message behind the sealed one, in the same frame."""

    def outgoing(self, session, replies):
        plain = join(replies)
        yield frame(session.sealer.seal(plain) + plain)


class FrameTooLong(Lie):
    """Announces a frame of 16 MiB and sends its beginning."""

    def outgoing(self, session, replies):
        yield frame(session.sealer.seal(join(replies)), length=0xFFFFFF)


class FrameEmpty(Lie):
    """Sends a frame without a message."""

    def outgoing(self, session, replies):
        yield frame(b'')


class FrameFirstByte(Lie):
    """Starts a frame with a byte that is not zero."""

    def outgoing(self, session, replies):
        yield frame(session.sealer.seal(join(replies)), first=0x85)


class HalfFrame(Lie):
    """Ends the connection in the middle of a frame."""

    def outgoing(self, session, replies):
        whole = b''.join(super().outgoing(session, replies))
        yield whole[:len(whole) // 2]
        raise ConnectionError
