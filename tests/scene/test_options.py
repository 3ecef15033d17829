from __future__ import annotations

from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecnn.errors import InputError
from edgecnn.scene import SceneOptions, parse_scene
from edgecnn.scene.options import RANGES


def test_without_parameters_the_defaults_hold() -> None:
    assert parse_scene("scene:cups") == SceneOptions()


def test_every_knob_is_read() -> None:
    uri = (
        "scene:cups?seed=3&fps=24.5&size=320x240&rotate=180&occlude=0.5&light=0.3&noise=0.1&blur=0"
        "&objects=9&clutter=2&speed=2&cut=3.5&count=100&every=4&vary=0.5"
    )
    wanted = SceneOptions(3, 24.5, (320, 240), 180, 0.5, 0.3, 0.1, 0, 9, 2, 2, 3.5, 100, 4, 0.5)
    assert parse_scene(uri) == wanted


@given(
    st.builds(
        SceneOptions,
        seed=st.integers(0, 2**63 - 1),
        fps=st.floats(1, 240),
        size=st.tuples(st.integers(64, 4096), st.integers(64, 4096)),
        occlude=st.floats(0, 1),
        cut=st.floats(0.1, 3600),
        count=st.none() | st.integers(1, 2**31),
    )
)
def test_options_survive_being_written_as_an_address(options: SceneOptions) -> None:
    texts = {field.name: getattr(options, field.name) for field in fields(options) if getattr(options, field.name) is not None}
    texts["size"] = "{}x{}".format(*options.size)
    assert parse_scene("scene:cups?" + "&".join(f"{parameter}={text}" for parameter, text in texts.items())) == options


@pytest.mark.parametrize("parameter", sorted(RANGES))
def test_a_parameter_out_of_its_range_is_refused_with_the_range(parameter: str) -> None:
    low, high = RANGES[parameter]
    value = f"{high * 2:.0f}x100" if parameter == "size" else f"{high * 2:.0f}"
    with pytest.raises(
        InputError, match=f"{parameter}=.* of a scene is not .* from {low:g} to .*the parameters are seed, fps, size"
    ):
        parse_scene(f"scene:cups?{parameter}={value}")


@pytest.mark.parametrize(
    "query",
    [
        pytest.param("size=640", id="half a size"),
        pytest.param("size=640x480x3", id="three sizes"),
        pytest.param("fps=fast", id="not a number"),
        pytest.param("seed=1.5", id="not whole"),
        pytest.param("light=nan", id="nan"),
        pytest.param("noise=", id="empty"),
        pytest.param("seed=-1", id="negative"),
    ],
)
def test_a_bad_value_is_refused(query: str) -> None:
    with pytest.raises(InputError, match="the parameters are seed"):
        parse_scene(f"scene:cups?{query}")


def test_an_unknown_parameter_is_refused_with_the_list() -> None:
    with pytest.raises(InputError, match=r"no parameter 'brightness'; use one of seed, fps, size, rotate, occlude"):
        parse_scene("scene:cups?brightness=3")


@pytest.mark.parametrize("uri", ["scene:foo", "scene:", "cups", "scene:foo?seed=1"])
def test_an_unknown_scene_is_refused_with_the_list_of_scenes(uri: str) -> None:
    with pytest.raises(InputError, match=r"there is no .*; the scenes are scene:cups$"):
        parse_scene(uri)


def test_options_from_code_are_checked_too() -> None:
    with pytest.raises(ValueError, match="occlude is 2, not within 0 to 1"):
        SceneOptions(occlude=2)
