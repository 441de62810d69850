"""test_progress.py: a bar on a terminal, nothing anywhere else."""

import io

from lastbit.progress import Progress


class Terminal(io.StringIO):
    def isatty(self):
        return True


def run(stream, total):
    progress = Progress(total, stream)
    for name in ("stem", "head"):
        progress.step(name)
    progress.close()
    return stream.getvalue()


def test_nothing_where_there_is_no_terminal():
    assert run(io.StringIO(), 2) == ""


def test_a_bar_where_the_total_is_known_and_nothing_is_left_of_it():
    text = run(Terminal(), 2)
    assert "[############............] 1/2 stem" in text and "[########################] 2/2 head" in text
    assert text.endswith("\r\x1b[K")


def test_a_count_where_it_is_not():
    assert "lastbit: 2 layers head" in run(Terminal(), None)
