"""The options of `edgecnn run` for what is seen in motion, and what makes a camera's steps, gate and regions of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

from edgecnn.cli.options import with_options
from edgecnn.cli.units import parse_seconds
from edgecnn.thresholds import NEW_TRACK_MARGIN, SHOWN_SCORE, WEAK_TRACK_SCORE

if TYPE_CHECKING:
    from edgecnn.card import ModelCard
    from edgecnn.runtime.pipeline.controls import Controls
    from edgecnn.runtime.pipeline.motion_gate import MotionGate
    from edgecnn.runtime.pipeline.region_inference import RegionInference
    from edgecnn.runtime.sources import Source
    from edgecnn.runtime.steps import Step
    from edgecnn.runtime.tracking import TrackOptions

F = TypeVar("F", bound=Callable[..., Any])
T = TypeVar("T")


def _checked(parse: Callable[[str], T]) -> Callable[[str], T]:
    """``parse`` for an option: what it refuses is said with the option's name."""

    def convert(text: str) -> T:
        from edgecnn.errors import InputError

        try:
            return parse(text)
        except InputError as error:
            raise click.BadParameter(str(error)) from error

    return convert


@_checked
def parse_roi(text: str) -> Any:
    """A region as ``edgecnn.runtime.pipeline.region_inference`` has it."""
    from edgecnn.runtime.pipeline.region_inference import parse_roi as parse

    return parse(text)


@_checked
def parse_tiles(text: str) -> Any:
    """Tiles as ``edgecnn.runtime.pipeline.region_inference`` has them."""
    from edgecnn.runtime.pipeline.region_inference import parse_tiles as parse

    return parse(text)


@_checked
def parse_line(text: str) -> Any:
    """A line as ``edgecnn.runtime.steps.line_counter`` has it."""
    from edgecnn.runtime.steps.line_counter import parse_line as parse

    return parse(text)


@_checked
def parse_zone(text: str) -> Any:
    """A zone as ``edgecnn.runtime.steps.zone_counter`` has it."""
    from edgecnn.runtime.steps.zone_counter import parse_zone as parse

    return parse(text)


def parse_only(text: str) -> tuple[str, ...]:
    """Names with commas between."""
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    if not names:
        raise click.BadParameter(f"wanted classes such as person,car, found {text!r}")
    return names


_OPTIONS = (
    click.option(
        "--track/--no-track",
        default=None,
        help="Follow each box from frame to frame (ByteTrack) and give it a number.  [default: where --line or --zone need it]",
    ),
    click.option(
        "--track-keep",
        type=parse_seconds,
        default="1s",
        show_default=True,
        metavar="TIME",
        help="So long a track is kept while its thing is hidden.",
    ),
    click.option("--only", type=parse_only, metavar="CLASSES", help="Only boxes of person,car,..."),
    click.option(
        "--smooth", type=parse_seconds, metavar="TIME", help="Average tracks, or a classifier's scores, over 200ms, say."
    ),
    click.option(
        "--line",
        "lines",
        type=parse_line,
        multiple=True,
        metavar="NAME:X1,Y1,X2,Y2",
        help="Count who crosses a line, in both directions; in pixels, or in parts of the image (0 to 1, or %). May be repeated.",
    ),
    click.option(
        "--zone",
        "zones",
        type=parse_zone,
        multiple=True,
        metavar="NAME:X,Y,X,Y,X,Y,...",
        help="Count who is inside a polygon, comes and goes, and how long each one stays. May be repeated.",
    ),
    click.option(
        "--anchor",
        type=click.Choice(["bottom", "center", "top"]),
        default="bottom",
        show_default=True,
        help="The point of a box that crosses lines and is in zones: the middle of its lower edge, its centre, of its upper edge.",
    ),
    click.option("--roi", type=parse_roi, metavar="X1,Y1,X2,Y2[,...]", help="Look only in a rectangle, or in a polygon."),
    click.option(
        "--tiles",
        type=parse_tiles,
        metavar="2x2[:OVERLAP]",
        help="Look at the whole and at tiles, columns by rows, for things that are small in a large frame.",
    ),
    click.option(
        "--motion/--no-motion",
        default=False,
        help="Look only while something moves, 2 s after, and each 5 s; skipped frames are counted.",
    ),
)


def motion_options(command: F) -> F:
    """Add the options for motion to a command."""
    return with_options(command, _OPTIONS)


def tracks(values: Mapping[str, Any]) -> bool:
    """Whether identities are wanted; raises ``click.UsageError`` where they are needed and refused."""
    needed = bool(values["lines"] or values["zones"])
    if needed and values["track"] is False:
        raise click.UsageError("wanted tracking for --line and --zone, found --no-track: leave it out.")
    return needed or bool(values["track"])


def build_steps(
    values: Mapping[str, Any],
    labels: Sequence[str],
    source: Source,
    controls: Controls | None = None,
    *,
    shown: float = SHOWN_SCORE,
) -> list[Step]:
    """The steps of one camera, in order; ``shown`` is the score from which boxes are shown.

    What is counted follows the options alone; a viewer's choice comes last and changes what is seen. Raises ``InputError`` for a
    class that the model does not have, ``MissingExtraError`` where tracking needs what is not installed.
    """
    from edgecnn.runtime.steps.class_filter import ClassFilter
    from edgecnn.runtime.steps.clock import clock_of

    clock, anchor, steps = clock_of(source), values["anchor"], list[Any]()
    if tracks(values):
        from edgecnn.runtime.steps.tracker import Tracker  # here and below: what is not wanted does not lengthen the start

        _check_installed()
        steps.append(Tracker(_track_options(shown, values["track_keep"]), clock=clock, anchor=anchor))
    if values["smooth"]:
        from edgecnn.runtime.steps.smoother import Smoother

        steps.append(Smoother(values["smooth"], clock=clock))
    if values["only"]:
        steps.append(ClassFilter(labels, values["only"]))
    if values["lines"]:
        from edgecnn.runtime.steps.line_counter import LineCounter

        steps.append(LineCounter(values["lines"], labels, anchor=anchor))
    if values["zones"]:
        from edgecnn.runtime.steps.zone_counter import ZoneCounter

        steps.append(ZoneCounter(values["zones"], labels, anchor=anchor, clock=clock))
    steps.append(ClassFilter(labels, None, shown, controls))
    return steps


def build_gate(values: Mapping[str, Any], source: Source) -> MotionGate | None:
    """What lets frames through only while something moves; None where that is not wanted."""
    from edgecnn.runtime.pipeline.motion_gate import MotionGate

    return MotionGate(fps=lambda: source.fps) if values["motion"] else None


def build_look(values: Mapping[str, Any], card: ModelCard) -> RegionInference | None:
    """How to look in a region and in tiles; None where neither is wanted. Raises ``InputError`` for tiles with a classifier."""
    if values["roi"] is None and values["tiles"] is None:
        return None
    from edgecnn.runtime.pipeline.region_inference import RegionInference

    return RegionInference(card, values["roi"], values["tiles"])


def least_score(values: Mapping[str, Any], shown: float) -> float:
    """The score from which a model has to give boxes: weak ones keep identities."""
    return min(WEAK_TRACK_SCORE, shown) if tracks(values) else shown


def _track_options(shown: float, keep_s: float) -> TrackOptions:
    from edgecnn.runtime.tracking import TrackOptions

    return TrackOptions(high=shown, new=min(shown + NEW_TRACK_MARGIN, 1.0), low=min(WEAK_TRACK_SCORE, shown), lost_s=keep_s)


def _check_installed() -> None:
    """Say it before the first frame, not at it."""
    from edgecnn.runtime.tracking.assignment import load_lap

    load_lap()
