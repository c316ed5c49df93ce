"""measure.py COMMAND...: runs a command and prints what it and all its descendants cost, as JSON on the last line.

cpu_s is user and system time of the whole tree, peak_rss_mb the largest sum of resident memory seen, sampled five times
a second. Descendants that outlive the command, as PySpark's JVM does, are waited for. Linux only.
"""
import ctypes
import json
import os
import resource
import subprocess
import sys
import threading
import time

PR_SET_CHILD_SUBREAPER = 36
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


def processes():
    """(pid, parent, resident bytes) of every process."""
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/stat") as stat, open(f"/proc/{pid}/statm") as statm:
                # The command's name, in parentheses, may hold anything.
                parent = int(stat.read().rpartition(")")[2].split()[1])
                yield int(pid), parent, int(statm.read().split()[1]) * PAGE_BYTES
        except OSError:
            pass  # It has just ended.


def tree_bytes():
    """Resident memory of all descendants of this process."""
    children, resident = {}, {}
    for pid, parent, size in processes():
        children.setdefault(parent, []).append(pid)
        resident[pid] = size
    total, found = 0, list(children.get(os.getpid(), []))
    while found:
        pid = found.pop()
        total += resident[pid]
        found += children.get(pid, [])
    return total


def main(command):
    # Orphans of the command become children of this process, so that their time is counted and their end awaited.
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)
    peak, ended = 0, threading.Event()

    def watch():
        nonlocal peak
        while not ended.wait(0.2):
            peak = max(peak, tree_bytes())

    watcher = threading.Thread(target=watch)
    started = time.monotonic()
    process = subprocess.Popen(command)
    watcher.start()
    status = process.wait()
    try:
        while True:
            os.wait()
    except ChildProcessError:
        pass
    wall = time.monotonic() - started
    ended.set()
    watcher.join()
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(json.dumps({"status": status, "wall_s": round(wall, 2), "cpu_s": round(used.ru_utime + used.ru_stime, 2),
                      "peak_rss_mb": round(peak / 1e6)}))
    return status


sys.exit(main(sys.argv[1:]))
