"""verify.py: hands shards to Ray, takes their reports, and makes one result of them.

Ray retries nothing here: this loop does, because it alone knows what has arrived. A shard counts when its report is in the
journal, so it is never lost and never counted twice, whatever dies.
"""

import json
import os
import sys
import time
import zlib
from dataclasses import dataclass, field
from pathlib import Path

from lastbit import engine
from lastbit.cluster import plan, result
from lastbit.cluster.journal import Journal
from lastbit.cluster.plan import Options, Shard
from lastbit.errors import LastbitError


@dataclass
class Outcome:
    """What became of a run. `status`: 2 if a dump could not be read, else the report's own: 0, 1 or 5."""

    status: int
    report: dict | None                 # of all dumps that could be read; None if there was none
    unread: dict = field(default_factory=dict)   # dump -> the program's line
    passed_over: list = field(default_factory=list)  # folders with arrays and without a manifest.json
    reused: int = 0                     # shards that --resume found done
    retried: int = 0                    # shards that were started again because a worker or a node died


def verify(patterns, out, *, address=None, resume=False, profile=None, layer=None, forms=None, chained=False, split=64, retries=5, progress=True):
    """Verifies all dumps that `patterns` name and writes the report to `out`. An Outcome.

    patterns   globs (`dumps/**`) and dumps, one or a list
    address    of a Ray cluster; a Ray that runs already in this process is used, else one on this machine
    resume     keep what `out`, or the journal of a run that was broken off, holds of unchanged dumps
    split      dumps of more layers are cut into ranges of at most so many; not under chained
    retries    how often a shard is started again when its worker or node dies
    All machines see the same files under the same paths.
    """
    options = Options(os.fspath(profile or ""), layer or "", tuple(engine._forms(forms)), chained)
    if split < 1 or retries < 0:
        raise LastbitError("split, retries: found a negative number, expected split >= 1 and retries >= 0")
    dumps, passed_over = plan.find([patterns] if isinstance(patterns, (str, os.PathLike)) else list(patterns))
    if not dumps:
        raise LastbitError(f"{' '.join(map(str, [patterns] if isinstance(patterns, str) else patterns))}: found no dump, expected folders with a manifest.json")
    program = str(Path(engine.find_program()).resolve())
    version = engine.run([program, "--version"])[0].split()[-1]
    run = Run(program, version, options, dumps, out, resume, retries)
    try:
        left = run.begin(split)
        if left:
            _compute(run, left, address, progress)
    except BaseException:
        run.journal.close(keep=True)
        raise
    return run.finish(passed_over)


class Run:
    def __init__(self, program, version, options, dumps, out, resume, retries):
        self.program, self.options, self.dumps, self.out, self.resume, self.retries = program, options, dumps, out, resume, retries
        self.version = version
        self.journal = Journal(out, {"version": version, "options": options.arguments()})
        self.marks, self.reports, self.unread = {}, {}, {}
        self.attempts = {}
        self.reused = self.retried = 0

    def begin(self, split):
        """The shards that are still to be computed."""
        older = self._older()
        journal = self.journal.begin(self.resume)
        left = []
        for dump in self.dumps:
            self.marks[dump] = plan.fingerprint(dump)
            for shard in [Shard(dump)] if dump in older else plan.shards(dump, self.options, split):
                mark, report = journal.get((shard.dump, shard.first, shard.end), (None, None))
                if dump in older:
                    mark, report = self.marks[dump], older[dump]
                if mark == self.marks[dump]:
                    self.reports[shard] = report
                    self.reused += 1
                else:
                    left.append(shard)
        return left

    def _older(self):
        """Whole dumps in the result of an earlier run, where no file is younger than that result."""
        if not self.resume or not os.path.exists(self.out):
            return {}
        made = os.stat(self.out).st_mtime_ns
        parts = result.take_apart(self.out, self.version, self.options.arguments())
        return {dump: report for dump, (positions, report) in parts.items()
                if dump in self.dumps and plan.newest(dump) < made
                and (self.options.layer or positions == list(range(plan.layers(dump))))}

    def arrived(self, shard, status, packed, complaint):
        """Takes what a worker gave. False if the shard has to be started again."""
        if status in engine.REPORTED:
            report = zlib.decompress(packed).decode()
            self.reports[shard] = report
            self.journal.add(shard, self.marks[shard.dump], report)
        elif status < 0:
            return self.again(shard, f"the program was ended by signal {-status}")
        else:
            self.unread.setdefault(shard.dump, complaint or f"lastbit verify ended with status {status}")
        return True

    def again(self, shard, why):
        """Whether the shard is to be started again, after a death."""
        self.attempts[shard] = self.attempts.get(shard, 0) + 1
        if self.attempts[shard] <= self.retries:
            self.retried += 1
            return False
        self.unread.setdefault(shard.dump, f"{shard.dump}: given up after {self.attempts[shard]} attempts: {why}")
        return True

    def finish(self, passed_over):
        reports = [report for shard, report in self.reports.items() if shard.dump not in self.unread]
        status, whole = 5, None
        if reports:
            readable = [dump for dump in self.dumps if dump not in self.unread]
            status, whole = result.merge(self.program, reports, ["verify", *readable, *self.options.arguments()], self.out)
        self.journal.close(keep=bool(self.unread))
        beside = Path(f"{self.out}.unread.json")
        if self.unread:
            result.write(beside, json.dumps(self.unread, indent=2, sort_keys=True, ensure_ascii=False) + "\n")
        else:
            beside.unlink(missing_ok=True)
        return Outcome(2 if self.unread else status, whole, dict(sorted(self.unread.items())), passed_over, self.reused, self.retried)


def _compute(run, left, address, progress):
    try:
        import ray
        from tqdm import tqdm
    except ImportError as error:
        raise LastbitError(f"{error.name} is not installed: pip install 'lastbit[cluster]'") from None
    from lastbit.cluster import work

    ours = not ray.is_initialized()
    if ours:
        _start(ray, address)
    ray.cloudpickle.register_pickle_by_value(work)  # workers need not have this package
    task = ray.remote(num_cpus=1, max_retries=0, scheduling_strategy="SPREAD")(work.verify_shard)
    bar = tqdm(total=sum(shard.layers for shard in left), unit="layer", desc="verify", disable=None if progress else True, file=sys.stderr)
    try:
        _loop(ray, run, left, task, bar)
    finally:
        bar.close()
        ray.cloudpickle.unregister_pickle_by_value(work)
        if ours:
            ray.shutdown()


def _start(ray, address):
    quiet = {"log_to_driver": False, "logging_level": "ERROR"}
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    try:
        ray.init(address=address, **quiet) if address else ray.init(include_dashboard=False, **quiet)
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise LastbitError(f"{address or 'ray'}: no cluster ({(str(error).strip().splitlines() or [''])[0]})") from None


def _loop(ray, run, left, task, bar):
    """A few shards more than there are processors are with Ray at a time, so that memory does not grow with the work."""
    waiting, running = list(reversed(left)), {}
    looked, room = 0.0, 0
    while waiting or running:
        if time.monotonic() - looked > 2:
            looked, room = time.monotonic(), 2 * max(int(ray.cluster_resources().get("CPU", 1)), 1)
        while waiting and len(running) < room:
            shard = waiting.pop()
            if shard.dump in run.unread:  # another shard of it could not be read
                bar.update(shard.layers)
                continue
            running[task.remote(run.program, [*shard.arguments(), *run.options.arguments()], os.getcwd())] = shard
        ready, _ = ray.wait(list(running), timeout=1) if running else ([], [])
        for reference in ready:
            shard = running.pop(reference)
            try:
                settled = run.arrived(shard, *ray.get(reference))
            except ray.exceptions.RayTaskError as error:  # the function itself failed: no program there, no such folder
                run.unread.setdefault(shard.dump, f"{shard.dump}: {error.cause}")
                settled = True
            except ray.exceptions.RayError as error:  # a worker, a node or an object died
                settled = run.again(shard, type(error).__name__)
            if settled:
                bar.update(shard.layers)
            else:
                waiting.append(shard)
