"""What a plugin has not got: it is told in Python's own words, where else the call would end in a trap that names nothing
but the interpreter's functions."""

import builtins
import os
import sys
import time

_FILES = ("stat", "lstat", "open", "listdir", "scandir", "getcwd", "urandom")
_TIMES = ("time", "monotonic", "perf_counter", "process_time", "thread_time", "sleep")
_AUDITED = ("socket.", "subprocess.", "os.", "shutil.")


class _Lines:
    """What is printed goes to Weir's log, line by line."""

    def __init__(self, write):
        self._write = write
        self._begun = ""

    def write(self, text):
        *lines, self._begun = (self._begun + text).split("\n")
        for line in lines:
            self._write(line)
        return len(text)

    def flush(self):
        if self._begun:
            self._write(self._begun)
            self._begun = ""


def _no_clock(*_):
    raise RuntimeError("a plugin has no clock: the times are in the records, and a message's in its timestamp_ms")


def _no_random(*_):
    raise RuntimeError("a plugin has no random numbers of the system's; those of `random` are the same in each instance")


def _no_files(*_):
    raise FileNotFoundError(2, "a plugin has no files")


def _audit(event, _):
    if event == "open" or event.startswith(_AUDITED):
        raise PermissionError(f"a plugin has no files, no network and no processes ({event})")


def seal(log):
    """Says so from now on. Before, while the component is built, modules are imported from files."""
    system = sys.modules.get("posix", os)
    for name in _FILES:
        refusal = _no_random if name == "urandom" else _no_files
        for module in (os, system):
            if hasattr(module, name):
                setattr(module, name, refusal)
    for name in _TIMES:
        for name in (name, f"{name}_ns"):
            if hasattr(time, name):
                setattr(time, name, _no_clock)
    sys.stdout = _Lines(log.info)
    sys.stderr = _Lines(log.warn)
    builtins.input = _no_files
    sys.addaudithook(_audit)
