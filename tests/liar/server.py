"""The conversation: connections, sessions, trees, credits."""

import os
import socket
import struct
import sys
import threading
import time

import gssapi

from . import crypto, spnego
from .share import Share, filetime
from .wire import (CTX_ENCRYPTION, CTX_PREAUTH, CTX_SIGNING, DIALECT, FLAG_SIGNED,
                   MAX_FRAME, PROTO_SMB2, PROTO_TRANSFORM, SHA512, Cmd, Fail,
                   NegotiateAnswer, SetupAnswer, Status, Violation, contexts,
                   error_body, frame, id_context, join, preauth_context, split)

SHARE_NAME = 'share'
ENCRYPT_DATA = 4
FSCTL_DFS = 0x00060194, 0x000601B0


class Truth:
    """Tells the truth.  A lie or a quirk overrides the hook where it bends it.

    reply, plain, outgoing and seal are asked only where a reply to one of the commands in `at` goes
    out on an established session; an empty `at` means every command.
    """

    at = (Cmd.READ,)
    sealed = True               # or sign only
    credits = 512               # what a client may hold; enough for 32 reads of 1 MiB
    acceptor = spnego.Acceptor

    def negotiate(self, conn, answer):
        """Changes the NEGOTIATE answer before it is encoded."""

    def negotiate_message(self, message):
        """The encoded NEGOTIATE answer, before it is hashed."""
        return message

    def negotiate_frames(self, message):
        """What is really sent for it, after it was hashed."""
        yield frame(message)

    def setup(self, conn, answer):
        """Changes a SESSION_SETUP answer before it is hashed or signed."""

    def entries(self, entries):
        """The (UTF-16 name, stat) pairs of a directory."""
        return entries

    def reply(self, request, reply):
        """Changes one reply."""

    def plain(self, plain):
        """The encoded replies, before they are protected."""
        return plain

    def outgoing(self, session, replies):
        """The frames that carry the replies."""
        yield frame(self.seal(session, self.plain(join(replies))))

    def seal(self, session, plain):
        """The replies as a sealed, or else signed, message."""
        return session.sealer.seal(plain) if self.sealed else session.signer.sign_each(plain)

    def cancel(self, session, request):
        """The frames that answer a CANCEL; here nothing ever waits."""
        return ()

    def touches(self, requests):
        return not self.at or any(r.command in self.at for r in requests)


class Session:
    """From the first SESSION_SETUP on; sealer and signer exist once it is established."""

    def __init__(self, number, digest, acceptor):
        self.number, self.digest, self.acceptor = number, digest, acceptor
        self.sealer = self.signer = self.user = None
        self.trees = set()


class Connection:
    def __init__(self, server, sock):
        self.server, self.sock = server, sock
        self.behaviour = server.behaviour
        self.digest = bytes(64)
        self.cipher = self.signing = None
        self.sessions, self.share = {}, Share(server.root, server.behaviour)
        self.balance, self.next_mid, self.used_mids = 1, 0, set()

    def run(self):
        try:
            while (message := self.receive()) is not None:
                self.handle(message)
        except Violation as e:
            print(f'liar: VIOLATION: {e}', file=sys.stderr, flush=True)
        except OSError:
            pass                        # the client left, as many tests want it to
        finally:
            self.share.drop_all()
            self.sock.close()

    def receive(self):
        head = self.read(4)
        if head is None:
            return None
        if head[0] != 0:
            raise Violation('first byte of a frame is not zero')
        length = int.from_bytes(head[1:], 'big')
        if not 64 <= length <= MAX_FRAME:
            raise Violation(f'frame of {length} bytes')
        return self.read(length)

    def read(self, n):
        data = bytearray(n)
        view, got = memoryview(data), 0
        while got < n:
            more = self.sock.recv_into(view[got:])
            if more == 0:
                return None
            got += more
        return bytes(data)

    def handle(self, message):
        if message[:4] == PROTO_TRANSFORM:
            session = self.sessions.get(struct.unpack_from('<Q', message, 44)[0])
            if session is None or session.sealer is None:
                raise Violation('sealed for an unknown session')
            self.handle_protected(session, split(session.sealer.open(message)))
            return
        if message[:4] != PROTO_SMB2:
            raise Violation('neither SMB 2 nor sealed')
        requests = split(message)
        request = requests[0]
        session = self.sessions.get(request.session)
        if not self.behaviour.sealed and session is not None and session.signer is not None:
            session.signer.check(message)
            self.handle_protected(session, requests)
            return
        if len(requests) != 1:
            raise Violation('compound in clear')
        self.charge(request)
        if request.command == Cmd.NEGOTIATE:
            self.negotiate(request, message)
        elif request.command == Cmd.SESSION_SETUP:
            self.session_setup(request, message)
        else:
            raise Violation(f'{Cmd(request.command).name} in clear')

    def charge(self, request):
        """Message ids are spent once, inside the window the credits opened."""
        cost = max(1, request.charge)
        ids = set(range(request.mid, request.mid + cost))
        if cost > self.balance or ids & self.used_mids or request.mid < self.next_mid:
            raise Violation(f'message id {request.mid} charge {cost} with {self.balance} credits')
        self.balance -= cost
        self.used_mids |= ids
        while self.next_mid in self.used_mids:
            self.used_mids.remove(self.next_mid)
            self.next_mid += 1

    def grant(self, request):
        credits = min(max(1, request.credits), self.behaviour.credits - self.balance)
        self.balance += credits
        return credits

    def negotiate(self, request, message):
        if self.cipher is not None:
            raise Violation('second NEGOTIATE')
        count, _, _, _, _, ctx_at, ctx_count, _ = request.fields('<HHHHI16sIHH', 36)
        if DIALECT not in struct.unpack_from(f'<{count}H', request.body, 36):
            raise Violation('3.1.1 is not offered')
        offered = dict(contexts(message, ctx_at, ctx_count))
        hashes = ids(offered.get(CTX_PREAUTH), skip=2)
        if SHA512 not in hashes or len(offered) != ctx_count:
            raise Violation('wrong or double negotiate contexts')
        ciphers = ids(offered.get(CTX_ENCRYPTION))
        signings = ids(offered.get(CTX_SIGNING))
        self.cipher = next((c for c in self.server.ciphers if c in ciphers), 0)
        self.signing = next((s for s in self.server.signings if s in signings), crypto.CMAC_ID)
        answer = NegotiateAnswer(
            guid=self.server.guid, blob=spnego.offer(), time=filetime(time.time_ns()),
            contexts=[preauth_context(os.urandom(32)), id_context(CTX_ENCRYPTION, self.cipher)])
        if signings:
            answer.contexts.append(id_context(CTX_SIGNING, self.signing))
        self.behaviour.negotiate(self, answer)
        reply = request.reply(answer.encode())
        reply.credits = self.grant(request)
        out = self.behaviour.negotiate_message(reply.encode())
        self.digest = crypto.chain_hash(crypto.chain_hash(self.digest, message), out)
        self.send(self.behaviour.negotiate_frames(out))

    def session_setup(self, request, message):
        flags, _, _, _, at, length, _ = request.fields('<HBBIIHHQ', 25)
        if self.cipher is None:
            raise Violation('SESSION_SETUP before NEGOTIATE')
        if flags or (request.session and request.session not in self.sessions):
            raise Violation('binding or unknown session')
        if request.session == 0:
            session = Session(self.server.new_session_id(), self.digest,
                              self.behaviour.acceptor(self.server.keytab))
            self.sessions[session.number] = session
        else:
            session = self.sessions[request.session]
            if session.signer is not None:
                raise Violation('established session set up again in clear')
        session.digest = crypto.chain_hash(session.digest, message)
        answer = self.authenticate(session, request.buffer(at, length, 'security'))
        self.behaviour.setup(self, answer)
        failed = answer.status not in (Status.SUCCESS, Status.MORE_PROCESSING_REQUIRED)
        reply = request.reply(error_body() if failed else answer.encode(), answer.status)
        reply.session, reply.credits = answer.session, self.grant(request)
        out = reply.encode()
        if answer.signing is not None:
            out = answer.signing.sign(out)
        if answer.status == Status.MORE_PROCESSING_REQUIRED:
            session.digest = crypto.chain_hash(session.digest, out)
        self.send([frame(out)])

    def authenticate(self, session, token):
        answer = self.accept(session, token)
        if answer.status == Status.SUCCESS:
            key = session.acceptor.session_key()
            session.user = str(session.acceptor.context.initiator_name)
            session.signer = answer.signing = crypto.Signer(key, session.digest, self.signing)
            if self.cipher and self.behaviour.sealed:
                session.sealer = crypto.Sealer(session.number, key, session.digest, self.cipher)
        return answer

    def accept(self, session, token):
        """One leg of a log-on, the first or a later one."""
        try:
            token = session.acceptor.step(token)
        except gssapi.exceptions.GSSError as e:
            print(f'liar: {e}', file=sys.stderr, flush=True)
            return SetupAnswer(Status.LOGON_FAILURE, session.number, b'')
        if not session.acceptor.complete:
            return SetupAnswer(Status.MORE_PROCESSING_REQUIRED, session.number, token)
        flags = ENCRYPT_DATA if self.behaviour.sealed else 0
        return SetupAnswer(Status.SUCCESS, session.number, token, flags)

    def log_on_again(self, session, request):
        """Re-authentication: the same user, and the keys stay ([MS-SMB2] 3.3.5.5.2)."""
        _, _, _, _, at, length, _ = request.fields('<HBBIIHHQ', 25)
        if session.acceptor.complete:
            session.acceptor = self.behaviour.acceptor(self.server.keytab)
        answer = self.accept(session, request.buffer(at, length, 'security'))
        if answer.status == Status.MORE_PROCESSING_REQUIRED:
            raise Fail(answer.status, answer.encode())
        if answer.status != Status.SUCCESS:
            raise Fail(answer.status)
        if str(session.acceptor.context.initiator_name) != session.user:
            raise Violation('the session changes hands')
        print(f'liar: {session.user} logs on again', flush=True)
        return answer.encode()

    def handle_protected(self, session, requests):
        pairs, chain = [], {'file': None, 'status': Status.SUCCESS, 'tree': 0}
        for request in requests:
            if request.command == Cmd.CANCEL:
                self.send(self.behaviour.cancel(session, request))
                return
            self.charge(request)
            if self.behaviour.sealed and request.flags & FLAG_SIGNED:
                raise Violation('signed inside a seal')
            if request.related:
                if not pairs:
                    raise Violation('related to nothing')
                request.session, request.tree = session.number, chain['tree']
            if request.session != session.number:
                raise Violation('session id inside differs from the one outside')
            chain['tree'] = request.tree
            reply = self.dispatch(session, request, chain)
            reply.credits = self.grant(request)
            pairs.append((request, reply))
        touched = self.behaviour.touches(requests)
        if touched:
            for request, reply in pairs:
                self.behaviour.reply(request, reply)
        teller = self.behaviour if touched else self.server.truth
        self.send(teller.outgoing(session, [reply for _, reply in pairs]))

    def dispatch(self, session, request, chain):
        try:
            if request.related and chain['status'] not in (0, Status.BUFFER_OVERFLOW):
                raise Fail(chain['status'])
            reply = request.reply(self.command(session, request, chain))
            if request.command == Cmd.TREE_CONNECT:
                reply.tree = chain['tree']
        except Fail as e:
            body = error_body() if e.body is None else e.body
            reply = request.reply(body, e.status)
        chain['status'] = reply.status
        return reply

    def command(self, session, request, chain):
        command = request.command
        if command == Cmd.ECHO:
            return struct.pack('<HH', 4, 0)
        if command == Cmd.LOGOFF:
            self.share.drop_all()
            return struct.pack('<HH', 4, 0)
        if command == Cmd.TREE_CONNECT:
            return self.tree_connect(session, request, chain)
        if command == Cmd.SESSION_SETUP:
            return self.log_on_again(session, request)
        if command == Cmd.NEGOTIATE:
            raise Violation('NEGOTIATE on an established session')
        if request.tree not in session.trees:
            raise Fail(Status.NETWORK_NAME_DELETED)
        if command == Cmd.TREE_DISCONNECT:
            session.trees.remove(request.tree)
            return struct.pack('<HH', 4, 0)
        if command == Cmd.IOCTL:
            code, = struct.unpack_from('<I', request.body, 4)
            raise Fail(Status.FS_DRIVER_REQUIRED if code in FSCTL_DFS else Status.NOT_SUPPORTED)
        return self.share.handle(request, chain)

    def tree_connect(self, session, request, chain):
        _, at, length = request.fields('<HHHH', 9)
        path = request.buffer(at, length, 'path').decode('utf-16-le')
        if path.rpartition('\\')[2].lower() != SHARE_NAME:
            raise Fail(Status.BAD_NETWORK_NAME)
        chain['tree'] = len(session.trees) + 1
        session.trees.add(chain['tree'])
        return struct.pack('<HBBIII', 16, 1, 0, 0, 0, 0x1F01FF)

    def send(self, frames):
        for data in frames:
            self.sock.sendall(data)


class Server:
    def __init__(self, port, keytab, root, ciphers, signings, behaviour):
        self.keytab, self.root, self.behaviour = keytab, root, behaviour
        self.ciphers, self.signings = ciphers, signings
        self.truth = Truth()
        self.truth.sealed = behaviour.sealed
        self.guid = os.urandom(16)
        self.lock, self.sessions = threading.Lock(), 0
        self.socket = socket.create_server(('127.0.0.1', port))

    def new_session_id(self):
        with self.lock:
            self.sessions += 1
            return 0x1A << 40 | self.sessions

    def serve(self):
        while True:
            sock, _ = self.socket.accept()
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=Connection(self, sock).run, daemon=True).start()


def ids(data, skip=0):
    """The ids of a negotiate context that starts with their count."""
    if data is None:
        return ()
    count, = struct.unpack_from('<H', data)
    return struct.unpack_from(f'<{count}H', data, 2 + skip)
