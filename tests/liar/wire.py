"""SMB 3.1.1 on the wire: the numbers and layouts a server needs ([MS-SMB2] 2.2)."""

import struct
from dataclasses import dataclass, field
from enum import IntEnum

MAX_IO = 1 << 20                # MaxTransactSize, MaxReadSize and MaxWriteSize
MAX_FRAME = MAX_IO + (64 << 10)  # plus room for headers

PROTO_SMB2 = b'\xfeSMB'
PROTO_TRANSFORM = b'\xfdSMB'
PROTO_COMPRESSED = b'\xfcSMB'
PROTO_SMB1 = b'\xffSMB'

FLAG_REPLY, FLAG_ASYNC, FLAG_RELATED, FLAG_SIGNED = 1, 2, 4, 8
NO_ID = (1 << 64) - 1
DIALECT = 0x0311

CTX_PREAUTH, CTX_ENCRYPTION, CTX_SIGNING = 1, 2, 8
SHA512 = 1


class Cmd(IntEnum):
    NEGOTIATE, SESSION_SETUP, LOGOFF, TREE_CONNECT, TREE_DISCONNECT, CREATE, CLOSE, FLUSH, READ, \
        WRITE, LOCK, IOCTL, CANCEL, ECHO, QUERY_DIRECTORY, CHANGE_NOTIFY, QUERY_INFO, SET_INFO, \
        OPLOCK_BREAK = range(19)


class Status(IntEnum):
    SUCCESS = 0
    PENDING = 0x103
    BUFFER_OVERFLOW = 0x80000005
    NO_MORE_FILES = 0x80000006
    INVALID_INFO_CLASS = 0xC0000003
    INFO_LENGTH_MISMATCH = 0xC0000004
    INVALID_PARAMETER = 0xC000000D
    NO_SUCH_FILE = 0xC000000F
    INVALID_DEVICE_REQUEST = 0xC0000010
    END_OF_FILE = 0xC0000011
    MORE_PROCESSING_REQUIRED = 0xC0000016
    ACCESS_DENIED = 0xC0000022
    OBJECT_NAME_INVALID = 0xC0000033
    OBJECT_NAME_NOT_FOUND = 0xC0000034
    OBJECT_NAME_COLLISION = 0xC0000035
    OBJECT_PATH_NOT_FOUND = 0xC000003A
    DELETE_PENDING = 0xC0000056
    LOGON_FAILURE = 0xC000006D
    DISK_FULL = 0xC000007F
    FILE_IS_A_DIRECTORY = 0xC00000BA
    NOT_SUPPORTED = 0xC00000BB
    NETWORK_NAME_DELETED = 0xC00000C9
    BAD_NETWORK_NAME = 0xC00000CC
    UNEXPECTED_IO_ERROR = 0xC00000E9
    DIRECTORY_NOT_EMPTY = 0xC0000101
    NOT_A_DIRECTORY = 0xC0000103
    CANCELLED = 0xC0000120
    FILE_CLOSED = 0xC0000128
    FS_DRIVER_REQUIRED = 0xC000019C
    USER_SESSION_DELETED = 0xC0000203


class Violation(Exception):
    """The client broke the protocol: say so and drop the connection."""


class Fail(Exception):
    """A request that ends with an error status, possibly with a body of its own."""

    def __init__(self, status, body=None):
        super().__init__(status)
        self.status, self.body = status, body


HEADER = struct.Struct('<4sHHIHHIIQQQ16s')


@dataclass
class Message:
    """One SMB2 header with its body, request or reply ([MS-SMB2] 2.2.1)."""

    command: int
    status: int = 0
    charge: int = 0
    credits: int = 0
    flags: int = 0
    mid: int = 0
    tree: int = 0
    async_id: int = 0
    session: int = 0
    body: bytes = b''

    def encode(self, next_command=0):
        where = self.async_id if self.flags & FLAG_ASYNC else self.tree << 32
        return HEADER.pack(PROTO_SMB2, 64, self.charge, self.status, self.command, self.credits,
                           self.flags, next_command, self.mid, where, self.session,
                           bytes(16)) + self.body

    @property
    def related(self):
        return bool(self.flags & FLAG_RELATED)

    def buffer(self, offset, length, what):
        """A client's (offset, length) pair, counted from the header."""
        if length == 0:
            return b''
        if offset < 64 or offset + length > 64 + len(self.body):
            raise Violation(f'{what} buffer outside of the message')
        return self.body[offset - 64:offset - 64 + length]

    def fields(self, layout, size):
        """The fixed part of a request body, after its StructureSize has been checked."""
        if len(self.body) < struct.calcsize(layout):
            raise Violation(f'{Cmd(self.command).name} request too short')
        first, *rest = struct.unpack_from(layout, self.body)
        if first != size:
            raise Violation(f'{Cmd(self.command).name} request with StructureSize {first}')
        return rest

    def reply(self, body=b'', status=Status.SUCCESS):
        flags = FLAG_REPLY | (self.flags & FLAG_RELATED)
        return Message(self.command, status, self.charge, 0, flags, self.mid, self.tree, 0,
                       self.session, body)


def spans(data):
    """The elements of one (possibly compound) message."""
    while True:
        if len(data) < 64:
            raise Violation('message shorter than its header')
        following, = struct.unpack_from('<I', data, 20)
        if not following:
            yield data
            return
        if following % 8 or not 64 <= following <= len(data) - 64:
            raise Violation('NextCommand out of bounds')
        yield data[:following]
        data = data[following:]


def split(data):
    """The requests of one (possibly compound) message."""
    out = []
    for span in spans(data):
        proto, size, charge, status, command, credits, flags, _, mid, where, session, _ = \
            HEADER.unpack_from(span)
        if proto != PROTO_SMB2 or size != 64 or flags & FLAG_REPLY or command not in set(Cmd):
            raise Violation('not a request header')
        out.append(Message(command, status, charge, credits, flags, mid, where >> 32, where,
                           session, span[64:]))
    return out


def join(replies):
    """The replies of one compound as one message."""
    parts = [pad8(r.encode(0)) for r in replies[:-1]]
    for i, part in enumerate(parts):
        parts[i] = part[:20] + struct.pack('<I', len(part)) + part[24:]
    return b''.join(parts) + replies[-1].encode()


def frame(message, first=0, length=None):
    return struct.pack('>I', (len(message) if length is None else length) | first << 24) + message


def pad8(data):
    return data + bytes(-len(data) % 8)


def error_body(count=0):
    """Error response with one byte of ErrorData, as Windows and Samba send it (2.2.2)."""
    return struct.pack('<HBBIB', 9, 0, 0, count, 0)


def utf16(text):
    return text.encode('utf-16-le')


def patch(data, at, layout, *values):
    """data with the fields at an offset replaced."""
    new = struct.pack('<' + layout, *values)
    return data[:at] + new + data[at + len(new):]


def contexts(data, offset, count):
    """Negotiate contexts of a request as (type, data) ([MS-SMB2] 2.2.3.1)."""
    out = []
    for _ in range(count):
        offset += -offset % 8
        if offset + 8 > len(data):
            raise Violation('negotiate context out of bounds')
        kind, length = struct.unpack_from('<HH', data, offset)
        if offset + 8 + length > len(data):
            raise Violation('negotiate context longer than the message')
        out.append((kind, bytes(data[offset + 8:offset + 8 + length])))
        offset += 8 + length
    return out


def preauth_context(salt, hashes=(SHA512,), salt_length=None):
    length = len(salt) if salt_length is None else salt_length
    return CTX_PREAUTH, struct.pack(f'<HH{len(hashes)}H', len(hashes), length, *hashes) + salt


def id_context(kind, *ids):
    """An encryption or signing context: a count and that many ids."""
    return kind, struct.pack(f'<H{len(ids)}H', len(ids), *ids)


@dataclass
class NegotiateAnswer:
    """NEGOTIATE response ([MS-SMB2] 2.2.4)."""

    guid: bytes
    blob: bytes
    contexts: list
    time: int
    dialect: int = DIALECT
    mode: int = 3                       # signing enabled and required
    capabilities: int = 4               # LARGE_MTU
    sizes: tuple = (MAX_IO, MAX_IO, MAX_IO)
    count: int = field(default=None)    # as claimed, when it is not the truth

    def encode(self):
        chain = b''
        for kind, data in self.contexts:
            chain = pad8(chain) + struct.pack('<HHI', kind, len(data), 0) + data
        where = 64 + 64 + len(self.blob) + -len(self.blob) % 8
        count = len(self.contexts) if self.count is None else self.count
        fixed = struct.pack('<HHHH16sIIIIQQHHI', 65, self.mode, self.dialect, count, self.guid,
                            self.capabilities, *self.sizes, self.time, 0, 128 if self.blob else 0,
                            len(self.blob), where)
        return fixed + pad8(self.blob) + chain


@dataclass
class SetupAnswer:
    """SESSION_SETUP response before it is signed ([MS-SMB2] 2.2.6)."""

    status: int
    session: int
    token: bytes
    flags: int = 0
    signing: object = None              # crypto.Signer, on the final response only
    length: int = None                  # of the token as claimed, when it is not the truth

    def encode(self):
        length = len(self.token) if self.length is None else self.length
        return struct.pack('<HHHH', 9, self.flags, 72, length) + self.token
