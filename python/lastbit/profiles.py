"""profiles.py: the profiles that the engine holds."""

import json

from lastbit import engine


class Profile(str):
    """A profile's name (`pytorch-fbgemm`), with what stands in its JSON form: title, isas, sources, evidence, cells."""

    def __new__(cls, data):
        self = super().__new__(cls, data["name"])
        self._data = data
        return self

    name = property(lambda self: self._data["name"])
    title = property(lambda self: self._data["title"])
    isas = property(lambda self: self._data["isas"])
    sources = property(lambda self: self._data["sources"])
    evidence = property(lambda self: self._data["evidence"])

    def to_dict(self):
        """Everything, in the form that `--profile FILE.json` reads."""
        return json.loads(json.dumps(self._data))


def list_profiles():
    """All profiles, by name."""
    module = engine.extension()
    if module is not None:
        return [Profile(json.loads(text)) for text in module.profiles()]
    program = engine.find_program()
    names = json.loads(engine.run([program, "list", "profiles", "--format", "json"])[0])["profiles"]
    return [Profile(json.loads(engine.run([program, "list", "--profile", entry["name"]])[0])) for entry in names]
