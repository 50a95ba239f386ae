"""Lies in the answers to SESSION_SETUP."""

import os

from .. import crypto, spnego
from ..wire import Cmd, Status, patch
from .base import Lie


class _Setup(Lie):
    """Bends the final SESSION_SETUP answer."""

    def setup(self, conn, answer):
        if answer.status == Status.SUCCESS:
            self.final(conn, answer)

    def final(self, conn, answer):
        """Changes it."""


class FinalUnsigned(_Setup):
    """Does not sign the final SESSION_SETUP response."""

    def final(self, conn, answer):
        answer.signing = None


class FinalWrongKey(_Setup):
    """Signs the final SESSION_SETUP response with another key."""

    def final(self, conn, answer):
        answer.signing = crypto.Signer(os.urandom(16), bytes(64), conn.signing)


class FinalZeroSignature(_Setup):
    """Sets the SIGNED flag of the final response and leaves the signature zero."""

    def final(self, conn, answer):
        answer.signing = self

    @staticmethod
    def sign(message):
        return patch(message, 16, 'I', 9)


class GuestSession(_Setup):
    """Maps the user to guest."""

    def final(self, conn, answer):
        answer.flags |= 1


class NullSession(_Setup):
    """Maps the user to nobody."""

    def final(self, conn, answer):
        answer.flags |= 2


class SessionIdZero(_Setup):
    """Establishes session number zero."""

    def final(self, conn, answer):
        answer.session = 0


class SessionIdChangesAtEnd(_Setup):
    """Gives the second of two legs another session id."""

    acceptor = spnego.TwoLegAcceptor

    def final(self, conn, answer):
        answer.session += 1


class SessionIdChangesBetween(_Setup):
    """Asks for a third leg under another session id."""

    acceptor = spnego.TwoLegAcceptor

    def final(self, conn, answer):
        answer.session += 1
        answer.status, answer.signing = Status.MORE_PROCESSING_REQUIRED, None


class NoFinalToken(_Setup):
    """Reports success without the GSS token that proves the server's identity."""

    def final(self, conn, answer):
        answer.token = b''


class NoMutualAuthentication(_Setup):
    """Reports success with a token that lacks the Kerberos answer."""

    def final(self, conn, answer):
        answer.token = spnego.response(spnego.ACCEPT_COMPLETED)


class GarbageToken(_Setup):
    """Sends random bytes as the final token."""

    def final(self, conn, answer):
        answer.token = os.urandom(len(answer.token))


class TokenOutside(_Setup):
    """Announces a final token longer than the message."""

    def final(self, conn, answer):
        answer.length = 0xFFF0


class EndlessLegs(Lie):
    """Never finishes the authentication."""

    class acceptor:
        complete = False

        def __init__(self, keytab):
            pass

        @staticmethod
        def step(token):
            return spnego.response(spnego.REQUEST_MIC)


class LogonFailure(_Setup):
    """Refuses the log-on, unsigned as every such refusal is."""

    def final(self, conn, answer):
        answer.status, answer.token, answer.signing = Status.LOGON_FAILURE, b'', None


class GuestLater(Lie):
    """Maps the user to guest when the log-on is renewed."""

    at = (Cmd.SESSION_SETUP,)

    def bend(self, request, reply):
        reply.body = patch(reply.body, 2, 'H', reply.body[2] | 1)


class NoTokenLater(Lie):
    """Renews the log-on without proving the server's identity."""

    at = (Cmd.SESSION_SETUP,)

    def bend(self, request, reply):
        reply.body = patch(reply.body[:8], 6, 'H', 0)
