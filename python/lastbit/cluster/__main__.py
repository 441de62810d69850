"""python -m lastbit.cluster verify 'dumps/**' --out result.json"""

import argparse
import sys

from lastbit.cluster.verify import verify
from lastbit.engine import Report
from lastbit.errors import LastbitError


def main(arguments=None):
    options = parse(arguments)
    try:
        outcome = verify(options.dumps, options.out, address=options.address, resume=options.resume, profile=options.profile, layer=options.layer,
                         forms=options.forms, chained=options.chained, split=options.split, retries=options.retries)
    except LastbitError as error:
        print(f"lastbit: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"lastbit: interrupted; --resume goes on from {options.out}.part", file=sys.stderr)
        return 130
    for folder in outcome.passed_over:
        print(f"lastbit: {folder}: passed over: it holds arrays, but no manifest.json", file=sys.stderr)
    for line in outcome.unread.values():
        print(f"lastbit: {line}", file=sys.stderr)
    if outcome.report:
        again = f"; {outcome.retried} shards started again" if outcome.retried else ""
        print(f"{options.out}: {len(outcome.report['dumps'])} dumps, {Report(outcome.report).summary()}{again}")
    if outcome.unread:
        print(f"lastbit: {len(outcome.unread)} dumps could not be read; mended, --resume adds them", file=sys.stderr)
    return outcome.status


def parse(arguments):
    parser = argparse.ArgumentParser(
        prog="python -m lastbit.cluster", description="Verify many dumps on a Ray cluster.",
        epilog="Exit status: 0 identical, 1 different, 2 a dump could not be read or wrong usage, 5 nothing was compared.")
    commands = parser.add_subparsers(dest="command", required=True)
    sub = commands.add_parser("verify", help="recompute every layer of every dump", epilog=parser.epilog)
    sub.add_argument("dumps", nargs="+", metavar="DUMPS", help="dumps, or globs in quotes: 'dumps/**'")
    sub.add_argument("--out", required=True, metavar="FILE", help="the report, as lastbit verify --format json writes it")
    sub.add_argument("--resume", action="store_true", help="keep what FILE, or a run that was broken off, holds of unchanged dumps")
    sub.add_argument("--address", help="of a Ray cluster (default: one on this machine, for this run)")
    sub.add_argument("--profile", help="NAME, NAME@isa or FILE.json instead of what the dumps say")
    sub.add_argument("--layer", metavar="GLOB", help="only layers whose name matches")
    sub.add_argument("--forms", help="which of integer, float, exact (default all)")
    sub.add_argument("--chained", action="store_true", help="also run the networks through the reference's own tensors")
    sub.add_argument("--split", type=int, default=64, metavar="N", help="cut dumps of more than N layers into ranges (default 64)")
    sub.add_argument("--retries", type=int, default=5, metavar="N", help="restarts of a shard whose worker died (default 5)")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
