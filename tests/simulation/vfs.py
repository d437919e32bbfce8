"""A VFS of SQLite that shows what is written to the files of a simulated disk.

SQLite reaches its files by a table of functions. This one is the default one of SQLite, with those
functions replaced that change a file or sync it: they ask the disk first, which may refuse.
References: https://sqlite.org/vfs.html, https://sqlite.org/c3ref/io_methods.html.
"""

from __future__ import annotations

import _sqlite3
import ctypes
import os
from ctypes import CFUNCTYPE, POINTER, Structure, byref, c_char_p, c_int, c_int64, c_void_p
from typing import Any, Protocol

NAME = "simulated"
"""the name of the VFS in the address of a file"""
OK = 0

_library = ctypes.CDLL(getattr(_sqlite3, "__file__", None))
_Open = CFUNCTYPE(c_int, c_void_p, c_void_p, c_void_p, c_int, c_void_p)
_Delete = CFUNCTYPE(c_int, c_void_p, c_void_p, c_int)
_Write = CFUNCTYPE(c_int, c_void_p, c_void_p, c_int, c_int64)
_Truncate = CFUNCTYPE(c_int, c_void_p, c_int64)
_Sync = CFUNCTYPE(c_int, c_void_p, c_int)


class Storage(Protocol):
    """What decides on changes of the files in one folder: each is done only if it returns `OK`,
    and fails with the code of an error otherwise. Files are named without the folder."""

    def write(self, name: str, offset: int, data: bytes) -> int:
        """Bytes are written."""

    def truncate(self, name: str, size: int) -> int:
        """A file is shortened."""

    def sync(self, name: str) -> int:
        """What was written to a file has to be on the disk."""

    def delete(self, name: str, sync: bool) -> int:
        """A file is removed; with `sync`, that has to be on the disk."""


class _Vfs(Structure):
    _fields_ = (
        ("version", c_int),
        ("file_size", c_int),
        ("longest_path", c_int),
        ("next", c_void_p),
        ("name", c_char_p),
        ("data", c_void_p),
        ("open", _Open),
        ("delete", _Delete),
        ("others", c_void_p * 14),
    )


class _Methods(Structure):
    _fields_ = (
        ("version", c_int),
        ("close", c_void_p),
        ("read", c_void_p),
        ("write", _Write),
        ("truncate", _Truncate),
        ("sync", _Sync),
        ("others", c_void_p * 13),
    )


class _File(Structure):
    _fields_ = (("methods", POINTER(_Methods)),)


class Recorder:
    """The VFS. `storages` are the folders whose files are shown to somebody."""

    def __init__(self) -> None:
        self.storages: dict[str, Storage] = {}
        find = _library.sqlite3_vfs_find
        find.restype = POINTER(_Vfs)
        self._original = find(None)
        self._files: dict[int, tuple[Storage, str]] = {}
        self._methods: dict[int, tuple[Any, Any]] = {}
        vfs = self._vfs = _Vfs()
        ctypes.memmove(byref(vfs), self._original, ctypes.sizeof(_Vfs))
        vfs.name = NAME.encode()
        vfs.open = _Open(self._open)
        vfs.delete = _Delete(self._delete)
        _library.sqlite3_vfs_register(byref(vfs), 0)

    def close(self, folder: str) -> None:
        """What is done to the files of a folder, by connections that still have them open, is not
        shown any more."""
        storage = self.storages.pop(folder)
        self._files = {file: row for file, row in self._files.items() if row[0] is not storage}

    def _open(self, vfs: int, name: int | None, file: int, flags: int, out: int | None) -> int:
        code: int = self._original.contents.open(vfs, name, file, flags, out)
        self._files.pop(file, None)
        if code == OK and name is not None:
            folder, _, base = os.fsdecode(ctypes.string_at(name)).rpartition("/")
            if folder in self.storages and not base.endswith("-shm"):
                self._files[file] = self.storages[folder], base
                self._replace(ctypes.cast(file, POINTER(_File)).contents)
        return code

    def _replace(self, file: Any) -> None:
        """Have the functions of a file call those below."""
        address = ctypes.addressof(file.methods.contents)
        if address not in self._methods:
            methods = _Methods()
            ctypes.memmove(byref(methods), address, ctypes.sizeof(_Methods))
            original = file.methods.contents
            methods.write = _Write(lambda *args: self._write(original, *args))
            methods.truncate = _Truncate(lambda *args: self._truncate(original, *args))
            methods.sync = _Sync(self._sync)
            self._methods[address] = methods, original
        file.methods = ctypes.pointer(self._methods[address][0])

    def _write(self, original: Any, file: int, data: int, size: int, offset: int) -> int:
        code = OK
        if file in self._files:
            storage, name = self._files[file]
            code = storage.write(name, offset, ctypes.string_at(data, size))
        return code or int(original.write(file, data, size, offset))

    def _truncate(self, original: Any, file: int, size: int) -> int:
        code = OK
        if file in self._files:
            storage, name = self._files[file]
            code = storage.truncate(name, size)
        return code or int(original.truncate(file, size))

    def _sync(self, file: int, flags: int) -> int:
        if file not in self._files:
            return OK
        storage, name = self._files[file]
        return storage.sync(name)

    def _delete(self, vfs: int, name: int, sync: int) -> int:
        folder, _, base = os.fsdecode(ctypes.string_at(name)).rpartition("/")
        code = OK
        if folder in self.storages:
            code = self.storages[folder].delete(base, bool(sync))
        return code or int(self._original.contents.delete(vfs, name, 0))


RECORDER = Recorder()
"""registered once for the process, because SQLite has one list of them"""
