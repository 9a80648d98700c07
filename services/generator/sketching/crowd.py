"""Where the subjects stand: who is named first is the largest, and the farthest is drawn first."""

from collections import Counter
from dataclasses import dataclass

from services.generator.sketching import sky, water
from services.generator.sketching.colour import Colour, shade
from services.generator.sketching.dice import Dice
from services.generator.sketching.motifs import MOTIFS, Motif, colour_of
from services.generator.sketching.pen import Pen, Sheet
from services.generator.sketching.scene import Scene
from services.generator.sketching.terrain import Land

_CROWD = 7  # the most of one subject


@dataclass(frozen=True, slots=True)
class Crowd:
    """Everybody in the picture, on *ground* where there is some."""

    scene: Scene
    sheet: Sheet
    ground: Land | None
    left: bool  # the light stands on the left, and so the first subject on the right

    def _across(self, percent: int) -> int:
        return self.sheet.width * (percent if self.left else 100 - percent) // 100

    def gather(self) -> None:
        """Everything named, the farthest first; the first word is the largest."""
        dice = Dice("subjects", self.scene.seed)
        taken: Counter[str] = Counter()
        waiting: list[tuple[int, Pen, Motif, Colour]] = []
        for rank, subject in enumerate(self.scene.subjects):
            motif = MOTIFS[subject.name]
            colour = colour_of(motif, subject.hue, self.sheet.palette, dice)
            many = min(subject.many, _CROWD)
            for index in range(many):
                if index and not subject.hue and motif.place in ("air", "water"):
                    colour = colour_of(motif, "", self.sheet.palette, dice)
                pen = self._placed(dice, motif, taken[motif.place], many, rank)
                taken[motif.place] += 1
                waiting.append((pen.y if motif.place != "far" else 0, pen, motif, colour))
        for _, pen, motif, colour in sorted(waiting, key=lambda one: one[0]):
            self._appear(pen, motif, colour, dice)

    def _placed(self, dice: Dice, motif: Motif, slot: int, many: int, rank: int) -> Pen:
        sheet = self.sheet
        share = dice.between(76, 108) if rank == 0 else (78, 66, 60)[min(rank, 3) - 1]
        share = share * (100, 88, 80, 70, 64, 58, 54)[many - 1] * dice.between(92, 108) // 10_000
        if slot and many > 1:
            share = share * dice.between(68, 100) // 100
        size = sheet.unit * motif.size * share // 100_000
        x = self._across((66, 40, 84, 22, 53, 93, 8)[slot % 7] + dice.between(-4, 4))
        flip = dice.chance(50) if motif.place in ("air", "water") else x > sheet.width // 2
        match motif.place:
            case "ground":
                return self._grounded(x, size, dice, flip=flip, crowded=many > 1 or slot > 0)
            case "water":
                depth = (42, 16, 60, 24, 8, 34, 12)[slot % 7]
                y = sheet.horizon + (sheet.height - sheet.horizon) * depth // 100
                return Pen(sheet, x, y, size * (62 + depth) // 100, flip, veil=max(0, 24 - depth))
            case "air":
                y = sheet.horizon * (48, 30, 66, 22, 76, 40, 58)[slot % 7] // 100
                return Pen(sheet, x, y + size // 6, size, flip)
            case "perch":
                return Pen(sheet, x, sheet.height * 64 // 100, size * 13 // 10, flip)
        y = sheet.horizon + (sheet.unit // 30 if self.scene.water else sheet.unit // 10)
        return Pen(sheet, x, y, size, flip, veil=16)

    def _grounded(self, x: int, size: int, dice: Dice, *, flip: bool, crowded: bool) -> Pen:
        sheet = self.sheet
        if self.ground is None:
            return Pen(sheet, x, sheet.height * 88 // 100, size, flip)
        if self.scene.water:  # only the headland carries
            side = sheet.width * (79 if self.left else 21) // 100
            x = side + (x - side) * 45 // 100
        half = size // 7  # on a slope, the lower foot decides
        y = max(self.ground.y(x - half), self.ground.y(x + half)) + sheet.unit // 120
        if crowded and not self.scene.water:
            y += max(0, sheet.height - y) * dice.between(0, 42) // 100
        return Pen(sheet, x, y, size, flip)

    def _appear(self, pen: Pen, motif: Motif, colour: Colour, dice: Dice) -> None:
        if motif.place == "ground":
            sky.glow(
                self.sheet, pen.x, pen.y - pen.size // 2, pen.size, self.sheet.palette.haze, 30
            )
        if motif.place == "ground" and not self.scene.water:
            wide = pen.size * 30 // 100
            self.sheet.oval(
                (pen.x - wide, pen.y - wide // 8, pen.x + wide, pen.y + wide // 8),
                shade(self.sheet.palette.near, -40),
                80,
                plain=True,
            )
        motif.draw(pen, dice, colour)
        if motif.place == "water":
            water.foam(self.sheet, dice, pen.x, pen.y + pen.size // 22, pen.size * 42 // 100)
