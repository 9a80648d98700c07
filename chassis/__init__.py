"""How a process of ours runs: settings, errors, identity, serving, calling, news."""

import os

# grpc's core writes its own lines to standard error, past our logs; what it has to say
# comes back as an error, too. Read once, when grpc is imported.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")
