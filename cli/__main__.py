"""`python -m cli`, which is what `./studio` runs."""

import sys

try:
    from cli.app import main

    main()
except KeyboardInterrupt:  # while it loads
    print("studio: interrupted; nothing was begun or ended", file=sys.stderr)
    sys.exit(130)
