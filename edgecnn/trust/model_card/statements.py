"""What only people know of a model: a TOML file, whose keys are the names in the model card template of Hugging Face.

For example::

    license = "apache-2.0"
    developers = "The vision group of Example Ltd."
    direct_use = "Counts cups on a table seen from above."
    out_of_scope_use = "Anything that decides about people."
    ethical_considerations = "Hands are in the images, faces are not."
    datasets = ["example/cups"]
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from edgecnn.data.problems import short
from edgecnn.errors import InputError
from edgecnn.schema import Check, SchemaError, items, record, text
from edgecnn.text_files import read_text

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

OTHER = "other"  # a licence without an identifier
_MOST = 20_000
_LICENSE = re.compile(r"[a-z0-9][a-z0-9.+-]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Statements:
    """Texts and names, empty where nothing was stated; the names are those of the template of Hugging Face.

    Raises ``InputError`` for a licence that is no identifier.
    """

    model_summary: str = ""
    model_description: str = ""
    developers: str = ""
    funded_by: str = ""
    shared_by: str = ""
    license: str = ""
    license_name: str = ""
    license_link: str = ""
    base_model: str = ""
    repo: str = ""
    paper: str = ""
    demo: str = ""
    direct_use: str = ""
    downstream_use: str = ""
    out_of_scope_use: str = ""
    bias_risks_limitations: str = ""
    bias_recommendations: str = ""
    ethical_considerations: str = ""
    training_data: str = ""
    testing_factors: str = ""
    hardware_type: str = ""
    hours_used: str = ""
    cloud_provider: str = ""
    cloud_region: str = ""
    co2_emitted: str = ""
    citation_bibtex: str = ""
    citation_apa: str = ""
    glossary: str = ""
    more_information: str = ""
    model_card_authors: str = ""
    model_card_contact: str = ""
    language: tuple[str, ...] = ()
    datasets: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.license and not _LICENSE.fullmatch(self.license):
            raise InputError(
                f"license = {self.license!r} is no identifier of a licence such as apache-2.0",
                f'write license = "{OTHER}", and the name as license_name and its address as license_link',
            )
        if self.license == OTHER and not (self.license_name and self.license_link):
            raise InputError(f'license = "{OTHER}" needs a name and an address', "add license_name and license_link")

    @property
    def missing(self) -> tuple[str, ...]:
        """The most important statements that are missing."""
        needed = ("license", "developers", "direct_use", "out_of_scope_use", "bias_risks_limitations", "model_card_contact")
        return tuple(name for name in needed if not getattr(self, name))


def read_statements(path: Path | None) -> Statements:
    """The statements of a TOML file, none without one. Raises ``InputError`` for a file that can't be read or holds other keys."""
    if path is None:
        return Statements()
    try:
        stated = tomllib.loads(read_text(path))
        _check_names(path, stated)
        found = _SCHEMA(stated, "")
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{path} is not TOML ({error})", "correct it") from error
    except SchemaError as error:
        raise InputError(f"{path}: {error}", "correct it") from error
    values: dict[str, Any] = {name: value.strip() if isinstance(value, str) else value for name, value in found.items()}
    return Statements(**values)


def _check_names(path: Path, stated: Mapping[str, object]) -> None:
    unknown = next((name for name in stated if name not in _FIELDS), None)
    if unknown is None:
        return
    close = get_close_matches(unknown.lower().replace("-", "_"), _FIELDS, 1)
    others = "use the names of the model card template of Hugging Face, such as license, developers and direct_use"
    raise InputError(f"{path}: {short(unknown)} is not a known field", f"write {close[0]}" if close else others)


_names = items(text(1, 200), most=100)
_FIELDS: dict[str, Check] = {
    one.name: _names if one.name in ("language", "datasets", "tags") else text(most=_MOST) for one in fields(Statements)
}
_SCHEMA = record({}, _FIELDS)
