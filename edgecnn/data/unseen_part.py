"""Finds a part of a dataset that models have not seen, for the advice after a refusal."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress

from edgecnn.card import ModelCard
from edgecnn.data.address import Address, parse_address, with_split
from edgecnn.data.dataset_kinds import dataset_splits
from edgecnn.data.overlap import check_overlap
from edgecnn.data.sample import Dataset
from edgecnn.data.split_names import HELD_OUT
from edgecnn.errors import EdgeCnnError

TRAINED_FRACTION = 0.05  # what `edgecnn train` holds out by itself
CHECKED = 300  # images that are read of a part before it is named
_OF_SPLITS = ("split", "val_fraction", "seed")
_OTHER_SEED = 1000  # added to the seed of a scene


def unseen_part(uri: str, cards: Mapping[str, ModelCard], opened: Callable[[str], Dataset]) -> str:
    """The address, quoted for a shell, of a part of the dataset ``uri`` that the models of ``cards`` were not made from; "" for none.

    ``opened`` opens an address. Up to 300 images of each part are compared, so that what is named is not refused again.
    """
    for candidate in dict.fromkeys(_candidates(uri, cards)):
        with suppress(EdgeCnnError):
            found = check_overlap(opened(candidate), cards, most=CHECKED)
            if any(part.compared for part in found.parts):
                return shlex.quote(candidate)
    return ""


def _candidates(uri: str, cards: Mapping[str, ModelCard]) -> Iterator[str]:
    address = parse_address(uri)
    if address.is_scene:
        yield _other_scene(uri)
        return
    if address.val_fraction is not None:
        yield with_split(uri, "val")
    bare = _without_split(uri, address)
    with suppress(EdgeCnnError):
        own = {name.lower(): name for name in dataset_splits(bare)}
        yield from (_with(bare, f"split={own[name]}") for name in HELD_OUT if name in own)
    for card in cards.values():
        seed = card.training.get("seed", 0)
        yield _with(bare, f"split=val&val_fraction={TRAINED_FRACTION}" + (f"&seed={seed}" if seed else ""))


def _without_split(uri: str, address: Address) -> str:
    """The address without what chooses a part."""
    if address.place == uri:
        return uri
    query = uri.partition("?")[2]
    kept = [part for part in query.split("&") if part.partition("=")[0] not in _OF_SPLITS]
    return "?".join([address.place, *(["&".join(kept)] if kept else [])])


def _with(uri: str, parameters: str) -> str:
    return f"{uri}{'?' if parse_address(uri).place == uri else '&'}{parameters}"


def _other_scene(uri: str) -> str:
    place, _, query = uri.partition("?")
    parts = [part for part in query.split("&") if part]
    seed = next((part.partition("=")[2] for part in parts if part.startswith("seed=")), "0")
    other = int(seed) + _OTHER_SEED if seed.isdigit() else _OTHER_SEED
    return f"{place}?{'&'.join([*(part for part in parts if not part.startswith('seed=')), f'seed={other}'])}"
