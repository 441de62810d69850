"""journal.py: the shards that are done, one line each, written as they come in. What --resume goes on from.

RESULT.part lies beside the result until every dump is in it. A line that was cut by a crash is left out.
"""

import json
import os
from pathlib import Path

from lastbit.cluster.plan import Shard
from lastbit.errors import LastbitError


class Journal:
    def __init__(self, result, head):
        """`head`: what a line must have been made with to count: version and options."""
        self.path = Path(f"{result}.part")
        self.head = head
        self._file = None

    def begin(self, resume):
        """Opens the journal, and gives {(dump, first, end): (fingerprint, report)} of what it holds."""
        done = self._read() if resume and self.path.exists() else {}
        try:
            # Written anew, so that nothing stands behind a line that was cut.
            beside = Path(f"{self.path}.new")
            with open(beside, "w", encoding="utf-8") as file:
                file.write(json.dumps(self.head) + "\n")
                for (dump, first, end), (mark, report) in done.items():
                    file.write(_line(dump, first, end, mark, report))
            os.replace(beside, self.path)
            self._file = open(self.path, "a", encoding="utf-8")
        except OSError as error:
            raise LastbitError(f"{self.path}: cannot be written: {error.strerror}") from None
        return done

    def add(self, shard: Shard, mark, report):
        self._file.write(_line(shard.dump, shard.first, shard.end, mark, report))
        self._file.flush()

    def close(self, keep):
        if self._file:
            self._file.close()
        if not keep:
            self.path.unlink(missing_ok=True)

    def _read(self):
        lines = self.path.read_text(encoding="utf-8", errors="replace").split("\n")
        done = {}
        for i, line in enumerate(lines[:-1]):  # the last piece is empty, or a line that was cut
            try:
                entry = json.loads(line)
            except ValueError:
                continue
            if i == 0 and entry != self.head:
                raise LastbitError(f"{self.path}: made by {_spelled(entry)}, expected {_spelled(self.head)}; delete it, or leave out --resume")
            if i > 0:
                done[entry["dump"], entry["first"], entry["end"]] = entry["mark"], entry["report"]
        return done


def _line(dump, first, end, mark, report):
    return json.dumps({"dump": dump, "first": first, "end": end, "mark": mark, "report": report}) + "\n"


def _spelled(head):
    return f"lastbit {head.get('version')} verify {' '.join(head.get('options', ()))}".strip() if isinstance(head, dict) else repr(head)
