"""Signs that an attack did not do its work, so that its curve says too much good of a model."""

from __future__ import annotations

from collections.abc import Sequence

from edgecnn.counts import counted
from edgecnn.metrics.score import TITLES
from edgecnn.trust.attack.attackers import FGSM, NOISE, PGD, SQUARE
from edgecnn.trust.attack.result import NONE, AttackedFile, AttackLevel

MARGIN = 0.02  # of accuracy, from which on one curve is above another


def findings(files: Sequence[AttackedFile], source: str) -> tuple[str, ...]:
    """A sentence for each sign; ``source`` is the name of the file that gave the gradients, "" for none.

    Gradients that are hidden, or zero, make a model look robust that is not (gradient masking: Athalye et al. 2018,
    arXiv:1802.00420, section 3): then noise, or an attack without gradients, does better than one with them.
    """
    found = []
    for one in files:
        levels = {(level.method, level.eps): level for level in one.levels}
        found += [
            line
            for weak, strong in ((NOISE, PGD), (NOISE, FGSM), (SQUARE, PGD), (NOISE, SQUARE))
            if (worst := _worst(levels, weak, strong)) and (line := _sentence(one.name, *worst, own=one.name == source))
        ]
    clean = [level for one in files for level in one.levels if level.method == NONE]
    if any(level.too_few for level in clean):
        images, title = clean[0].images, TITLES[clean[0].metric]
        are = f"{counted(images, 'image')} {'is' if images == 1 else 'are'}"
        found.append(f"{are} too few: the 95 % interval of {title} is wider than 20 points; raise --limit")
    return tuple(found)


def _worst(levels: dict[tuple[str, int], AttackLevel], weak: str, strong: str) -> tuple[AttackLevel, AttackLevel] | None:
    """The pair of the same strength where ``weak`` lowers the accuracy most below ``strong``."""
    pairs = [(levels[weak, eps], level) for (method, eps), level in levels.items() if method == strong and (weak, eps) in levels]
    beaten = [pair for pair in pairs if pair[0].value < pair[1].value - MARGIN]
    return min(beaten, key=lambda pair: pair[0].value - pair[1].value, default=None)


def _sentence(name: str, weak: AttackLevel, strong: AttackLevel, *, own: bool) -> str:
    values = f"{weak.method} leaves {100 * weak.value:.1f} %, {strong.method} {100 * strong.value:.1f} % at {strong.eps}/255"
    if strong.method == SQUARE:
        return f"{name}: the Square attack is weaker than random noise ({values}); give it more --queries"
    if not own:
        return f"{name}: the attack made with gradients of another file does not carry over ({values}); add --method square"
    return f"{name}: {strong.method} is weaker than {weak.method} ({values}); the gradients may be masked, so believe the lower curve"
