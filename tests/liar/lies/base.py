"""What all lies share."""

import re

from ..server import Truth
from ..wire import FLAG_ASYNC, FLAG_REPLY, Message, Status, error_body

LIES = {}


def command_line_name(cls):
    return re.sub(r'(?<=[a-z])(?=[A-Z0-9])', '-', cls.__name__).lower()


class Lie(Truth):
    def __init_subclass__(cls):
        if not cls.__name__.startswith('_'):
            LIES[command_line_name(cls)] = cls

    def reply(self, request, reply):
        if (not self.at or reply.command in self.at) and reply.status == Status.SUCCESS:
            self.bend(request, reply)

    def bend(self, request, reply):
        """Changes one successful reply to a command in `at`."""


def interim(reply, async_id):
    """The STATUS_PENDING that goes before a reply, which carries no credits any more."""
    pending = Message(reply.command, Status.PENDING, reply.charge, reply.credits,
                      FLAG_REPLY | FLAG_ASYNC, reply.mid, 0, async_id, reply.session, error_body())
    reply.credits, reply.async_id = 0, async_id
    reply.flags |= FLAG_ASYNC
    return pending
