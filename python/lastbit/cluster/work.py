"""work.py: what runs on a worker. Sent there as code, so it imports nothing of this package."""

import ctypes
import os
import signal
import subprocess
import zlib


def verify_shard(program, arguments, folder):
    """(status, report, complaint) of `lastbit verify` on one processor; the report is compressed."""

    def die_with_the_worker():
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG

    done = subprocess.run([program, "verify", *arguments, "-j", "1", "--format", "json", "--color", "never"], cwd=folder,
                          capture_output=True, check=False, preexec_fn=die_with_the_worker,
                          env={**os.environ, "LC_ALL": "C"})
    lines = done.stderr.decode(errors="replace").strip().splitlines()
    return done.returncode, zlib.compress(done.stdout, 1), lines[-1].removeprefix("lastbit: ") if lines else ""
