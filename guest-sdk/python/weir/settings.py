"""What a pipeline's TOML says under a transform's `config`."""


class SettingsError(ValueError):
    """A mistake in the settings, for whoever wrote them."""


class Settings:
    """Reads settings by name and kind, and remembers which were asked for: those that nothing asked for are refused."""

    def __init__(self, given):
        """`given` is pairs of a key and its list of values."""
        self._given = list(given)
        self._asked = set()

    def list(self, key):
        """All values of an array, or the one of a scalar, as str; None where the key is missing."""
        self._asked.add(key)
        return next((list(values) for given, values in self._given if given == key), None)

    def text(self, key, otherwise=None):
        """One value as it is written."""
        values = self.list(key)
        if values is None:
            return otherwise
        if len(values) != 1:
            raise SettingsError(f"setting `{key}` takes one value, not an array of {len(values)}")
        return values[0]

    def flag(self, key, otherwise=False):
        """One value of true or false."""
        text = self.text(key)
        if text not in (None, "true", "false"):
            raise SettingsError(f"setting `{key}` is true or false, not `{text}`")
        return otherwise if text is None else text == "true"

    def number(self, key, otherwise=None):
        """One number: an int where it is written as one, else a float."""
        text = self.text(key)
        if text is None:
            return otherwise
        for kind in (int, float):
            try:
                return kind(text)
            except ValueError:
                pass
        raise SettingsError(f"setting `{key}` is a number, not `{text}`")

    def refuse_the_rest(self):
        """Refuses what nothing asked for, and says what was meant if that can be guessed."""
        seen = set()
        for key, _ in self._given:
            if key in seen:
                raise SettingsError(f"setting `{key}` is given twice")
            seen.add(key)
            if key in self._asked:
                continue
            known = sorted(self._asked)
            if not known:
                raise SettingsError(f"unknown setting `{key}`; this plugin has none")
            near = [(_distance(name, key), name) for name in known]
            near = [(distance, name) for distance, name in near if distance <= -(-len(name) // 3)]
            meant = f"; did you mean `{min(near)[1]}`?" if near else ""
            raise SettingsError(f"unknown setting `{key}`{meant} (there are: {', '.join(known)})")


def _distance(a, b):
    """How many letters to insert, delete or change (Levenshtein)."""
    row = range(len(b) + 1)
    for i, x in enumerate(a):
        next_row = [i + 1]
        for j, y in enumerate(b):
            next_row.append(min(row[j] + (x != y), row[j + 1] + 1, next_row[j] + 1))
        row = next_row
    return row[-1]
