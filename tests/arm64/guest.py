"""Runs inside the emulated root, and beside it for comparison: selftests of model files and their outputs for given tensors.

    python3 guest.py JOB OUT

JOB is a JSON list of ``{"file", "feeds"}``, ``feeds`` an .npz with one array per input of shape (images, *input). OUT, a folder, gets
``results.json`` with a row for each file, and an .npz with the outputs, ``arr_0`` and so on, in the order of the engine.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from edgecnn.devices.probe import probe
from edgecnn.errors import EdgeCnnError
from edgecnn.runtime.backends import Backend, open_backend
from edgecnn.runtime.model.engine_record import SATURATES
from edgecnn.runtime.model.selftest import selftest_file


def outputs(backend: Backend, feeds: dict[str, Any]) -> list[Any]:
    """Each output for all images, one after the other."""
    count = len(next(iter(feeds.values())))
    found = [backend.run({name: array[index] for name, array in feeds.items()}) for index in range(count)]
    return [np.stack([one[spec.name] for one in found]) for spec in backend.outputs]


def row(file: Path, feeds: Path | None, out: Path) -> dict[str, Any]:
    """The selftest of a file and where its outputs are; ``error`` is the line of what the engine does not load."""
    try:
        _, result = selftest_file(file, threads=1)
        found: dict[str, Any] = {"file": file.name, "violations": result.violations, "warnings": list(result.warnings)}
        if result.engine is not None:
            found |= {"against_export": str(result.engine), "saturates": result.engine.saturates}
        if feeds is not None:
            backend = open_backend(file, threads=1)
            with np.load(feeds) as given:
                np.savez(out / f"{file.name}.npz", *outputs(backend, dict(given)))
            backend.close()
    except EdgeCnnError as error:
        return {"file": file.name, "error": str(error), "saturates": SATURATES[1] in str(error)}
    return found


def main() -> None:
    """Read the job, run it, write the results."""
    if "--tflite-runtime" in sys.argv:
        sys.modules["ai_edge_litert"] = None  # type: ignore[assignment]  # an import of it fails as if it were not installed
    job, out = Path(sys.argv[1]), Path(sys.argv[2])
    out.mkdir(parents=True, exist_ok=True)
    rows = []
    for each in json.loads(job.read_text()):
        rows.append(row(Path(each["file"]), Path(each["feeds"]) if each["feeds"] else None, out))
        sys.stdout.write(f"{json.dumps(rows[-1])}\n")
        sys.stdout.flush()
    machine = probe()
    versions = {name: _version(name) for name in ("onnxruntime", "ai_edge_litert", "tflite_runtime", "numpy")}
    document = {"cpu": machine.cpu, "arch": machine.arch, "features": machine.features, "versions": versions, "rows": rows}
    (out / "results.json").write_text(json.dumps(document))


def _version(name: str) -> str | None:
    """The version of a package that was imported."""
    module = sys.modules.get(name)
    return None if module is None else str(getattr(module, "__version__", "without a number"))


if __name__ == "__main__":
    main()
