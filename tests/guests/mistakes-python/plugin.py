"""Does what its setting `act` says: one of the mistakes that an author of plugins makes."""

import time

import weir


def hog():
    held = []
    while True:
        held.append(bytes(1 << 20))


def spin():
    while True:
        pass


def refuse():
    raise weir.Refusal("not today")


ACTS = {
    "mistake": lambda message: message.valeu,
    "nothing": lambda message: None,
    "refuse": lambda message: refuse(),
    "clock": lambda message: time.time(),
    "file": lambda message: open("/etc/passwd"),
    "import": lambda message: __import__("wave"),
    "hog": lambda message: hog(),
    "spin": lambda message: spin(),
}


@weir.otlp_to_otlp
class Mistakes:
    def __init__(self, settings):
        self.act = ACTS[settings.text("act")]
        if settings.flag("at_once"):
            ACTS["mistake"](None)

    def transform(self, message, context):
        print("working")
        return self.act(message)
