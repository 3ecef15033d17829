"""Checks of names before the import of torch and any work, which take long: what they find is reported at once."""

from __future__ import annotations


def check_addresses(*addresses: str | None) -> None:
    """Raise ``InputError`` for an address that can't be parsed, an unknown scene, and a dataset that does not exist; None is passed over.

    What is in a dataset is checked where it is opened.
    """
    from edgecnn.data.dataset_kinds import check_there

    for address in filter(None, addresses):
        check_there(address)


def check_checkpoint(name: str) -> None:
    """Raise ``InputError`` for a checkpoint that does not exist, by path or by the name of a shipped one; "" is passed over."""
    from edgecnn.models.checkpoint import find_checkpoint

    if name:
        find_checkpoint(name)


def check_model(name: str) -> None:
    """Raise ``InputError`` for a network that `edgecnn train` does not know; "" is passed over."""
    from edgecnn.models.registry import task_of

    if name:
        task_of(name)


def check_teacher(teacher: str) -> None:
    """Raise ``InputError`` for a teacher of a distillation whose file does not exist: a checkpoint, or a model file that labels images."""
    from edgecnn.models.factories import is_factory
    from edgecnn.runtime.backends import file_format
    from edgecnn.shipped import artifact
    from edgecnn.teachers import labels_images

    if labels_images(teacher):
        file_format(artifact(teacher.partition("?")[0]))
    elif not is_factory(teacher):
        check_checkpoint(teacher)
