"""The names of the tasks; a module of its own, because the options of commands need them without NumPy."""

from __future__ import annotations

from typing import Literal, get_args

TaskName = Literal["classify", "detect", "regress", "embed", "restore", "signal", "multilabel", "raw", "segment", "pose"]
TASK_NAMES: tuple[TaskName, ...] = get_args(TaskName)
