"""What a plugin in Python needs. A plugin is the module `plugin` with one decorated class:

    import weir

    @weir.otlp_to_otlp
    class DropEmail:
        def __init__(self, settings):
            self.names = weir.Names([settings.text("key", "user.email")])

        def transform(self, message, context):
            return weir.edit_attributes(context.signal, message.value, self.names, lambda attribute: weir.DROP)

The class is an ordinary one: tests make it and call it natively.
"""

import sys

from . import column, log
from .guest import Refusal
from .otlp import (
    Names,
    edit_attributes,
    keep_log_records,
    keep_metrics,
    keep_spans,
    set_resource_attribute,
)
from .settings import Settings, SettingsError
from .wire import DROP, KEEP, Malformed

__all__ = [
    "DROP", "KEEP", "Malformed", "Names", "Refusal", "Settings", "SettingsError", "arrow_to_arrow", "column",
    "edit_attributes", "keep_log_records", "keep_metrics", "keep_spans", "log", "otlp_to_otlp", "set_resource_attribute",
]


def otlp_to_otlp(plugin_class):
    """Makes a plugin that turns OTLP into OTLP of a class.

    `__init__(self, settings)` raises SettingsError where they are wrong. `transform(self, message, context)` gives the
    record's value: the very `message.value` where it stays as it is, or other bytes. `raise Refusal(reason)` makes a dead
    letter of the record; whatever else is raised ends the call."""
    return _exported(plugin_class, "otlp_to_otlp", "OtlpToOtlp")


def arrow_to_arrow(plugin_class):
    """Makes a plugin that turns rows into rows of a class.

    `__init__(self, settings, plan)` says in `plan` what it reads and gives. `transform(self, choice)` chooses rows and pushes
    to each column that it makes a value for each row that stays. Without a word all rows stay."""
    return _exported(plugin_class, "arrow_to_arrow", "ArrowToArrow")


def _exported(plugin_class, kind, name):
    if not callable(getattr(plugin_class, "transform", None)):
        raise TypeError(f"{plugin_class.__name__} has no method transform")
    try:
        from . import host
    except ImportError:
        # Not in a component: a test.
        return plugin_class
    # The contract's class must be in the plugin's own module, under the contract's name.
    setattr(sys.modules[plugin_class.__module__], name, getattr(host, kind)(plugin_class))
    return plugin_class
