"""`python -m cli`, which is what `./studio` runs."""

from cli.app import main

main()
