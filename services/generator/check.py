"""
Say what is wrong with a generator's settings, and start nothing.

Run as `python -m services.generator.check`.

Who starts a stack asks this first: which models there are, and whether those that are named can
be used, only the generator knows.
"""

import os

from chassis.settings import SettingsError, give_up
from services.generator import choices

if __name__ == "__main__" and (found := choices.problems(os.environ)):
    give_up(SettingsError(found))
