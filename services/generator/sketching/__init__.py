"""
The drawing behind the built-in sketch models: a picture from a prompt's words and a seed.

Pure drawing: it knows no network, no RPC and no other part of the generator, so that the
child processes that draw stay small.
"""
