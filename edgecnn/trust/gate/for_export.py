"""A policy as the check of an export: every file has to keep to it before it gets its name."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from edgecnn.errors import InputError
from edgecnn.export.policy_check import PolicyGate, PolicyVerdict
from edgecnn.runtime.backends.trial_load import remember
from edgecnn.trust.gate.policy import Policy
from edgecnn.trust.gate.run import CheckConfig, check_file
from edgecnn.trust.gate.text import broken_words, check_table
from edgecnn.trust.gate.write_card import own_card, write_result


def export_gate(policy: Policy, precisions: Sequence[str], *, allow_overlap: bool = False) -> PolicyGate:
    """The check for an export to ``precisions``; ``allow_overlap``: see ``CheckConfig``.

    Raises ``InputError`` where it has no float file to compare with.
    """
    others = [name for name in precisions if name != "fp32"]
    if policy.drop is not None and not policy.drop.reference and others and "fp32" not in precisions:
        raise InputError(
            f"{policy.name}: [drop] compares {others[0]} with the fp32 file of the same export, which makes none",
            'add fp32 to --precision, or name reference = "FILE" in [drop]',
        )
    return PolicyGate(partial(_inspect, policy, allow_overlap), policy.name, alone=policy.latency is not None)


def _inspect(policy: Policy, allow_overlap: bool, path: Path, reference: Path | None) -> PolicyVerdict:
    if policy.drop is not None and not policy.drop.reference and reference is None:
        raise InputError("[drop] needs the fp32 file of this export, which was not made", "see why above")
    found = check_file(CheckConfig(file=path, policy=policy, reference=reference, allow_overlap=allow_overlap))
    if found.passed:
        write_result(found, path, None, str)
        remember(path)
    return PolicyVerdict("" if found.passed else broken_words(found), check_table(found), own_card(path))
