"""Defences of what an order needs before it leaves: its input images; see `mutations.py`."""

from tests.generator.mutation import Mutation

_SIGNS = "services/generator/signs.py"
_FILES = "services/generator/providers/replicate_files.py"

TABLE = (
    Mutation(
        "what never came to a provider says nothing of it",
        _SIGNS,
        "        case seam.Unsent():\n            return edge_pb2.PROVIDER_SIGN_UNSPECIFIED\n",
        "",
    ),
    Mutation(
        "an answer that our own storage did not keep says nothing of a provider",
        _SIGNS,
        "        case seam.Busy() | seam.Unkept():\n",
        "        case seam.Busy():\n",
    ),
    Mutation(
        "what was never sent is never unclear",
        "services/generator/unbought.py",
        "        case seam.Unavailable(retry_after=wait):\n"
        "            return _sent_back(error, wait or _RETRY, another=another)\n",
        "",
    ),
    Mutation(
        "who slept over what an order needs does not order",
        "services/generator/providers/answered.py",
        "    if clock() > until:  # whoever slept may not order any more\n",
        "    if False:\n",
        "tests/generator/test_answered.py",
    ),
    Mutation(
        "who slept over its uploads does not order",
        "services/generator/providers/replicate.py",
        "        if clock() - began > left:  # whoever slept",
        "        if False:  # whoever slept",
        "tests/generator/test_replicate_files.py",
    ),
    Mutation(
        "an upload that may be there is none that was bought",
        _FILES,
        "        except seam.Unclear as error:  # an upload that may be there",
        "        except ZeroDivisionError as error:  # an upload that may be there",
        "tests/generator/test_replicate_files.py",
    ),
    Mutation(
        "an upload is used again while it surely lives, and no longer",
        _FILES,
        '        return url if self.clock() - since < _LIVES else ""\n',
        "        return url\n",
        "tests/generator/test_replicate_files.py",
    ),
    Mutation(
        "of two lost orders each is known by its pictures",
        _FILES,
        "                    case False:\n                        return False\n",
        "",
        "tests/generator/test_replicate_files.py",
    ),
    Mutation(
        "an input image that cannot be read just now is waited for",
        "services/generator/pictures.py",
        "_NEVER = (errors.Missing, errors.DataLoss)",
        "_NEVER = (errors.Fault,)",
        "tests/generator/test_pictures.py",
    ),
)
