"""`edgecnn evaluate --ray`: the images of an evaluation on several machines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgecnn.cli.interruptible import interruptible

if TYPE_CHECKING:
    from edgecnn.benchmarks.measure.evaluation import EvaluationConfig
    from edgecnn.cluster.connection import ClusterOptions
    from edgecnn.trust.accuracy.measure import DetailedEvaluation


def evaluate_images(config: EvaluationConfig, options: ClusterOptions) -> DetailedEvaluation:
    """Evaluate on the workers of a cluster.

    Raises what ``evaluate_on_cluster`` raises, and ``InputError`` after Ctrl-C or SIGTERM, which says how to go on.
    """
    from edgecnn.cluster.evaluation import evaluate_on_cluster
    from edgecnn.kept_parts import KeptParts

    kept = KeptParts(options.parts).folder
    with interruptible(
        f"the evaluation was interrupted; its finished parts are kept in {kept}", "the same command goes on from them"
    ) as line:
        return evaluate_on_cluster(config, options, report=line.above, progress=line)
