"""Held-out images for detectors, and other people's detectors to compare with: what `detector_sources` and `detector_sheet` share.

To measure on one more dataset, or beside one more detector, add a row to SOURCES or PEERS.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from edgecnn import shipped
from edgecnn.benchmarks.measure.dataset_selection import DatasetSelection
from edgecnn.benchmarks.measure.evaluation import EvaluationConfig
from edgecnn.benchmarks.measure.record import display_names
from edgecnn.card import ModelCard
from edgecnn.data import Dataset
from edgecnn.data.address import parse_address, parse_query, shown_address
from edgecnn.errors import InputError
from edgecnn.labels import normalize, parse_renames, rename
from edgecnn.runtime.model.card_inference import CardOptions
from edgecnn.runtime.model.predictor import Predictor
from edgecnn.runtime.model.stored_precision import stored_precision
from edgecnn.task_names import TaskName
from edgecnn.tasks import find
from edgecnn.teachers import parse_teacher

RENAME = "rename=car,bus,truck,motorcycle:vehicle"
SITES = "labels=Hardhat,Mask,NO-Hardhat,NO-Mask,NO-Safety Vest,Person,Safety Cone,Safety Vest,machinery,vehicle"
TEACHING = ("threshold", "lower", "alone", "weight")  # parameters of teachers that have no meaning here


@dataclass(frozen=True, slots=True)
class DetectorSource:
    """Images to measure detectors on: ``address`` is a dataset address, in SOURCES below the data folder.

    ``by_group``: the groups of the address (clips) are measured one by one, too.
    """

    name: str
    address: str
    by_group: bool = False


SOURCES = (
    DetectorSource("coco", f"coco-subset/instances_val_first128.json?{RENAME}&classes=person,vehicle"),
    # an excavator is neither a vehicle that must be found nor a false alarm
    DetectorSource(
        "building-sites", f"construction-safety-320?split=valid&{SITES}&ignore=machinery:vehicle&classes=person,vehicle"
    ),
    DetectorSource("tud-campus", "mot15/TUD-Campus"),
    DetectorSource(
        "vehicles-from-above",
        "vehicles-topview-416?group=^([^_]+)_&val_fraction=0.2&seed=0&labels=vehicle&split=val",
        by_group=True,
    ),
    DetectorSource("faces", "facemask853?merge=face&group=@content&val_fraction=0.2&seed=0&split=val"),
)
# Name and address below models/ of the data folder. YOLOX-nano is what latencies are compared with.
REFERENCE = "YOLOX-nano"
PEERS = {
    REFERENCE: f"yolox_nano_kazuhito/model/yolox_nano.onnx?{RENAME}",
    "FastestDet": f"fastestdet/example/onnx-runtime/FastestDet.onnx?{RENAME}",
    "face-detection-adas-0001": "openvino_ir_omz/intel/face-detection-adas-0001/FP16/face-detection-adas-0001.xml?labels=face",
    "UltraFace RFB-320": "ultralight-face/models/onnx/version-RFB-320.onnx?labels=face",
}


@dataclass(frozen=True, slots=True)
class DetectorFile:
    """A detector with the options that its file needs; ``renames`` maps its class names, "" for none. ``card`` is its card."""

    name: str
    path: Path
    card: ModelCard
    options: CardOptions = field(default_factory=CardOptions)
    renames: str = ""

    @property
    def classes(self) -> frozenset[str]:
        """Its class names, as they are compared."""
        return frozenset(
            map(normalize, rename(self.card.labels, parse_renames(self.renames)) if self.renames else self.card.labels)
        )

    def knows(self, dataset: Dataset) -> bool:
        """Whether it has one of the classes of the images."""
        return bool(self.classes & frozenset(map(normalize, dataset.labels)))

    def config(self, source: DetectorSource, dataset: Dataset) -> EvaluationConfig:
        """How it is measured with one thread on ``source``, which was opened as ``dataset``."""
        data = OpenedSelection(source.address, renames=self.renames or None, dataset=dataset)
        return EvaluationConfig(file=self.path, data=data, threads=1, options=self.options)


@dataclass(frozen=True, slots=True)
class OpenedSelection(DatasetSelection):
    """A selection that was opened before as ``dataset``: grouping images by their content reads all of them."""

    dataset: Dataset | None = None

    def open(self, at_least: int = 0, task: TaskName | None = None) -> Dataset:
        """The dataset."""
        assert self.dataset is not None
        return self.dataset


def sources(names: Iterable[str], data: Path | None) -> list[DetectorSource]:
    """The sources of these names or addresses; without any, all of the table that are in the folder ``data``.

    Raises ``InputError`` for a source of the table without ``data``, for one that is not there, and where none is there.
    """
    table = {one.name: one for one in SOURCES}
    chosen = list(names)
    if chosen:
        return [_below(table[text], data) if text in table else DetectorSource(shown_address(text), text) for text in chosen]
    if data is None:
        raise InputError("neither --data nor --source is given", "name a folder with the datasets, or an address")
    found = [one for one in SOURCES if (data / parse_address(one.address).place).exists()]
    if not found:
        raise InputError(
            f"--data: {data} has none of the datasets {', '.join(parse_address(one.address).place for one in SOURCES)}",
            "name another folder, or an address with --source",
        )
    return [_below(one, data) for one in found]


def _below(source: DetectorSource, data: Path | None) -> DetectorSource:
    place = parse_address(source.address).place
    if data is None:
        raise InputError(f"--source {source.name} is {place} in the data folder", "name that folder with --data")
    if not (data / place).exists():
        raise InputError(f"--source {source.name}: {data / place} does not exist", "correct --data, or name an address")
    return DetectorSource(source.name, f"{data}/{source.address}", source.by_group)


def detectors(words: Iterable[str], data: Path | None, *, both: bool = False) -> list[DetectorFile]:
    """The detectors that ``words`` name, each a name of PEERS, a file or a name of a model, with parameters as ``FILE?rename=a:b``.

    ``both``: a shipped name stands for its int8 file and its checkpoint. Raises what loading a file raises, and ``InputError`` for a
    parameter that a file does not take, and for a model that is not a detector.
    """
    peers = {} if data is None else {name.lower(): name for name in PEERS}
    found: list[DetectorFile] = []
    for word in words:
        if data is not None and word.lower() in peers:
            name = peers[word.lower()]
            found.append(_opened(f"{data}/models/{PEERS[name]}", name))
        elif both and word in shipped.names():
            found += [_opened(str(path)) for path in dict.fromkeys((shipped.artifact(word), shipped.checkpoint(word)))]
        else:
            found.append(_opened(word))
    names = display_names([one.path for one in found])
    return [
        one if one.name else DetectorFile(name, one.path, one.card, one.options, one.renames)
        for one, name in zip(found, names, strict=True)
    ]


def present_peers(data: Path | None) -> list[str]:
    """The names of the detectors of PEERS whose files are in the folder ``data``."""
    return [] if data is None else [name for name, text in PEERS.items() if (data / "models" / text.partition("?")[0]).exists()]


def _opened(text: str, name: str = "") -> DetectorFile:
    address = parse_teacher(text)
    if wrong := [key for key, _ in parse_query(text.partition("?")[2]) if key in TEACHING]:
        raise InputError(
            f"{wrong[0]}= of {address.path.name} is for a teacher", "leave it out: boxes of every score are measured"
        )
    options = CardOptions(**address.card)
    with Predictor(address.path, threads=1, options=options) as predictor:
        card = predictor.card
        if card.precision == "unknown":
            card = card.replace(precision=stored_precision(predictor.backend, address.path))
    if not find(card.task).has_boxes:
        raise InputError(f"{address.path.name} is not a detector", "name a detector")
    return DetectorFile(name, address.path, card, options, address.rename)


def open_source(source: DetectorSource, limit: int | None = None) -> Dataset:
    """The images of a source, at most ``limit``; raises what ``open_dataset`` raises."""
    return DatasetSelection(source.address, limit=limit).open(task="detect")
