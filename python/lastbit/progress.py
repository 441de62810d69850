"""progress.py: a line on a terminal that says how far a dump is. Silent anywhere else."""

import sys


class Progress:
    """`total` layers if that is known beforehand."""

    def __init__(self, total=None, stream=None):
        self.stream = sys.stderr if stream is None else stream
        self.on = self.stream.isatty()
        self.total = total
        self.count = 0

    def step(self, name):
        self.count += 1
        if not self.on:
            return
        if self.total:
            done = min(24, 24 * self.count // self.total)
            bar = f"[{'#' * done}{'.' * (24 - done)}] {self.count}/{self.total}"
        else:
            bar = f"{self.count} layers"
        self.stream.write(f"\r\x1b[Klastbit: {bar} {name[:48]}")
        self.stream.flush()

    def close(self):
        if self.on:
            self.stream.write("\r\x1b[K")
            self.stream.flush()
