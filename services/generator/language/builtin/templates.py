"""
What a suggestion adds to an idea: a view with its shape, a light, a medium and a touch.

Each line is a short title and the words of the prompt; a view's ends with its aspect. A view
belongs to a kind of idea, the rest suits any.
"""

from typing import NamedTuple


class Part(NamedTuple):
    """One thing that is added: its title, its words and, for a view, the "W:H" that suits it."""

    title: str
    words: str
    aspect: str = ""


def _read(table: str) -> tuple[Part, ...]:
    return tuple(Part(*line.split(" | ")) for line in table.strip().splitlines())


VIEWS = {
    kind: _read(table)
    for kind, table in {
        "place": """
Wide view | a wide view with depth, a clear foreground, a middle distance and a far horizon | 16:9
From above | seen from high above, the land laid out in broad shapes | 4:3
Framed view | framed by dark shapes close to the viewer, the distance bright | 3:2
Small figure | one tiny figure for scale, much empty space around it | 2:3
Low horizon | a very low horizon under a huge sky | 3:2
""",
        "city": """
Street level | from street level, lines of the street drawn towards one point | 3:2
Rooftops | over the rooftops, layer behind layer into the haze | 16:9
Looking up | looking straight up between the walls, a strip of sky | 2:3
Quiet corner | one quiet corner, a lit window, a wet pavement | 4:3
Cutaway | an isometric cutaway on a plain ground, small scenes behind every wall | 1:1
""",
        "creature": """
Close portrait | a close portrait at eye level, sharp eyes, the background out of focus | 1:1
In its element | small in its surroundings, the place tells as much as the animal | 16:9
In motion | caught in the middle of a movement, a clear silhouette | 3:2
Plate | a natural history plate on plain paper, seen from the side, fine detail | 4:3
Low angle | from a low angle close to the ground, so that it towers | 2:3
""",
        "person": """
Half-length | a half-length portrait, turned slightly away, a calm plain background | 3:4
From behind | seen from behind, looking into the distance | 2:3
At work | at work, hands busy, the tools around them told in detail | 3:2
Silhouette | as a dark silhouette before a bright ground | 4:3
Whole figure | the whole figure, standing, with room all around | 9:16
""",
        "building": """
On the rise | standing alone on a rise, a path leads up to it | 3:2
Straight on | straight on and symmetrical, every line upright | 1:1
From below | from close below, tall against the sky | 2:3
Mirrored | reflected whole in still water | 4:3
Small in the land | small in a wide land, found only at the second look | 16:9
""",
        "plant": """
Very close | very close, every vein and drop to be seen | 1:1
Botanical plate | a botanical plate on cream paper, with the parts drawn beside it | 3:4
Against the sky | from below against the sky | 2:3
Repeated | as a pattern that repeats, leaves and blossoms interlocked | 1:1
Alone | alone in an open field with much air around it | 3:2
""",
        "vehicle": """
Three-quarter view | a three-quarter view from the front, weight on the ground | 3:2
Passing by | passing by at speed, the background drawn into streaks | 16:9
From above | straight from above, a clean shape on its ground | 1:1
Coming closer | coming out of the distance towards the viewer | 2:3
At rest | at rest at the end of a journey, details of wear | 4:3
""",
        "thing": """
Still life | a still life on a wooden table, beside two plain companions | 4:3
Studio shot | alone on a seamless ground, one soft shadow | 1:1
In use | in use, a hand at the edge of the picture | 3:2
Exploded | taken apart in the air, each part in its order | 3:4
Monumental | as large as a house in an empty landscape | 16:9
""",
        "mark": """
Emblem | a simple emblem, one bold shape, readable when very small, plain ground | 1:1
Badge | a round badge with a thick rim, two colours | 1:1
One line | drawn with a single unbroken line of even width | 1:1
Cut shapes | made of three overlapping geometric shapes | 1:1
Poster | as a poster, the mark large above much empty space | 2:3
""",
        "any": """
Whole scene | a whole scene with a clear centre, calm towards the edges | 3:2
Close up | close up, so that it fills the picture | 1:1
From afar | from afar, small, with much empty space | 16:9
Tall | stacked upwards in a tall picture, near things below, far things above | 2:3
Pattern | as an even pattern without a centre | 1:1
""",
    }.items()
}
LIGHTS = _read("""
first light | in the first light of morning, long soft shadows
golden hour | in low golden light from the side
blue hour | in the blue hour, a few warm lamps against cool air
overcast | under an even overcast sky, soft colours without hard shadows
high noon | in hard noon light, short deep shadows
moonlight | by moonlight, silver edges, deep blue shade
mist | in thin mist, every layer paler than the one before
back light | lit from behind, a bright rim around the shapes
""")
MEDIA = _read("""
photograph | photograph, natural colours, fine grain
watercolour | loose watercolour on rough paper, the white of the paper left open
gouache | gouache with flat opaque layers and visible brush edges
ink drawing | ink drawing with hatching, one colour of wash
oil painting | oil painting with thick confident strokes
linocut | linocut in two colours, bold cuts, slight misprint
flat illustration | flat illustration in few colours, clean shapes
paper cut | layers of cut paper with small real shadows
pencil drawing | soft pencil drawing on toned paper, white highlights
clay model | small clay model, finger marks, photographed on a table
""")
TOUCHES = _read("""
quiet | a quiet mood
few colours | three colours only
one accent | muted all over with one bright accent
warm palette | a warm palette
cool palette | a cool palette
high contrast | strong light and dark
pale | pale and airy tones
rich | deep rich tones
""")
# For those who have no idea yet.
IDEAS = (
    "a lighthouse on a headland", "a fox in a birch forest", "an old tram in a steep street",
    "a teapot and two pears", "a village in deep snow", "a heron in the reeds",
    "a greenhouse at night", "a sailing boat before a storm", "a watchmaker at the bench",
    "a bridge over a gorge", "a field of poppies", "a rocket on its way to the moon",
    "a library with tall windows", "a whale below a small boat", "a market under lanterns",
)  # fmt: skip

_SUBJECTS = {
    "creature": "cat dog fox rabbit deer horse elephant bird owl whale fish butterfly dragon",
    "person": "person robot",
    "building": "lighthouse house castle tower windmill bridge tent pyramid",
    "plant": "tree pine palm cactus flower mushroom",
    "vehicle": "boat ship rocket balloon train car bicycle",
    "thing": "lantern umbrella kite heart book cup guitar",
}
KINDS = {name: kind for kind, names in _SUBJECTS.items() for name in names.split()}
_MARKS = "logo icon emblem badge sticker monogram mascot wordmark symbol"
MARKS = frozenset(_MARKS.split())
_MEDIUM_WORDS = """
photo photograph photography photographic photorealistic polaroid film painting painted oil
watercolor watercolour gouache acrylic ink drawing drawn sketch pencil charcoal pastel linocut
woodcut etching engraving print illustration illustrated cartoon comic anime manga vector flat
paper origami collage clay render rendered 3d cgi pixel pixel-art mosaic mural foto aquarell
gemälde zeichnung aquarelle peinture dessin acuarela pintura dibujo
"""
MEDIUM_WORDS = frozenset(_MEDIUM_WORDS.split())  # an idea with one of them has chosen
