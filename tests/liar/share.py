"""A directory served as a share: open files and the requests about them."""

import errno
import fnmatch
import os
import stat
import struct
from collections import Counter
from dataclasses import dataclass, field

from .wire import MAX_IO, NO_ID, Cmd, Fail, Status, Violation, pad8, utf16

EPOCH = 116444736000000000              # 1970 in units of 100 ns since 1601
A_READONLY, A_DIRECTORY, A_NORMAL = 1, 0x10, 0x80
OPEN_DIRECTORY, OPEN_FILE, OPEN_DELETE = 1, 0x40, 0x1000
SUPERSEDE, OPEN, CREATE, OPEN_IF, OVERWRITE, OVERWRITE_IF = range(6)
GENERIC_READ, GENERIC_WRITE, GENERIC_ALL, MAXIMUM = 0x80000000, 0x40000000, 0x10000000, 0x02000000
READ_DATA, WRITE_DATA, APPEND_DATA, DELETE, ALL_ACCESS = 1, 2, 4, 0x10000, 0x1F01FF

STATUS_OF = {
    errno.ENOENT: Status.OBJECT_NAME_NOT_FOUND, errno.EEXIST: Status.OBJECT_NAME_COLLISION,
    errno.EACCES: Status.ACCESS_DENIED, errno.EPERM: Status.ACCESS_DENIED,
    errno.EBADF: Status.ACCESS_DENIED, errno.ENOTEMPTY: Status.DIRECTORY_NOT_EMPTY,
    errno.EISDIR: Status.FILE_IS_A_DIRECTORY, errno.ENOTDIR: Status.OBJECT_PATH_NOT_FOUND,
    errno.ENOSPC: Status.DISK_FULL, errno.EINVAL: Status.INVALID_PARAMETER,
    errno.ENAMETOOLONG: Status.OBJECT_NAME_INVALID, errno.ELOOP: Status.ACCESS_DENIED,
}

# where a request carries its FileId
FILE_ID_AT = {Cmd.CLOSE: 8, Cmd.FLUSH: 8, Cmd.READ: 16, Cmd.WRITE: 16, Cmd.QUERY_DIRECTORY: 8,
              Cmd.QUERY_INFO: 24, Cmd.SET_INFO: 16}


@dataclass
class Open:
    path: str
    fd: int
    access: int
    is_dir: bool
    key: tuple
    doomed: bool = False
    pattern: str = None
    listing: list = field(default_factory=list)


def filetime(ns):
    return EPOCH + ns // 100


def attributes(st):
    if stat.S_ISDIR(st.st_mode):
        return A_DIRECTORY
    return A_NORMAL if st.st_mode & 0o200 else A_READONLY


def times(st):
    created = min(st.st_mtime_ns, st.st_ctime_ns)
    return struct.pack('<4Q', *map(filetime, (created, st.st_atime_ns, st.st_mtime_ns,
                                              st.st_ctime_ns)))


def sizes(st):
    """AllocationSize and EndOfFile; a directory has neither."""
    return (0, 0) if stat.S_ISDIR(st.st_mode) else (st.st_blocks * 512, st.st_size)


def network_open(st):
    return times(st) + struct.pack('<QQI', *sizes(st), attributes(st))


def entry(level, name, st):
    """One directory entry without its NextEntryOffset ([MS-FSCC] 2.4)."""
    alloc, size = sizes(st)
    head = struct.pack('<I', 0) + times(st) + struct.pack('<QQII', size, alloc, attributes(st),
                                                          len(name))
    extra = {1: b'', 2: bytes(4), 3: bytes(4 + 26), 37: bytes(4 + 26 + 2), 38: bytes(8)}[level]
    if level in (37, 38):
        extra += struct.pack('<Q', st.st_ino)
    return head + extra + name


def chain_entries(entries):
    """Entries behind each other, 8-aligned, with their NextEntryOffset."""
    out = b''.join(struct.pack('<I', len(e) + 4 + -(len(e) + 4) % 8) + pad8(bytes(4) + e)[4:]
                   for e in entries[:-1])
    return out + bytes(4) + entries[-1]


class Share:
    def __init__(self, root, behaviour):
        self.root, self.behaviour = os.path.realpath(root), behaviour
        self.opens, self.last_id = {}, 0
        self.count, self.doomed = Counter(), set()

    def handle(self, request, chain):
        """One request about files: the body of its reply."""
        command = Cmd(request.command)
        method = getattr(self, command.name.lower(), None)
        if method is None:
            raise Fail(Status.NOT_SUPPORTED)
        try:
            if command == Cmd.CREATE:
                return method(request, chain)
            return method(request, *self.lookup(request, command, chain))
        except OSError as e:
            raise Fail(STATUS_OF.get(e.errno, Status.UNEXPECTED_IO_ERROR)) from e

    def lookup(self, request, command, chain):
        at = FILE_ID_AT[command]
        if len(request.body) < at + 16:
            raise Violation('request too short for its FileId')
        persistent, volatile = struct.unpack_from('<QQ', request.body, at)
        if request.related and persistent == volatile == NO_ID:
            volatile = chain['file']
        if volatile not in self.opens:
            raise Fail(Status.FILE_CLOSED)
        chain['file'] = volatile
        return volatile, self.opens[volatile]

    def local(self, name):
        try:
            parts = name.decode('utf-16-le').split('\\')
            path = '/'.join(parts).encode().decode()
        except UnicodeError:
            raise Fail(Status.OBJECT_NAME_INVALID) from None
        if path == '':
            return self.root
        if any(p in ('', '.', '..') or '/' in p or '\0' in p for p in parts):
            raise Fail(Status.OBJECT_NAME_INVALID)
        return os.path.join(self.root, path)

    def stat(self, path):
        """None where nothing is there.  Symbolic links are not served."""
        try:
            st = os.lstat(path)
        except FileNotFoundError:
            if not os.path.isdir(os.path.dirname(path)):
                raise Fail(Status.OBJECT_PATH_NOT_FOUND) from None
            return None
        if not (stat.S_ISREG(st.st_mode) or stat.S_ISDIR(st.st_mode)):
            raise Fail(Status.ACCESS_DENIED)
        return st

    def create(self, request, chain):
        (_, _, _, _, _, access, attrs, _, disposition, options, name_at, name_len, ctx_at,
         ctx_len) = request.fields('<HBBIQQIIIIIHHII', 57)
        path = self.local(request.buffer(name_at, name_len, 'name'))
        wanted = self.contexts(request.buffer(ctx_at, ctx_len, 'create context'))
        if access & (GENERIC_ALL | MAXIMUM):
            access = ALL_ACCESS
        access |= READ_DATA if access & GENERIC_READ else 0
        access |= WRITE_DATA | APPEND_DATA if access & GENERIC_WRITE else 0
        st = self.stat(path)
        if st is not None and (st.st_dev, st.st_ino) in self.doomed:
            raise Fail(Status.DELETE_PENDING)
        if st is None and disposition in (OPEN, OVERWRITE):
            raise Fail(Status.OBJECT_NAME_NOT_FOUND)
        if st is not None and disposition == CREATE:
            raise Fail(Status.OBJECT_NAME_COLLISION)
        is_dir = bool(options & OPEN_DIRECTORY) if st is None else stat.S_ISDIR(st.st_mode)
        if is_dir and options & OPEN_FILE:
            raise Fail(Status.FILE_IS_A_DIRECTORY)
        if not is_dir and options & OPEN_DIRECTORY:
            raise Fail(Status.NOT_A_DIRECTORY)
        if options & OPEN_DELETE and not access & DELETE:
            raise Fail(Status.ACCESS_DENIED)
        replace = st is not None and disposition in (SUPERSEDE, OVERWRITE, OVERWRITE_IF)
        if replace and is_dir:
            raise Fail(Status.INVALID_PARAMETER)
        fd = self.open_local(path, st, is_dir, access, attrs, replace)
        now = os.fstat(fd)
        self.last_id += 1
        key = now.st_dev, now.st_ino
        self.opens[self.last_id] = Open(path, fd, access, is_dir, key,
                                        bool(options & OPEN_DELETE))
        self.count[key] += 1
        chain['file'] = self.last_id
        action = 2 if st is None else (0 if disposition == SUPERSEDE else 3) if replace else 1
        answer = b''
        if b'QFid' in wanted:
            disk_id = struct.pack('<QQ16x', now.st_ino, now.st_dev)
            answer = struct.pack('<IHHHHI4s4x', 0, 16, 4, 0, 24, 32, b'QFid') + disk_id
        return (struct.pack('<HBBI', 89, 0, 0, action) + network_open(now) + bytes(4)
                + struct.pack('<QQII', self.last_id, self.last_id, 152 if answer else 0,
                              len(answer)) + answer)

    @staticmethod
    def open_local(path, st, is_dir, access, attrs, truncate):
        if is_dir:
            if st is None:
                os.mkdir(path)
            return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        writes = access & (WRITE_DATA | APPEND_DATA) or truncate
        flags = os.O_NOFOLLOW | (os.O_RDWR if writes or st is None else os.O_RDONLY)
        if st is None:
            flags |= os.O_CREAT | os.O_EXCL
        elif writes and not st.st_mode & 0o200:
            raise Fail(Status.ACCESS_DENIED)
        return os.open(path, flags | (os.O_TRUNC if truncate else 0),
                       0o444 if attrs & A_READONLY else 0o644)

    @staticmethod
    def contexts(data):
        """The names of the create contexts that came with a CREATE."""
        names, at = set(), 0
        while data:
            if at + 16 > len(data):
                raise Violation('create context out of bounds')
            following, name_at, name_len, _, data_at, data_len = struct.unpack_from('<IHHHHI',
                                                                                   data, at)
            if at + name_at + name_len > len(data) or at + data_at + data_len > len(data):
                raise Violation('create context out of bounds')
            names.add(bytes(data[at + name_at:at + name_at + name_len]))
            if following == 0:
                break
            if following % 8 or following < 16:
                raise Violation('create contexts out of step')
            at += following
        return names

    def close(self, request, number, o):
        flags, *_ = request.fields('<HHI', 24)
        st = os.fstat(o.fd)
        self.drop(number)
        tail = network_open(st) if flags & 1 else bytes(52)
        return struct.pack('<HHI', 60, flags & 1, 0) + tail

    def drop(self, number):
        """Deletion waits for the last handle."""
        o = self.opens.pop(number)
        os.close(o.fd)
        self.count[o.key] -= 1
        if o.doomed:
            self.doomed.add(o.key)
        if self.count[o.key] == 0:
            del self.count[o.key]
            if o.key in self.doomed:
                self.doomed.discard(o.key)
                (os.rmdir if o.is_dir else os.unlink)(o.path)

    def drop_all(self):
        for number in list(self.opens):
            try:
                self.drop(number)
            except OSError:
                pass                    # a directory that was filled again stays

    @staticmethod
    def flush(request, number, o):
        request.fields('<HHI', 24)
        os.fsync(o.fd)
        return struct.pack('<HH', 4, 0)

    def read(self, request, number, o):
        _, _, length, offset, _, least, *_ = request.fields('<HBBIQ16sIIIHH', 49)
        check_size(request, length)
        if o.is_dir:
            raise Fail(Status.INVALID_DEVICE_REQUEST)
        if not o.access & READ_DATA:
            raise Fail(Status.ACCESS_DENIED)
        data = os.pread(o.fd, length, offset)
        if len(data) < least or (not data and length):
            raise Fail(Status.END_OF_FILE)
        return struct.pack('<HBBIII', 17, 80, 0, len(data), 0, 0) + data

    def write(self, request, number, o):
        at, length, offset, *_ = request.fields('<HHIQ16sIIHHI', 49)
        check_size(request, length)
        if o.is_dir:
            raise Fail(Status.INVALID_DEVICE_REQUEST)
        data = request.buffer(at, length, 'data')
        if offset == NO_ID:
            offset = os.fstat(o.fd).st_size
        done = 0
        while done < len(data):
            done += os.pwrite(o.fd, data[done:], offset + done)
        return struct.pack('<HHIIHH', 17, 0, length, 0, 0, 0)

    def query_directory(self, request, number, o):
        level, flags, _, _, name_at, name_len, room = request.fields('<HBBI16sHHI', 33)
        check_size(request, room)
        if level not in (1, 2, 3, 37, 38):
            raise Fail(Status.INVALID_INFO_CLASS)
        if not o.is_dir:
            raise Fail(Status.INVALID_PARAMETER)
        first = o.pattern is None
        if first or flags & 0x11:       # RESTART_SCANS, REOPEN
            o.pattern = request.buffer(name_at, name_len, 'pattern').decode('utf-16-le') or '*'
            o.listing = self.list(o, o.pattern)
            first = True
        page, used = [], 0
        while o.listing and not (page and flags & 2):   # RETURN_SINGLE_ENTRY
            name, st = o.listing[0]
            e = entry(level, name, st)
            used += -used % 8 + 4 + len(e)
            if used > room:
                break
            page.append(e)
            o.listing.pop(0)
        if not page:
            if o.listing:
                raise Fail(Status.INFO_LENGTH_MISMATCH)
            raise Fail(Status.NO_SUCH_FILE if first else Status.NO_MORE_FILES)
        data = chain_entries(page)
        return struct.pack('<HHI', 9, 72, len(data)) + data

    def list(self, o, pattern):
        out = []
        for name in ['.', '..'] + sorted(os.listdir(o.path)):
            path = o.path if name in ('.', '..') else os.path.join(o.path, name)
            try:
                st = os.lstat(path)
                wide = utf16(name)
            except (OSError, UnicodeError):
                continue
            if stat.S_ISLNK(st.st_mode) or (st.st_dev, st.st_ino) in self.doomed:
                continue
            if fnmatch.fnmatchcase(name, pattern.replace('[', '[[]')):
                out.append((wide, st))
        return self.behaviour.entries(out)

    def query_info(self, request, number, o):
        kind, level, room, *_ = request.fields('<HBBIHHIII16s', 41)
        check_size(request, room)
        if kind == 1:
            data = self.file_info(level, o)
        elif kind == 2:
            data = self.fs_info(level, o)
        else:
            raise Fail(Status.NOT_SUPPORTED)
        status = Status.SUCCESS
        if len(data) > room:
            if kind == 1 and level != 18:
                raise Fail(Status.INFO_LENGTH_MISMATCH)
            data, status = data[:room], Status.BUFFER_OVERFLOW
        body = struct.pack('<HHI', 9, 72, len(data)) + data
        if status:
            raise Fail(status, body)
        return body

    def file_info(self, level, o):
        st = os.fstat(o.fd)
        alloc, size = sizes(st)
        basic = times(st) + struct.pack('<II', attributes(st), 0)
        doomed = o.doomed or o.key in self.doomed
        standard = struct.pack('<QQIBBH', alloc, size, st.st_nlink, doomed, o.is_dir, 0)
        internal = struct.pack('<Q', st.st_ino)
        if level == 4:
            return basic
        if level == 5:
            return standard
        if level == 6:
            return internal
        if level == 7:
            return bytes(4)             # no extended attributes
        if level == 18:
            name = utf16('\\' + os.path.relpath(o.path, self.root).replace('/', '\\'))
            return (basic + standard + internal + struct.pack('<IIQII', 0, o.access, 0, 0, 0)
                    + struct.pack('<I', len(name)) + name)
        if level == 34:
            return network_open(st) + bytes(4)
        if level == 35:
            return struct.pack('<II', attributes(st), 0)
        raise Fail(Status.INVALID_INFO_CLASS)

    @staticmethod
    def fs_info(level, o):
        fs = os.fstatvfs(o.fd)
        if level == 1:
            label = utf16('liar')
            return struct.pack('<QIIH', filetime(0), 1, len(label), 0) + label
        if level == 3:
            return struct.pack('<QQII', fs.f_blocks, fs.f_bavail, fs.f_frsize // 512, 512)
        if level == 5:
            name = utf16('NTFS')
            return struct.pack('<III', 7, 255, len(name)) + name
        if level == 7:
            return struct.pack('<QQQII', fs.f_blocks, fs.f_bavail, fs.f_bfree,
                               fs.f_frsize // 512, 512)
        raise Fail(Status.INVALID_INFO_CLASS)

    def set_info(self, request, number, o):
        kind, level, length, at, *_ = request.fields('<HBBIHHI16s', 33)
        data = request.buffer(at, length, 'info')
        setter = {4: self.set_basic, 10: self.set_rename, 13: self.set_disposition,
                  19: self.set_allocation, 20: self.set_end}.get(level if kind == 1 else None)
        if setter is None:
            raise Fail(Status.NOT_SUPPORTED if kind != 1 else Status.INVALID_INFO_CLASS)
        try:
            setter(o, data)
        except struct.error:
            raise Fail(Status.INFO_LENGTH_MISMATCH) from None
        return struct.pack('<H', 2)

    @staticmethod
    def set_basic(o, data):
        _, accessed, written, _, attrs, _ = struct.unpack_from('<4QII', data)
        st = os.fstat(o.fd)
        keep = (0, NO_ID, NO_ID - 1)
        atime = st.st_atime_ns if accessed in keep else (accessed - EPOCH) * 100
        mtime = st.st_mtime_ns if written in keep else (written - EPOCH) * 100
        if (atime, mtime) != (st.st_atime_ns, st.st_mtime_ns):
            os.utime(o.fd, ns=(atime, mtime))
        if attrs and not o.is_dir:
            mode = st.st_mode & 0o777
            os.fchmod(o.fd, mode & ~0o222 if attrs & A_READONLY else mode | 0o200)

    def set_rename(self, o, data):
        replace, _, length = struct.unpack_from('<B7xQI', data)
        if len(data) < 20 + length:
            raise Fail(Status.INFO_LENGTH_MISMATCH)
        target = self.local(data[20:20 + length])
        if not o.access & DELETE:
            raise Fail(Status.ACCESS_DENIED)
        if target == o.path:
            return
        st = self.stat(target)
        if st is not None:
            if not replace:
                raise Fail(Status.OBJECT_NAME_COLLISION)
            if stat.S_ISDIR(st.st_mode) or self.count[st.st_dev, st.st_ino]:
                raise Fail(Status.ACCESS_DENIED)
        os.rename(o.path, target)
        old = o.path
        for other in self.opens.values():
            if other.path == old or other.path.startswith(old + '/'):
                other.path = target + other.path[len(old):]

    @staticmethod
    def set_disposition(o, data):
        doomed, = struct.unpack_from('<?', data)
        if not o.access & DELETE:
            raise Fail(Status.ACCESS_DENIED)
        if doomed and o.is_dir and os.listdir(o.path):
            raise Fail(Status.DIRECTORY_NOT_EMPTY)
        o.doomed = doomed

    @staticmethod
    def set_allocation(o, data):
        size, = struct.unpack_from('<Q', data)
        if size < os.fstat(o.fd).st_size:
            os.ftruncate(o.fd, size)

    @staticmethod
    def set_end(o, data):
        size, = struct.unpack_from('<Q', data)
        os.ftruncate(o.fd, size)


def check_size(request, length):
    """Payload within the negotiated size and paid for ([MS-SMB2] 3.3.5.2.5)."""
    if length > MAX_IO or max(1, request.charge) * 65536 < length:
        raise Fail(Status.INVALID_PARAMETER)
