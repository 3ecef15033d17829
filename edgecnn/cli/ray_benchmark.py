"""`edgecnn benchmark --ray`: the same measurement on the nodes of a cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgecnn.benchmarks.measure.record import model_files
from edgecnn.cli.interruptible import interruptible
from edgecnn.cli.remote_benchmark import finish, report_path
from edgecnn.errors import InputError
from edgecnn.files import check_reports

if TYPE_CHECKING:
    from edgecnn.benchmarks.measure.config import BenchmarkConfig
    from edgecnn.cluster.connection import ClusterOptions


def benchmark_cluster(config: BenchmarkConfig, options: ClusterOptions) -> None:
    """Measure on all nodes, print one table, write the reports; ends with the exit code of the first node that failed."""
    from edgecnn.cluster.node_benchmark import NodeName, benchmark_nodes

    if config.markdown_path is not None or config.csv_path is not None or config.history is not None:
        raise InputError("--markdown, --csv and --history do nothing with --ray", "take --json or --html, a file for each node")
    reports = {name: path for name in ("json_path", "html_path") if (path := getattr(config, name)) is not None}

    def check(nodes: list[NodeName]) -> None:
        written = [report_path(path, node, several=len(nodes) > 1) for path in reports.values() for node in nodes]
        check_reports(written, [part for path in config.files for part in model_files(path)])

    with interruptible("the benchmark was interrupted, no report was written") as progress:
        records = benchmark_nodes(
            config,
            options,
            html=config.html_path is not None,
            check=check,
            told=progress.above,
            progress=progress,
        )
    finish(records, reports, several=len(records) > 1)
