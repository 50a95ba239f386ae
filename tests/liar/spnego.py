"""Kerberos through SPNEGO, accepting side (RFC 4178)."""

import gssapi
from gssapi.raw import inquire_sec_context_by_oid

SESSION_KEY = gssapi.OID.from_int_seq('1.2.840.113554.1.2.2.5.5')
SPNEGO_OID = bytes.fromhex('06062b0601050502')
KRB5_OID = bytes.fromhex('06092a864886f712010202')
ACCEPT_COMPLETED, REQUEST_MIC = 0, 3


def der(tag, *parts):
    data = b''.join(parts)
    n = len(data)
    if n < 128:
        return bytes([tag, n]) + data
    size = (n.bit_length() + 7) // 8
    return bytes([tag, 0x80 | size]) + n.to_bytes(size, 'big') + data


def elements(data):
    """The (tag, value, whole element) triples of a DER sequence's content."""
    while data:
        n, at = data[1], 2
        if n & 0x80:
            at += n & 0x7f
            n = int.from_bytes(data[2:at], 'big')
        yield data[0], data[at:at + n], data[:at + n]
        data = data[at + n:]


def inner(data):
    return next(elements(data))[1]


def offer():
    """NegTokenInit that names Kerberos and nothing else."""
    mechs = der(0xa0, der(0x30, KRB5_OID))
    return der(0x60, SPNEGO_OID, der(0xa0, der(0x30, mechs)))


def response(state, token=None, mic=None, mech=KRB5_OID):
    """NegTokenResp."""
    parts = [der(0xa0, der(0x0a, bytes([state])))]
    if mech is not None:
        parts.append(der(0xa1, mech))
    if token is not None:
        parts.append(der(0xa2, der(0x04, token)))
    if mic is not None:
        parts.append(der(0xa3, der(0x04, mic)))
    return der(0xa1, der(0x30, *parts))


class Acceptor:
    """One leg, as every Kerberos server does it."""

    def __init__(self, keytab):
        creds = gssapi.Credentials(usage='accept', store={'keytab': keytab})
        self.context = gssapi.SecurityContext(creds=creds, usage='accept')
        self.complete = False

    def step(self, token):
        answer = self.context.step(token)
        self.complete = self.context.complete
        return answer or b''

    def session_key(self):
        return inquire_sec_context_by_oid(self.context, SESSION_KEY)[0]


class TwoLegAcceptor(Acceptor):
    """Exchanges mechListMICs, as RFC 4178 allows, which costs a second round trip."""

    mechs = None

    def step(self, token):
        if self.mechs is None:
            init = inner(list(elements(inner(token)))[1][1])
            fields = {tag: value for tag, value, _ in elements(init)}
            self.mechs = fields[0xa0]
            answer = self.context.step(inner(fields[0xa2]))
            mic = self.context.get_signature(self.mechs)
            preferred = next(elements(inner(self.mechs)))[2]
            return response(REQUEST_MIC, answer, mic, preferred)
        fields = {tag: value for tag, value, _ in elements(inner(inner(token)))}
        self.context.verify_signature(self.mechs, inner(fields[0xa3]))
        self.complete = True
        return b''              # as MIT's acceptor, which has sent its MIC before
