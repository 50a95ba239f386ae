"""Lies in the header of a reply, and replies nobody asked for."""

import struct

from ..wire import FLAG_REPLY, NO_ID, Cmd, Message, Status, error_body, frame, pad8, patch
from .base import Lie, interim


class StrayMessageId(Lie):
    """Answers a message that was never sent."""

    def bend(self, request, reply):
        reply.mid += 1000


class ReplyTwice(Lie):
    """Sends the same reply twice."""

    def outgoing(self, session, replies):
        yield from super().outgoing(session, replies)
        yield from super().outgoing(session, replies)


class WrongCommand(Lie):
    """Answers as if to another command."""

    def bend(self, request, reply):
        reply.command = Cmd.WRITE if reply.command != Cmd.WRITE else Cmd.READ


class NoReplyFlag(Lie):
    """Sends a header without the flag that says it is a reply."""

    def bend(self, request, reply):
        reply.flags &= ~FLAG_REPLY


class TwoPendings(Lie):
    """Sends two interim replies before the final one."""

    def outgoing(self, session, replies):
        for _ in range(2):
            yield from super().outgoing(session, [interim(replies[-1], 1)])
        yield from super().outgoing(session, replies)


class PendingInClear(Lie):
    """Sends the interim reply in clear."""

    def outgoing(self, session, replies):
        yield frame(interim(replies[-1], 1).encode())
        yield from super().outgoing(session, replies)


class AsyncIdChanges(Lie):
    """Sends the final reply under another AsyncId than the interim one."""

    def outgoing(self, session, replies):
        yield from super().outgoing(session, [interim(replies[-1], 1)])
        replies[-1].async_id = 2
        yield from super().outgoing(session, replies)


class Silence(Lie):
    """Answers nothing any more, whatever is asked."""

    told = False

    def touches(self, requests):
        self.told = self.told or super().touches(requests)
        return self.told

    def outgoing(self, session, replies):
        return ()


class Forgets(Lie):
    """Never answers one kind of request."""

    def outgoing(self, session, replies):
        return ()


class Stalls(Lie):
    """Says that the request is pending and answers nothing but its CANCEL."""

    def __init__(self):
        self.pending = {}

    def outgoing(self, session, replies):
        self.pending.update({reply.mid: replies for reply in replies})
        yield from super().outgoing(session, [interim(replies[-1], replies[-1].mid)])

    def cancel(self, session, request):
        replies = self.pending.get(request.mid, [])
        if not replies:                 # answered before, as far as we know
            return ()
        self.pending = {mid: r for mid, r in self.pending.items() if r is not replies}
        replies[-1].status, replies[-1].body = Status.CANCELLED, error_body()
        return super().outgoing(session, replies)


class NextOutside(Lie):
    """Points NextCommand behind the end of the message."""

    def plain(self, plain):
        return patch(plain, 20, 'I', 0x100000)


class NextUnaligned(Lie):
    """Puts the next reply of a compound where it is not aligned."""

    def plain(self, plain):
        return patch(pad8(plain), 20, 'I', len(pad8(plain)) + 4) + bytes(4) + plain


class NextIntoItself(Lie):
    """Points NextCommand into the header it stands in."""

    def plain(self, plain):
        return patch(plain, 20, 'I', 8)


class NextBackwards(Lie):
    """Points NextCommand to before the message, by way of an overflow."""

    def plain(self, plain):
        return patch(plain, 20, 'I', 0xFFFFFFC0)


class CreditsFlood(Lie):
    """Grants 65535 credits with every reply."""

    at = ()

    def bend(self, request, reply):
        reply.credits = 0xFFFF


class CreditsStarve(Lie):
    """Grants no credits any more."""

    at = ()

    def bend(self, request, reply):
        reply.credits = 0


class OplockBreakInClear(Lie):
    """Breaks an oplock in clear."""

    def outgoing(self, session, replies):
        body = struct.pack('<HBBIQQ', 24, 0, 0, 0, 1, 1)
        yield frame(Message(Cmd.OPLOCK_BREAK, flags=FLAG_REPLY, mid=NO_ID, body=body).encode())
        yield from super().outgoing(session, replies)


class _ErrorInClear(Lie):
    status = Status.SUCCESS

    def outgoing(self, session, replies):
        reply = replies[-1]
        yield frame(Message(reply.command, self.status, reply.charge, 1, FLAG_REPLY, reply.mid,
                            reply.tree, 0, reply.session, error_body()).encode())
        yield from super().outgoing(session, replies)


class SessionDeletedInClear(_ErrorInClear):
    """Says in clear that the session is gone."""

    status = Status.USER_SESSION_DELETED


class FileClosedInClear(_ErrorInClear):
    """Says in clear that the file is closed."""

    status = Status.FILE_CLOSED
