"""`python -m graph.demo`: the demo model alone, until Ctrl-C."""

import argparse
import contextlib
import sys
import threading

from graph.demo import DemoModel, Script


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m graph.demo", description="Run the demo model by itself.")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument(
        "--scripting", action="store_true", help="let tests direct it (/demo/..., [[directives]])"
    )
    options = parser.parse_args()
    model = DemoModel(Script() if options.scripting else None, port=options.port)
    try:
        model.start()
    except OSError as error:
        sys.exit(f"port {options.port} cannot be used ({error.strerror}): take another with --port")
    sys.stdout.write(f"{model.base_url}\n")
    sys.stdout.flush()
    with contextlib.suppress(KeyboardInterrupt):
        threading.Event().wait()
    model.close()


if __name__ == "__main__":
    main()
