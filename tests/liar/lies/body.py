"""Lies in the body of a reply."""

import struct

from ..wire import Cmd, Status, error_body, patch
from .base import Lie


class ReadTooLong(Lie):
    """Returns more bytes than were asked for."""

    def bend(self, request, reply):
        asked, = struct.unpack_from('<I', request.body, 4)
        data = reply.body[16:].ljust(asked + 8, b'x')
        reply.body = patch(reply.body[:16], 4, 'I', len(data)) + data


class ReadOffsetInHeader(Lie):
    """Points to data inside of the header."""

    def bend(self, request, reply):
        reply.body = patch(reply.body, 2, 'B', 16)


class ReadOffsetOutside(Lie):
    """Points to data that ends one byte behind the message."""

    def bend(self, request, reply):
        reply.body = patch(reply.body, 2, 'B', 81)


class ReadLengthOutside(Lie):
    """Announces more data than the message holds."""

    def bend(self, request, reply):
        reply.body = patch(reply.body, 4, 'I', 0xFFFFFFB0)


class ReadCut(Lie):
    """Ends the reply inside of its fixed part."""

    def bend(self, request, reply):
        reply.body = reply.body[:8]


class ErrorTooLong(Lie):
    """Fails with 4 GiB of error data announced."""

    def bend(self, request, reply):
        reply.status, reply.body = Status.ACCESS_DENIED, error_body(0xFFFFFFFF)


class WriteTooMuch(Lie):
    """Claims to have written more than it was given."""

    at = (Cmd.WRITE,)

    def bend(self, request, reply):
        reply.body = patch(reply.body, 4, 'I', struct.unpack_from('<I', request.body, 4)[0] + 1)


class WriteLess(Lie):
    """Claims to have written one byte less than it did, down to nothing."""

    at = (Cmd.WRITE,)

    def bend(self, request, reply):
        reply.body = patch(reply.body, 4, 'I', struct.unpack_from('<I', request.body, 4)[0] - 1)


class WriteNothing(Lie):
    """Claims success and that nothing was written."""

    at = (Cmd.WRITE,)

    def bend(self, request, reply):
        reply.body = patch(reply.body, 4, 'I', 0)


class SizeNegative(Lie):
    """Gives files a size that no signed number holds."""

    at = (Cmd.CREATE, Cmd.QUERY_INFO)

    def bend(self, request, reply):
        size, attributes = (48, 56) if reply.command == Cmd.CREATE else (56, 40)
        if len(reply.body) > 64 and not reply.body[attributes] & 0x10:      # no directory
            reply.body = patch(reply.body, size, 'Q', 0xFFFFFFFFFFFFF000)


class CreateContextsOutside(Lie):
    """Points to create contexts behind the end of the message."""

    at = (Cmd.CREATE,)

    def bend(self, request, reply):
        reply.body = patch(reply.body, 80, 'II', 0xFFFFFFF8, 0x20)


class InfoTooShort(Lie):
    """Returns file information shorter than its fixed part."""

    at = (Cmd.QUERY_INFO,)

    def bend(self, request, reply):
        reply.body = patch(reply.body[:16], 4, 'I', 8)


class InfoOutside(Lie):
    """Points to file information behind the end of the message."""

    at = (Cmd.QUERY_INFO,)

    def bend(self, request, reply):
        reply.body = patch(reply.body, 2, 'H', 0xFFF0)


class _Tree(Lie):
    at = (Cmd.TREE_CONNECT,)
    kind = 0

    def bend(self, request, reply):
        reply.body = patch(reply.body, 2, 'B', self.kind)


class TreeTypeUnknown(_Tree):
    """Connects to a share of a type that does not exist."""

    kind = 7


class TreePrinter(_Tree):
    """Connects to a printer where a disk was asked for."""

    kind = 3
