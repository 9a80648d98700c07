"""A process of the tests that ends as HOW says, with last words of a thread and of an exit hook."""

import atexit
import os
import sys
import threading


def main() -> None:
    print("begun")
    atexit.register(print, "an exit hook's")
    threading.Thread(target=_last).start()
    how = os.environ["HOW"]
    if how == "fails":
        raise ValueError(how)
    if how != "well":
        sys.exit(int(how) if how.isdecimal() else how)


def _last() -> None:
    threading.main_thread().join()
    print("a thread's")


if __name__ == "__main__":
    main()
