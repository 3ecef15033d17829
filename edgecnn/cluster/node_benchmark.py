"""`edgecnn benchmark --ray`: the same benchmark on each node of a cluster, with all processors of the node reserved."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import edgecnn
from edgecnn.benchmarks.measure.config import BenchmarkConfig
from edgecnn.benchmarks.measure.measurement import measure
from edgecnn.benchmarks.report.document import to_document
from edgecnn.benchmarks.report.page import to_html
from edgecnn.benchmarks.report.table import to_table
from edgecnn.cluster.connection import ClusterOptions, connected
from edgecnn.cluster.paths import absolute, absolute_file, absolute_options
from edgecnn.errors import BackendError, EdgeCnnError, InputError, first_line
from edgecnn.remote.benchmark import HostRecord

REPORT = "report.html"
Told = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class NodeName:
    """A node in a table and in names of files: its host name, and a number where several nodes have the same."""

    text: str

    @property
    def file_name(self) -> str:
        """As a part of a file name."""
        return self.text

    def __str__(self) -> str:
        return self.text


def benchmark_nodes(
    config: BenchmarkConfig,
    options: ClusterOptions,
    *,
    html: bool = False,
    check: Callable[[list[NodeName]], None] = lambda _: None,
    told: Told = lambda _: None,
    progress: Told = lambda _: None,
) -> list[HostRecord]:
    """Measure the files of ``config`` on each node that has processors, on one after the other, when the node is free.

    A node that fails does not end the others; its error is in its record. ``html`` adds the page. ``check`` gets the nodes before
    the measurement. The files have to be at the same
    paths on all nodes. Raises ``InputError`` for a cluster that can't be used.
    """
    plain = dataclasses.replace(config, json_path=None, html_path=None, markdown_path=None, csv_path=None, history=None)
    files = tuple(map(absolute_file, config.files))
    data = None if config.data is None else dataclasses.replace(config.data, uri=absolute(config.data.uri))
    plain = dataclasses.replace(plain, files=files, data=data, options=absolute_options(config.options))
    with connected(options.address) as ray:
        nodes = [node for node in ray.nodes() if node["Alive"] and int(node["Resources"].get("CPU", 0)) > 0]
        names = _names([str(node["NodeManagerHostname"]) for node in nodes])
        check(names)
        records = []
        for node, name in zip(nodes, names, strict=True):
            progress(f"{name}: measuring")
            records.append(_measured(ray, node, name, plain, html))
            if (error := records[-1].error) is not None:
                told(f"{name}: {error}")
    return records


def measure_node(config: BenchmarkConfig, version: str, html: bool) -> tuple[dict[str, Any], str, dict[str, bytes]]:
    """The task: the JSON document, the table and, with ``html``, the page of a benchmark where it runs. Raises what ``measure`` raises."""
    if version != edgecnn.__version__:
        raise InputError(f"this node has edgecnn {edgecnn.__version__}, not {version}", "install the same version on all nodes")
    record = measure(config)
    page = {REPORT: to_html(record, config.image).encode()} if html else {}
    return to_document(record), to_table(record), page


def _measured(ray: Any, node: dict[str, Any], name: NodeName, config: BenchmarkConfig, html: bool) -> HostRecord:
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    place = NodeAffinitySchedulingStrategy(node_id=node["NodeID"], soft=False)
    task = ray.remote(measure_node).options(num_cpus=int(node["Resources"]["CPU"]), max_retries=1, scheduling_strategy=place)
    try:
        document, text, files = ray.get(task.remote(config, edgecnn.__version__, html))
    except ray.exceptions.RayError as error:
        cause = getattr(error, "cause", None)
        if cause is not None and not isinstance(cause, EdgeCnnError):
            raise
        failed = cause or BackendError(f"the node failed: {first_line(error)}", "see the logs of Ray")
        return HostRecord(name, error=failed)
    return HostRecord(name, {**document, "host": str(name)}, text, files)


def _names(hosts: list[str]) -> list[NodeName]:
    """Host names, with a number from the second of the same name on."""
    before = [hosts[:place].count(host) for place, host in enumerate(hosts)]
    return [NodeName(host if not count else f"{host}-{count + 1}") for host, count in zip(hosts, before, strict=True)]
