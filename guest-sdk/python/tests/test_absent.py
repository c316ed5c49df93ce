import subprocess
import sys
import unittest

PROGRAM = """
import random, socket, time, traceback
from types import SimpleNamespace
from weir import absent
lines = []
absent.seal(SimpleNamespace(info=lines.append, warn=lines.append))
tell = sys.__stdout__.write
def try_(act):
    try:
        act()
        tell("nothing\\n")
    except Exception as error:
        tell(f"{type(error).__name__}: {error}\\n")
import os
for act in (
    time.time, time.monotonic_ns, lambda: time.sleep(1), lambda: open("/etc/passwd"), lambda: os.listdir("/"),
    lambda: os.urandom(1), socket.socket, lambda: __import__("wave"), random.random, lambda: traceback.format_stack(),
):
    try_(act)
print("one", 2)
print("thr", end="")
print("ee")
tell(repr(lines))
"""

TOLD = """\
RuntimeError: a plugin has no clock: the times are in the records, and a message's in its timestamp_ms
RuntimeError: a plugin has no clock: the times are in the records, and a message's in its timestamp_ms
RuntimeError: a plugin has no clock: the times are in the records, and a message's in its timestamp_ms
PermissionError: a plugin has no files, no network and no processes (open)
FileNotFoundError: [Errno 2] a plugin has no files
RuntimeError: a plugin has no random numbers of the system's; those of `random` are the same in each instance
PermissionError: a plugin has no files, no network and no processes (socket.__new__)
ModuleNotFoundError: No module named 'wave'
nothing
nothing
['one 2', 'three']"""


class Absent(unittest.TestCase):
    def test_what_a_plugin_has_not_is_told_in_words(self):
        done = subprocess.run([sys.executable, "-c", f"import sys\n{PROGRAM}"], capture_output=True, text=True)
        self.assertEqual(done.stdout, TOLD, done.stderr)
