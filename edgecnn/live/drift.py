"""Builds the step that watches a camera for drift, from the configuration and the card of its model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from edgecnn.counts import counted
from edgecnn.errors import EdgeCnnError, InputError

if TYPE_CHECKING:
    from edgecnn.card import ModelCard
    from edgecnn.reference_profile.profile import ReferenceProfile
    from edgecnn.runtime.sources import Source
    from edgecnn.trust.drift.step import DriftStep


def build_drift(
    learn_s: float | None, model: Path, card: ModelCard, source: Source, camera: str, say: Callable[[str], None]
) -> DriftStep | None:
    """The step of a camera: None where ``learn_s`` is None, with the profile of the card where it is 0, else with a learnt one.

    ``say`` gets a line about what the camera is compared with. Raises ``InputError`` for a model that takes no images or has no profile.
    """
    if learn_s is None:
        return None
    from edgecnn.reference_profile.profile import takes_images
    from edgecnn.runtime.steps.clock import captured, media_time
    from edgecnn.trust.drift.step import DriftStep
    from edgecnn.trust.drift.watch import DriftWatch
    from edgecnn.trust.drift.windows import MEASURED_FPS

    if not takes_images(card):
        taken = "tensors" if card.preprocess.tensors else "signals"
        raise InputError(f"--drift compares images, but the model {card.name} takes {taken}", "leave --drift out")
    profile, reference, learnt = _reference(learn_s, model, card, camera, say)
    # images of a folder have no rate: each counts as one that is measured
    clock = captured if source.live else lambda frame: media_time(frame, source.fps, MEASURED_FPS)
    watch = DriftWatch(profile, learn_s=learn_s, camera=camera)
    return DriftStep(watch, reference, clock=clock, learnt=learnt)


Reference = tuple["ReferenceProfile | None", str, "Callable[[ReferenceProfile], str] | None"]


def _reference(learn_s: float, model: Path, card: ModelCard, camera: str, say: Callable[[str], None]) -> Reference:
    """The profile, None where it is still to be learnt; what it is in words; what keeps it when it is learnt."""
    if not learn_s:
        return (
            (profile := _of_card(model, card)),
            f"{counted(profile.images, 'image')} of {profile.source} ({profile.data})",
            None,
        )
    from edgecnn.trust.drift.learnt_file import learnt_path, read_learnt, write_learnt

    path = learnt_path(model, camera)
    known = read_learnt(path, card)
    if known is not None:
        say(f"drift: {camera} is compared with what was learnt before ({path}); delete the file to learn again")
        return known, f"{known.images:,} frames of {known.data}, learnt before", None
    say(f"drift: {camera} is learnt for {learn_s:g} s; what it shows in this time counts as normal")

    def keep(profile: ReferenceProfile) -> str:
        try:
            write_learnt(path, card, profile)
        except EdgeCnnError as error:  # the run goes on with it
            return f" from {profile.images:,} frames, but not kept: {error}"
        return f" from {profile.images:,} frames, and kept in {path}"

    return None, f"what {camera} shows in its first {learn_s:g} s", keep


def _of_card(model: Path, card: ModelCard) -> ReferenceProfile:
    from edgecnn.reference_profile.profile import profile_of

    profile = profile_of(card, str(model))
    if profile is None:
        raise InputError(
            f"--drift: {model.name} has no reference profile",
            "make one with edgecnn drift-profile FILE --data DATA, or learn it from the camera with --drift learn:10m",
        )
    return profile
