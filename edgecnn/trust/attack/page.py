"""The result of an attack as one self-contained HTML page: curves, certificates, attacked images."""

from __future__ import annotations

import base64
from typing import Any

import cv2

from edgecnn.benchmarks.report.plot_curves import CurveAxes, CurveSeries, curve_plot
from edgecnn.benchmarks.report.template import render, responsive
from edgecnn.metrics.score import TITLES
from edgecnn.trust.attack.attackers import NOISE
from edgecnn.trust.attack.attackers import TITLES as METHOD_TITLES
from edgecnn.trust.attack.result import NONE, AttackedFile, AttackPicture, AttackReport
from edgecnn.trust.attack.text import certified_rows, certified_text, detail, heading, left_out, rows
from edgecnn.types import Image

HEIGHT = 280.0  # of a plot, in pixels
WIDTH = 150  # of a small picture on the page, in pixels
LARGE = 232  # of one that has more pixels


def attack_page(report: AttackReport) -> str:
    """The page as text; raises ``MissingExtraError`` without jinja2."""
    certified = [one for one in report.files if one.certified is not None]
    return render(
        "edgecnn.trust.attack",
        "attack.html",
        title=", ".join(one.name for one in report.files),
        heading=heading(report),
        warnings=report.warnings,
        left_out=left_out(report),
        methods=[_method(report, method) for method in report.methods if method != NOISE or report.methods == (NOISE,)],
        certified={
            "lines": [f"{one.name} {certified_text(one.certified)}." for one in certified if one.certified],
            "rows": certified_rows(certified) if certified else [],
            "plot": _certified_plot(certified),
        },
        pictures=[(name, truth, [_picture(one) for one in images]) for name, truth, images in report.pictures],
    )


def _method(report: AttackReport, method: str) -> dict[str, Any]:
    places = [str(eps) for eps in (0, *sorted(report.strengths))]
    shown = [method] if method == NOISE else [method, NOISE]
    curves = [_curve(one, each, number) for each in shown for number, one in enumerate(report.files)]
    name = METHOD_TITLES[method]
    return {
        "title": name[0].upper() + name[1:] + detail(report, method),
        "plot": _plot(curves, places, "strength in grey levels of 255", f"{TITLES[report.metric]} in %"),
        "rows": rows(report, method),
    }


def _curve(one: AttackedFile, method: str, number: int) -> CurveSeries:
    levels = one.curve(method)
    bands = [None if level.low is None or level.high is None else (100 * level.low, 100 * level.high) for level in levels]
    control = method == NOISE
    return CurveSeries(
        f"{one.name}, {method}",
        tuple(map(float, range(len(levels)))),
        tuple(100 * level.value for level in levels),
        () if control else tuple(bands),
        hue=number,
        dashed=control,
    )


def _certified_plot(files: list[AttackedFile]) -> dict[str, str]:
    found = [(one.name, one.certified) for one in files if one.certified is not None]
    if not found:
        return {}
    curves = [
        CurveSeries(
            name,
            tuple(map(float, range(len(own.radii)))),
            tuple(100 * value for value in own.accuracy),
            tuple((100 * low, 100 * high) for low, high in zip(own.low, own.high, strict=True)),
            hue=number,
        )
        for number, (name, own) in enumerate(found)
    ]
    places = [f"{radius:.2f}" for radius in found[0][1].radii]
    return _plot(curves, places, "L2 radius in fractions of the pixel range", "certified accuracy in %")


def _plot(curves: list[CurveSeries], places: list[str], x_title: str, y_title: str) -> dict[str, str]:
    """Even steps of x, because strengths and radii double."""
    axes = CurveAxes(x_title, y_title, names=tuple((float(index), words) for index, words in enumerate(places)))
    return responsive(lambda width: curve_plot(curves, width, HEIGHT, axes))


def _picture(one: AttackPicture) -> dict[str, Any]:
    title = "without attack" if one.method == NONE else f"{one.method} {one.eps}/255"
    width = WIDTH if one.pixels.shape[1] <= WIDTH else LARGE
    return {
        "title": title,
        "uri": _uri(one.pixels),
        "difference": "" if one.difference is None else _uri(one.difference),
        "width": width,
        "height": round(width * one.pixels.shape[0] / one.pixels.shape[1]),
        "said": one.said,
    }


def _uri(pixels: Image) -> str:
    # PNG: a JPEG would not show the attack as the file got it
    data = cv2.imencode(".png", pixels)[1]
    return f"data:image/png;base64,{base64.b64encode(data.tobytes()).decode('ascii')}"
