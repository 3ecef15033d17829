"""The reasons of an answer in whole sentences."""

from __future__ import annotations

from edgecnn.counts import counted
from edgecnn.trust.explain.why.answer import Said
from edgecnn.trust.explain.why.result import ChangedPart, EvidenceMap, Reasons
from edgecnn.trust.explain.why.smallest_change import SmallestChange


def reasons_lines(found: Reasons) -> tuple[str, ...]:
    """For a terminal, a sentence in each line."""
    return (answer_line(found), *evidence_lines(found), *change_lines(found), *similar_lines(found))


def answer_line(found: Reasons) -> str:
    """What the model says, and what is second."""
    said = found.said
    if said is None:
        return f"{found.name}: no box has a score of {found.threshold:g} or more, so there is nothing to explain."
    margin = (
        f"{said.second_name} is second with {score_words(said.second_score)}, {score_words(said.score - said.second_score)} less"
    )
    if said.box is None:
        return f"{found.name}: {said.name} with {score_words(said.score)}; {margin}."
    if said.second < 0:
        margin = "no other class has a box there"
    return f"{found.name}: the strongest box is {said.name} with {score_words(said.score)}; {margin}."


def evidence_lines(found: Reasons) -> list[str]:
    """Where the evidence for the answer lies, by method."""
    return [_evidence(one, "its box" if found.said and found.said.box is not None else "the image") for one in found.evidence]


def change_lines(found: Reasons) -> list[str]:
    """The smallest part to cover, and the smallest changes."""
    if found.said is None or not found.changes:
        return []
    return [covering_line(found), *(smallest_line(found.said, one) for one in found.changes)]


def covering_line(found: Reasons) -> str:
    """The smallest part that changes the answer where it is covered."""
    said, part = found.said, found.covering
    assert said is not None
    if part is None:
        whole = "the image" if said.box is None else "the box and its surroundings"
        return f"No part of up to half of {whole} that was tried changes the answer where it is covered."
    return f"With {_part_words(said, part)} covered, it {state_words(part.after)}."


def smallest_line(said: Said, change: SmallestChange) -> str:
    """The smallest change of one kind, or what was tried in vain."""
    if change.level is None:
        if not change.tried:
            return f"{change.name[0].upper()}{change.name[1:]}: not tried, the object would leave the image."
        return f"It stays {said.name} {change.tried}."
    return f"{change.words[0].upper()}{change.words[1:]} it {state_words(change.after)}."


def similar_lines(found: Reasons) -> list[str]:
    """The most similar image with another class, and how much of it changes the answer."""
    similar, said = found.similar, found.said
    if similar is None or said is None:
        return []
    lines = [
        f"Of {counted(similar.looked_at, 'image')}, the most similar one with another class is {similar.name}: {similar.said.name} with "
        f"{score_words(similar.said.score)}, similarity {similar.similarity:.2f}."
    ]
    part = found.exchanged
    if part is not None:
        lines.append(f"With {_part_words(said, part)} taken from there, this image {state_words(part.after)}.")
    return lines


def state_words(after: Said | None) -> str:
    """What a changed image is: "is bowl with 0.44", "is no longer found"."""
    if after is None:
        return "is no longer found"
    return f"is {after.name} with {score_words(after.score)}"


def short_words(after: Said | None) -> str:
    """The answer under a picture."""
    return "not found" if after is None else f"{after.name} {score_words(after.score)}"


def score_words(score: float) -> str:
    """A score with two decimals, without a zero that is none."""
    return f"{score:.2f}" if score >= 0.005 or score <= 0 else "less than 0.01"


def _part_words(said: Said, part: ChangedPart) -> str:
    share = f"{_percent(part.image_share)} of the image"
    where = "image" if said.box is None else "box"
    if part.box_share is not None:
        share = f"{_percent(part.box_share)} of the box, {share}"
    place = "in several places" if part.place == "several places" else f"at the {part.place} of the {where}"
    what = f"the {part.part} " if part.part else "a part "
    return f"{what}{place} ({share})"


def _evidence(one: EvidenceMap, whole: str) -> str:
    words = f"Evidence by {one.method}: highest at the {one.place} of {whole}"
    if one.inside is None:
        return f"{words}."
    return f"{words}; {_percent(one.inside.inside)} of it in the box, which is {_percent(one.inside.area)} of the image."


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %" if share < 0.1 else f"{100 * share:.0f} %"
