"""Lies about what a directory holds."""

import struct

from ..wire import Cmd, Status, patch, utf16
from .base import Lie


class _Name(Lie):
    """Adds a hostile name to every directory."""

    name = b''

    def entries(self, entries):
        return entries + [(self.name, entries[0][1])]


class NameClimbs(_Name):
    """Lists a name that leads out of the directory."""

    name = utf16('../evil')


class NameSlash(_Name):
    """Lists a name with a slash."""

    name = utf16('evil/b')


class NameBackslash(_Name):
    """Lists a name with a backslash."""

    name = utf16('..\\evil')


class NameNul(_Name):
    """Lists a name with a NUL."""

    name = utf16('evil\0b')


class NameOdd(_Name):
    """Lists a name of an odd number of bytes."""

    name = utf16('evil') + b'x'


class NameSurrogate(_Name):
    """Lists a name with half of a surrogate pair."""

    name = utf16('evil') + b'\x00\xd8'


class NameEmpty(_Name):
    """Lists an empty name."""


class NameTooLong(_Name):
    """Lists a name of 400 units."""

    name = utf16('evil' * 100)


class NameDots(Lie):
    """Lists the directory and its parent twice more."""

    def entries(self, entries):
        return entries + entries[:2]


class _Page(Lie):
    """Bends a directory page; the first entry starts at offset 8 of the body."""

    at = (Cmd.QUERY_DIRECTORY,)
    next = None

    def bend(self, request, reply):
        reply.body = patch(reply.body, 8, 'I', self.next)


class EntryBackwards(_Page):
    """Points the first directory entry to one before it, by way of an overflow."""

    next = 0xFFFFFFF8


class EntryOutside(_Page):
    """Points the first directory entry behind the end of the page."""

    next = 0x100000


class EntryIntoItself(_Page):
    """Points the first directory entry into itself."""

    next = 8


class EntryUnaligned(_Page):
    """Points the first directory entry to an odd place."""

    next = 83


class EntryLoop(_Page):
    """Points the second directory entry back to the first."""

    def bend(self, request, reply):
        first, = struct.unpack_from('<I', reply.body, 8)
        reply.body = patch(reply.body, 8 + first, 'I', (1 << 32) - first)


class EntryNameOutside(_Page):
    """Gives the first directory entry a name that ends behind the page."""

    def bend(self, request, reply):
        reply.body = patch(reply.body, 8 + 60, 'I', 0xFFFFFF00)


class EntryNameIntoNext(_Page):
    """Gives the first directory entry a name that ends in the next entry."""

    def bend(self, request, reply):
        reply.body = patch(reply.body, 8 + 60, 'I', 64)


class EntryCut(_Page):
    """Ends the page inside of its first entry."""

    def bend(self, request, reply):
        reply.body = patch(reply.body[:8 + 32], 4, 'II', 32, 0)


class PageTooLong(_Page):
    """Returns a longer page than was asked for."""

    def bend(self, request, reply):
        asked, = struct.unpack_from('<I', request.body, 28)
        reply.body = patch(reply.body.ljust(8 + asked + 8, b'\0'), 4, 'I', asked + 8)


class PagesEmpty(_Page):
    """Returns empty pages for ever."""

    def reply(self, request, reply):
        if reply.command == Cmd.QUERY_DIRECTORY:
            reply.status, reply.body = Status.SUCCESS, struct.pack('<HHI', 9, 72, 0)
