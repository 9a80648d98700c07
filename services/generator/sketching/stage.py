"""
From a scene to a sheet: where the light stands, what lies behind, who stands where.

The order of drawing is the order of distance: sky, far land, water, near land, subjects, weather.
"""

# coordinates come in numbers

from services.generator.sketching import abstract, buildings, sky, terrain, water, winged
from services.generator.sketching.colour import WHITE, mix, parse, shade
from services.generator.sketching.crowd import Crowd
from services.generator.sketching.dice import TURN, Dice, sine
from services.generator.sketching.motifs import MOTIFS
from services.generator.sketching.palette import choose
from services.generator.sketching.pen import FINE, Pen, Sheet
from services.generator.sketching.scene import Scene
from services.generator.sketching.terrain import Land


class Stage:
    """A sheet while it is being set; every part of the picture throws its own dice."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        weather = tuple(sorted(scene.air & {"storm", "rain", "snow", "mist"}))
        palette = choose(scene.hour, weather, scene.moods, scene.hue, scene.seed >> 7)
        self.sheet = Sheet(scene.width * FINE, scene.height * FINE, palette)
        dice = self.dice("frame")
        share = dice.between(46, 66) if scene.water else dice.between(58, 71)
        self.sheet.horizon = self.sheet.height * share // 100
        self.left = dice.chance(50)  # the light stands on the left, the subject on the right
        self.light: tuple[int, int, int] | None = None
        self.ground: Land | None = None

    def dice(self, part: str) -> Dice:
        return Dice(part, self.scene.seed)

    def across(self, percent: int) -> int:
        """A column, counted from the side where the light stands."""
        return self.sheet.width * (percent if self.left else 100 - percent) // 100

    def set(self) -> Sheet:
        self.heavens()
        if self.scene.terrain == "abstract":
            abstract.fill(self.sheet, self.dice("abstract"), self.scene.strange)
        else:
            self.land()
            if self.scene.water:
                self.water()
            self.foreground()
            if not self.scene.subjects:
                abstract.emblems(self.sheet, self.scene.strange[:2])
        Crowd(self.scene, self.sheet, self.ground, self.left).gather()
        self.weather()
        return self.sheet

    def heavens(self) -> None:
        sheet, air, dice = self.sheet, self.scene.air, self.dice("heavens")
        sky.glow(
            sheet,
            self.across(dice.between(20, 40)),
            sheet.horizon,
            sheet.unit,
            sheet.palette.glow,
            34,
        )
        if "stars" in air:
            many = 420 if self.scene.terrain == "space" else 260
            sky.stars(
                sheet,
                self.dice("stars"),
                sheet.height if self.scene.terrain == "space" else sheet.horizon,
                many,
            )
        if "aurora" in air:
            sky.aurora(sheet, self.dice("aurora"), sheet.horizon)
        if self.scene.terrain == "space":
            self._space(self.dice("space"))
        self._disc(dice)
        if "clouds" in air or "storm" in air or "rain" in air:
            self._clouds(self.dice("clouds"))
        self._marvels(self.dice("marvels"))

    def _disc(self, dice: Dice) -> None:
        sheet, air = self.sheet, self.scene.air
        x, unit = self.across(dice.between(22, 40)), sheet.unit
        if "sun" in air and "moon" not in air:
            low = {"dawn": (66, 92), "dusk": (68, 96), "noon": (26, 48)}.get(
                self.scene.hour, (34, 80)
            )
            y, radius = (
                sheet.horizon * dice.between(*low) // 100,
                unit * dice.between(54, 118) // 1000,
            )
            if "neon" in self.scene.moods:
                y, radius = sheet.horizon * 68 // 100, unit * 16 // 100
                x = sheet.width * dice.between(42, 58) // 100
            sky.sun(sheet, x, y, radius, sliced="neon" in self.scene.moods)
            self.light = (x, y, radius)
        elif "moon" in air:
            y, radius = (
                sheet.horizon * dice.between(24, 52) // 100,
                unit * dice.between(46, 76) // 1000,
            )
            sky.moon(sheet, dice, x, y, radius)
            self.light = (x, y, radius)

    def _clouds(self, dice: Dice) -> None:
        sheet, heavy = self.sheet, bool(self.scene.air & {"storm", "rain"})
        colour = (
            mix(sheet.palette.haze, sheet.palette.sky[0], 55)
            if heavy
            else mix(sheet.palette.haze, WHITE, 24)
        )
        if sheet.palette.dark and not heavy:
            colour = mix(sheet.palette.sky[3], sheet.palette.sky[2], 45)
        low = sheet.horizon * (45 if heavy else 78) // 100
        sky.clouds(sheet, dice, 0 if heavy else sheet.horizon // 8, low, 9 if heavy else 5, colour)
        if not heavy and self.scene.hour in ("noon", "poster") and dice.chance(70):
            for _ in range(dice.between(1, 3)):
                x, y = (
                    dice.between(8, 92) * sheet.width // 100,
                    sheet.horizon * dice.between(16, 62) // 100,
                )
                sky.cumulus(sheet, dice, x, y, sheet.unit * dice.between(9, 17) // 100)

    def _space(self, dice: Dice) -> None:
        sheet = self.sheet
        for _ in range(5):
            hue = dice.pick(
                (
                    sheet.palette.glow,
                    sheet.palette.accent,
                    sheet.palette.sky[3],
                    parse("b05fd0"),
                    parse("3fb0c9"),
                )
            )
            x, y = dice.between(0, sheet.width), dice.between(0, sheet.height * 8 // 10)
            sky.glow(
                sheet, x, y, sheet.unit * dice.between(30, 60) // 100, hue, dice.between(22, 44)
            )
        hue = mix(
            dice.pick((sheet.palette.accent, parse("d98a5a"), parse("5fa8b8"), parse("c96a8a"))),
            sheet.palette.sky[2],
            20,
        )
        sky.planet(
            sheet,
            dice,
            self.across(dice.between(58, 78)),
            sheet.height * dice.between(22, 38) // 100,
            sheet.unit * dice.between(90, 165) // 1000,
            hue,
        )

    def _marvels(self, dice: Dice) -> None:
        """What was asked for by name in the sky."""
        sheet, air, unit = self.sheet, self.scene.air, self.sheet.unit
        if "rainbow" in air:
            sky.rainbow(sheet, self.across(58), sheet.horizon + unit // 12, unit * 48 // 100)
        if "comet" in air:
            for _ in range(dice.between(1, 3)):
                sky.comet(
                    sheet,
                    dice,
                    dice.between(5, 80) * sheet.width // 100,
                    sheet.horizon * dice.between(20, 65) // 100,
                )
        if "planet" in air and self.scene.terrain != "space":
            sky.planet(
                sheet,
                dice,
                self.across(72),
                sheet.horizon * 32 // 100,
                unit * 12 // 100,
                mix(sheet.palette.accent, sheet.palette.sky[2], 25),
            )
        if "fireworks" in air:
            for hue in ("ffd166", "ff6b8a", "6fe0d0", "c9a0ff"):
                sky.fireworks(
                    sheet,
                    dice,
                    dice.between(10, 90) * sheet.width // 100,
                    sheet.horizon * dice.between(14, 62) // 100,
                    unit * dice.between(8, 17) // 100,
                    parse(hue),
                )
        if "storm" in air:
            sky.lightning(sheet, dice, self.across(dice.between(28, 72)), 0, sheet.horizon)

    def land(self) -> None:
        """Layers of land behind the foreground, each fading at its foot."""
        kind, sheet, dice = self.scene.terrain, self.sheet, self.dice("land")
        if kind == "sea":
            if dice.chance(66):
                far = dice.pick(("hills", "hills", "mountains"))
                self._layer(
                    dice, far, 0, 3, sheet.horizon + 2, sheet.unit * dice.between(4, 10) // 100
                )
            return
        if kind == "city":
            self._city(dice)
            return
        layers = 2 if self.scene.water else dice.between(3, 4)
        top = sheet.horizon - sheet.unit * (2 if self.scene.water else 10) // 100
        span = (sheet.height * 86 // 100 if not self.scene.water else sheet.horizon + 4) - top
        for layer in range(layers):
            foot = top + span * (layer + 1) // layers if not self.scene.water else sheet.horizon + 4
            high = sheet.unit * dice.between(17, 25) * (100 - 46 * layer // layers) // 10_000
            if kind in ("mountains", "volcano"):
                high = high * (17 if layer == 0 else 13) // 10
            self._layer(dice, kind, layer, layers + 1, foot, high)

    def _layer(self, dice: Dice, kind: str, layer: int, layers: int, foot: int, high: int) -> None:
        sheet = self.sheet
        colour = terrain.depth_colour(sheet, layer, layers)
        if kind == "desert":
            sand = mix(
                mix(parse("e9b573"), sheet.palette.haze, 30), parse("9a5f34"), 90 * layer // layers
            )
            colour = mix(colour, sand, 46 if sheet.palette.dark else 80)
        ridge = terrain.PROFILES[kind](dice)
        if kind == "volcano" and layer == 0:
            ridge = _cone(ridge)
        land = Land(sheet, ridge, foot, high, colour)
        land.draw(sheet.height)
        self._cover(dice, kind, land, layer)
        land.hatched(dice, shade(colour, -45), high // 3)
        mist = 62 if "mist" in self.scene.air or "misty" in self.scene.moods else 34
        base = mix(sheet.palette.haze, colour, 30)
        sheet.rows(foot - high * 6 // 10, foot + high // 5, (base, 0), (base, 255 * mist // 100))

    def _cover(self, dice: Dice, kind: str, land: Land, layer: int) -> None:
        sheet, lit = self.sheet, terrain.sunlit(self.sheet, land.colour, 30)
        if kind in ("mountains", "volcano"):
            snowy = layer == 0 or "snow" in self.scene.air
            white = mix(sheet.palette.haze, WHITE, 66) if snowy else None
            land.faces(dice, lit, white, from_left=self.left)
        elif kind == "desert":
            land.shadow_side(dice, mix(land.colour, sheet.palette.near, 30), sheet.height)
        elif kind == "forest":
            land.pines(dice, land.colour, sheet.unit * (7 + 5 * layer) // 100, 92)
        elif kind in ("hills", "meadow"):
            land.facets(dice, terrain.sunlit(sheet, land.colour, 16), 30, from_left=self.left)
        if kind == "volcano" and layer == 0:
            self._eruption(land)

    def _eruption(self, land: Land) -> None:
        x, y = self.sheet.width // 2, land.y(self.sheet.width // 2)
        unit = self.sheet.unit
        sky.glow(self.sheet, x, y, unit // 3, parse("ff6a2a"), 80)
        for step in range(8):
            size = unit * (18 + step * 7) // 1000
            self.sheet.oval(
                (
                    x - size + step * unit // 60,
                    y - step * unit // 26 - size,
                    x + size + step * unit // 60,
                    y - step * unit // 26 + size * 6 // 10,
                ),
                mix(self.sheet.palette.sky[1], parse("6b4a4a"), 50),
                170,
                plain=True,
            )
        for sway in (-30, 8, 40):
            path = [(x + sway * k * unit // 12_000, y + k * unit // 60) for k in range(8)]
            self.sheet.line(path, parse("ff7a2f"), max(2, unit // 160))

    def _city(self, dice: Dice) -> None:
        sheet = self.sheet
        foot = sheet.horizon + 2 if self.scene.water else sheet.height * 84 // 100
        for layer, share in enumerate((46, 40, 30)):
            colour = terrain.depth_colour(sheet, layer, 3)
            base = foot if self.scene.water else sheet.horizon + (foot - sheet.horizon) * layer // 2
            pen = Pen(sheet, 0, base, sheet.unit * share // 100)
            buildings.skyline(pen, dice, colour, lamps=layer > 0)
            if not self.scene.water:
                sheet.rows(base, sheet.height, (colour, 255), (colour, 255))
            haze = mix(sheet.palette.haze, colour, 20)
            sheet.rows(base - sheet.unit // 8, base + 4, (haze, 0), (haze, 120 - layer * 34))

    def water(self) -> None:
        x = self.light[0] if self.light else None
        water.surface(self.sheet, self.dice("water"), self.sheet.horizon, x)

    def foreground(self) -> None:
        """The land at the painter's feet, where anybody stands on it."""
        sheet, dice = self.sheet, self.dice("foreground")
        stands = any(MOTIFS[subject.name].place == "ground" for subject in self.scene.subjects)
        if self.scene.water and not stands:
            return
        near = mix(sheet.palette.near, parse("f2f5fa"), 78 if "snow" in self.scene.air else 0)
        if self.scene.terrain == "desert":
            near = mix(near, parse("9a5f34"), 40 if sheet.palette.dark else 74)
        if self.scene.water:
            ridge, foot, high = (
                _headland(dice, light_left=self.left),
                sheet.height * 102 // 100,
                sheet.height * 25 // 100,
            )
        else:
            ridge = (
                terrain.flat(dice)
                if self.scene.terrain in ("city", "desert")
                else terrain.rolling(dice)
            )
            foot, high = sheet.height * 92 // 100, sheet.unit * 11 // 100
        self.ground = Land(sheet, ridge, foot, high, near)
        self.ground.draw(sheet.height)
        if not self.scene.water:
            self.ground.facets(dice, terrain.sunlit(sheet, near, 12), 16, from_left=self.left)
        self.ground.hatched(dice, shade(near, -40), sheet.unit // 14)
        self._growth(dice, self.ground)

    def _growth(self, dice: Dice, ground: Land) -> None:
        sheet, kind = self.sheet, self.scene.terrain
        if kind in ("desert", "city", "space") or "snow" in self.scene.air:
            return
        ground.grasses(dice, mix(ground.colour, sheet.palette.near, 50), 150)
        if kind == "forest":
            ground.pines(dice, ground.colour, sheet.unit * 34 // 100, 34)
        if kind == "meadow" or "spring" in self.scene.moods:
            for hue in (
                sheet.palette.accent,
                sheet.palette.second,
                sheet.palette.glow,
                parse("f2b6c8"),
            ):
                spots = []
                for _ in range(46):
                    x = dice.between(0, sheet.width)
                    y = ground.y(x)
                    spots.append((x, y + (sheet.height - y) * dice.between(3, 100) // 100))
                sheet.dots(spots, hue, max(1, sheet.unit // dice.between(230, 330)))

    def weather(self) -> None:
        sheet, air, dice = self.sheet, self.scene.air, self.dice("weather")
        names = {subject.name for subject in self.scene.subjects}
        calm = not air & {"rain", "storm", "snow"} and self.scene.terrain not in (
            "space",
            "abstract",
        )
        if calm and not sheet.palette.dark and "bird" not in names and dice.chance(62):
            pen = Pen(
                sheet,
                self.across(dice.between(48, 70)),
                sheet.horizon * dice.between(28, 58) // 100,
                sheet.unit * 26 // 100,
            )
            winged.flock(
                pen, dice, dice.between(4, 9), mix(sheet.palette.near, sheet.palette.haze, 25)
            )
        if "rain" in air or "storm" in air:
            sky.rain(sheet, dice, 330)
        if "snow" in air:
            sky.snow(sheet, dice, 420)
        if "mist" in air or "misty" in self.scene.moods:
            for _ in range(3):
                y, high = (
                    sheet.height * dice.between(52, 88) // 100,
                    sheet.unit * dice.between(6, 13) // 100,
                )
                sheet.rows(y - high, y, (sheet.palette.haze, 0), (sheet.palette.haze, 108))
                sheet.rows(y, y + high, (sheet.palette.haze, 108), (sheet.palette.haze, 0))


def _cone(ridge: terrain.Ridge) -> terrain.Ridge:
    """One great cone in the middle of a lower ridge."""
    middle = terrain.STEPS // 2
    cone = [
        1250 - max(3, abs(step - middle)) * 1500 // middle * (140 - abs(step - middle)) // 100
        for step in range(len(ridge))
    ]
    return [max(low // 2, high) for low, high in zip(ridge, cone, strict=True)]


def _headland(dice: Dice, *, light_left: bool) -> terrain.Ridge:
    """Land that comes in from the side away from the light, and sinks into the water."""
    reach = dice.between(60, 74)
    ridge = []
    for step in range(terrain.STEPS + 1):
        from_side = (terrain.STEPS - step if light_left else step) * 100 // terrain.STEPS
        rest = max(0, reach - from_side) * 100 // reach
        swell = sine(rest * TURN // 400) * 1000 // TURN
        ridge.append(swell + dice.between(-12, 12) if rest else 0)
    return ridge


def set_stage(scene: Scene) -> Sheet:
    """The sheet for *scene*: the same for all styles."""
    return Stage(scene).set()
