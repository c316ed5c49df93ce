"""Removes or hashes attributes by name, before there are rows: `redact-attributes` in Python. The same settings, the same
rows."""

from hashlib import sha256

import weir


@weir.otlp_to_otlp
class RedactAttributes:
    def __init__(self, settings):
        drop, hash = settings.list("drop") or [], settings.list("hash") or []
        if not drop and not hash:
            raise weir.SettingsError("setting `drop` or `hash` says which attributes to redact; there is neither")
        for name in drop:
            if name in hash:
                raise weir.SettingsError(f"`{name}` is both in `drop` and in `hash`")
        self.names = weir.Names(drop + hash)
        self.drop = set(drop)

    def transform(self, message, context):
        dropped = hashed = 0

        def redact(attribute):
            nonlocal dropped, hashed
            if attribute.key in self.drop:
                dropped += 1
                return weir.DROP
            hashed += 1
            return sha256(attribute.text()).hexdigest()

        value = weir.edit_attributes(context.signal, message.value, self.names, redact)
        context.count("attributes_dropped", dropped)
        context.count("attributes_hashed", hashed)
        return value
