"""One defence of a purchase's life, the change that takes it away, and what must turn red then."""

from dataclasses import dataclass

SIMULATION = "simulation"
MACHINE = "services/generator/purchase.py"
STANDING = "services/generator/standing.py"
SETTLING = "services/generator/settling.py"
KEEPING = "services/generator/keeping.py"
EDGES = "services/catalog/edges.py"
ENDINGS = "services/catalog/endings.py"


@dataclass(frozen=True, slots=True)
class Mutation:
    """*old* stands once in *file*; with *new* in its place the simulation, or *red*, fails."""

    defence: str
    file: str
    old: str
    new: str
    red: str = SIMULATION
