"""`python -m tidewire` and the `tidewire` command: the whole program."""

import os
import signal
import sys

from tidewire._core import run_program


def main() -> int:
    """Runs the program with the arguments of this process, and returns its exit status."""
    # The program hears SIGINT itself; Python would raise KeyboardInterrupt behind its end.
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    # A socket must not take the number of a stream that is closed.
    for stream in range(3):
        try:
            os.fstat(stream)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    return run_program(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
