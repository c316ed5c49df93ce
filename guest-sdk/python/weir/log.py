"""A plugin's voice in Weir's own log. Lines beyond 4 KiB are cut, lines beyond 100 a call are dropped. Natively, in tests,
lines go to standard error."""

import sys


def error(message):
    """Something is lost or wrong."""
    _write("ERROR", message)


def warn(message):
    """Something looks wrong."""
    _write("WARN", message)


def info(message):
    """A person may care."""
    _write("INFO", message)


def debug(message):
    """For whoever writes the plugin."""
    _write("DEBUG", message)


def _write(level, message):
    try:
        from .host import write
    except ImportError:
        print(level, message, file=sys.stderr)
    else:
        write(level, str(message))
