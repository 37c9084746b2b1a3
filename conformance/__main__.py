"""The program `conformance`, which Ctrl-C ends in one line, also while its modules are imported."""

import sys


def main() -> None:
    """Run the program, and say that it was interrupted where it was; a second Ctrl-C ends what takes long to end."""
    try:
        from conformance import cli  # every import stands here, where Ctrl-C is heard

        cli.main()
    except KeyboardInterrupt:
        import signal

        from conformance.io.exit_status import INTERRUPTED

        signal.signal(signal.SIGINT, signal.SIG_DFL)
        begin = "\n" * sys.stderr.isatty()  # behind the ^C of a terminal
        sys.stderr.write(f"{begin}conformance: interrupted\n")
        sys.exit(INTERRUPTED)


if __name__ == "__main__":
    main()
