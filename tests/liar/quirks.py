"""Habits of honest servers that a client has to live with, by their names on the command line."""

import struct

from . import crypto, spnego
from .lies.base import command_line_name, interim
from .server import Truth
from .wire import CTX_SIGNING, Cmd, frame, pad8

QUIRKS = {}


class Quirk(Truth):
    at = ()

    def __init_subclass__(cls):
        QUIRKS[command_line_name(cls)] = cls


class OneByteLonger(Quirk):
    """Sends the byte with which the fixed part of most replies ends, although it is unused."""

    def reply(self, request, reply):
        if reply.body[0] & 1:           # StructureSize counts one byte of the buffer
            reply.body += b'\0'


class PaddedCompound(Quirk):
    """Pads the last reply of a compound to 8 bytes, too."""

    def plain(self, plain):
        compound = struct.unpack_from('<I', plain, 20)[0] != 0
        return pad8(plain) if compound else plain


class StrayAfterWrite(Quirk):
    """Sends 3 stray bytes behind the reply to WRITE."""

    at = (Cmd.WRITE,)

    def plain(self, plain):
        return plain + bytes(3)


class ShortErrors(Quirk):
    """Leaves out the unused byte of error data at the end of an error response."""

    def reply(self, request, reply):
        if reply.status & 0xC0000000 == 0xC0000000:
            reply.body = reply.body[:8]


class EmptySecurityBuffer(Quirk):
    """Names no mechanisms in NEGOTIATE."""

    def negotiate(self, conn, answer):
        answer.blob = b''


class SeparateFrames(Quirk):
    """Answers each request of a compound in a frame of its own."""

    def outgoing(self, session, replies):
        for reply in replies:
            yield from super().outgoing(session, [reply])


class InterimAlways(Quirk):
    """Sends STATUS_PENDING before every reply; TREE_CONNECT needs the field the AsyncId takes."""

    at = tuple(set(Cmd) - {Cmd.TREE_CONNECT})

    def outgoing(self, session, replies):
        pending = interim(replies[-1], replies[-1].mid).encode()
        # Never signed: its signature and that of the final reply would share a GMAC nonce.
        yield frame(self.seal(session, pending) if self.sealed else pending)
        yield from super().outgoing(session, replies)


class TwoLegs(Quirk):
    """Wants a mechListMIC, which makes the authentication one round trip longer."""

    acceptor = spnego.TwoLegAcceptor


class NoEncryptFlag(Quirk):
    """Does not ask for encryption itself."""

    def setup(self, conn, answer):
        answer.flags = 0


class NoSigningContext(Quirk):
    """Does not know the signing context, which means AES-CMAC."""

    def negotiate(self, conn, answer):
        conn.signing = crypto.CMAC_ID
        answer.contexts = [c for c in answer.contexts if c[0] != CTX_SIGNING]


class UnknownContext(Quirk):
    """Adds a negotiate context nobody knows."""

    def negotiate(self, conn, answer):
        answer.contexts.insert(0, (0x7777, b'?' * 5))


class OldEncryptionBit(Quirk):
    """Sets the encryption capability, which has no meaning in 3.1.1."""

    def negotiate(self, conn, answer):
        answer.capabilities |= 0x40


class FewCredits(Quirk):
    """Never lets the client have more than 32 credits, which is two requests of 1 MiB."""

    credits = 32


class SmallestSizes(Quirk):
    """Takes requests of 64 KiB at most."""

    def negotiate(self, conn, answer):
        answer.sizes = (65536, 65536, 65536)
