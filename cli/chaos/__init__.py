"""
`studio chaos`: the proof that nothing bought is lost and nothing is bought twice.

A stack of its own is loaded by several clients while its processes are killed and its vendors
misbehave, all drawn from one seed. What was charged is then held against what was kept.
"""
