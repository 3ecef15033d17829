"""Planted changes: export, verification and cards."""

from __future__ import annotations

from tests.planted.change import Change

CHANGES = (
    Change(
        "diagnosis: no faults at all",
        "export/verify/diagnose.py",
        "    yield from _color_faults(right)\n    yield from _scale_faults(right)\n    yield from _resize_faults(right)\n"
        "    yield from _layout_faults(right)\n",
        "    yield from ()\n",
        "tests/export/verify/test_fault_list.py",
    ),
    Change(
        "card: any superset of outputs",
        "runtime/model/card_inference.py",
        "{spec.name for spec in declared} == by_name.keys()",
        "{spec.name for spec in declared} <= by_name.keys()",
        "tests/runtime/model/test_card_inference.py",
    ),
    Change(
        "export: flip is not folded",
        "export/fold.py",
        "torch.flip(changed, [1]) if graph.flip else changed",
        "changed",
        "tests/export/test_fold.py",
    ),
    Change(
        "export: scale is not folded",
        "export/fold.py",
        "(weight.double() * graph.scale.double()).float()",
        "weight.clone()",
        "tests/export/test_fold.py",
    ),
    Change(
        "export: faults of scale are not tried",
        "export/verify/diagnose.py",
        "    yield from _scale_faults(right)\n",
        "",
        "tests/export/verify/test_fault_list.py",
    ),
    Change(
        "parity: the mean error is not seen",
        "edgecnn/parity.py",
        "float(gap.max()), float(gap.mean())",
        "float(gap.max()), 0.0",
        "tests/test_parity.py",
    ),
    Change(
        "output checks: coarse steps of scores are not told",
        "runtime/model/output_checks.py",
        "COSTLY_STEP = 0.1",
        "COSTLY_STEP = 0.25",
        "tests/runtime/model/test_output_checks.py",
    ),
    Change(
        "parity: the same wrong score in every image is not seen",
        "export/verify/parity.py",
        "if real and part.holds_scores and len(group) >= MANY else 0.0",
        "if False else 0.0",
        "tests/export/verify/test_judgement.py -k appears_in_every_image",
    ),
    Change(
        "verification: NaN of PyTorch is not refused",
        "export/verify/finite_outputs.py",
        "    if not any(broken):\n",
        "    if True:\n",
        "tests/export/verify/test_finite_outputs.py",
    ),
    Change(
        "parity: tensors of zeros are alike whatever their cosine",
        "edgecnn/parity.py",
        "float(a @ b) / lengths if lengths else 0.0",
        "1.0",
        "tests/test_parity.py",
    ),
    Change("files: not synced before the rename", "edgecnn/files.py", "    sync(draft)\n", "", "tests/test_files.py"),
)
