"""`python -m samples.standins`: serve until stopped; stdout's first line says where, as JSON."""

import argparse
import json
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

from samples.standins.server import HOST, Limited, StandIns


def main() -> None:
    """Start both stand-ins on loopback and wait."""
    options = _options()
    limited = Limited(
        slack_rate=options.slack_rate,
        slack_burst=options.slack_burst,
        slack_calls_per_minute=options.slack_calls_per_minute,
        pagerduty_per_minute=options.pagerduty_per_minute,
    )
    standins = StandIns.made(limited, options.port)
    standins.bind = options.host
    standins.faults.plan(_orders(options.faults))
    standins.start()
    sys.stdout.write(json.dumps(standins.addresses()) + "\n")
    sys.stdout.flush()
    with suppress(KeyboardInterrupt):
        if options.until_stdin_closes:
            sys.stdin.read()
        else:
            threading.Event().wait()
    standins.stop()


def _options() -> argparse.Namespace:
    limits = Limited()
    parser = argparse.ArgumentParser(prog="python -m samples.standins", description=main.__doc__)
    parser.add_argument("--port", type=int, default=0, help="0: any free port")
    parser.add_argument("--host", default=HOST, help="the interface to listen on")
    parser.add_argument("--slack-rate", type=float, default=limits.slack_rate)
    parser.add_argument("--slack-burst", type=float, default=limits.slack_burst)
    parser.add_argument(
        "--slack-calls-per-minute", type=float, default=limits.slack_calls_per_minute
    )
    parser.add_argument("--pagerduty-per-minute", type=float, default=limits.pagerduty_per_minute)
    parser.add_argument(
        "--faults", default="[]", help="JSON list of faults, or @FILE; see samples/standins/README"
    )
    parser.add_argument(
        "--until-stdin-closes",
        action="store_true",
        help="end when stdin does: tied to the life of whoever started this",
    )
    return parser.parse_args()


def _orders(text: str) -> list[dict[str, Any]]:
    source = Path(text[1:]).read_text(encoding="utf-8") if text.startswith("@") else text
    orders: list[dict[str, Any]] = json.loads(source)
    return orders


if __name__ == "__main__":
    main()
