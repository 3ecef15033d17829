"""Workers of one kind on the nodes of a cluster, and tasks that any of them does; Ray starts a killed worker and its task again."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, Generic, Protocol, TypeVar

from edgecnn.cluster.versions import Node, check_same, this_node
from edgecnn.errors import BackendError, EdgeCnnError, InputError, first_line

RETRIES: Final = 3  # of a task whose worker died
POLL_S: Final = 0.5
LATE_S: Final = 30.0  # how long workers are waited for when the first one is ready
TOLD_AFTER_S: Final = 10.0
Told = Callable[[str], None]


class StoppedError(Exception):
    """The command was stopped before a worker was ready."""


class Worker(Protocol):
    """An actor: made once, asked for its node once, then given tasks. A task may be done twice, so it only returns its result."""

    def hello(self) -> tuple[Node, Any]:
        """Load what tasks need; return where it runs and what the tasks have in common."""
        ...

    def work(self, task: Any) -> Any:
        """Do one task."""
        ...


Common = TypeVar("Common")
Task = TypeVar("Task")


class NodeWorkers(Generic[Common, Task]):
    """``count`` actors of the class ``kind`` (None: one for each ``cpus`` free processors), made with ``arguments``.

    ``common`` is what the first one says of the tasks, ``nodes`` are the machines. Raises ``InputError`` where a node has other versions,
    what a worker raises while it starts, and ``StoppedError`` where ``stopped()`` while none is ready.
    """

    common: Common

    def __init__(
        self,
        ray: Any,
        kind: type,
        arguments: Sequence[Any],
        *,
        count: int | None,
        cpus: int,
        told: Told,
        stopped: Callable[[], bool] = lambda: False,
    ) -> None:
        self._ray, self._stopped = ray, stopped
        total = int(ray.cluster_resources().get("CPU", 0))
        if cpus > total:
            raise InputError(f"a worker with {cpus} threads needs {cpus} processors, the cluster has {total}", "lower --threads")
        wanted = count or max(int(ray.available_resources().get("CPU", 0)) // cpus, 1)
        remote = ray.remote(kind).options(num_cpus=cpus, max_restarts=-1, max_task_retries=RETRIES, scheduling_strategy="SPREAD")
        self._actors = [remote.remote(*arguments) for _ in range(wanted)]
        self.nodes: list[Node] = []
        self._start(told)

    def __len__(self) -> int:
        return len(self._actors)

    def outcomes(self, tasks: Sequence[Task], stopped: Callable[[], bool]) -> Iterator[tuple[Task, Any]]:
        """Each task with its result, as they are done; ends early when ``stopped()``. Raises what a task raises."""
        from ray.util import ActorPool

        pool = ActorPool(self._actors)
        for place, task in enumerate(tasks):
            pool.submit(lambda actor, item: actor.work.remote(*item), (task, place))
        while pool.has_next() and not stopped():
            try:
                place, found = pool.get_next_unordered(timeout=POLL_S)
            except TimeoutError:
                continue
            except self._ray.exceptions.RayError as error:
                raise self._explained(error) from error
            yield tasks[place], found

    def _start(self, told: Told) -> None:
        asked = {actor.hello.remote(): actor for actor in self._actors}
        ready, late = self._wait(list(asked), len(asked), TOLD_AFTER_S)
        if not ready:
            told("waiting for workers to start")
            ready, late = self._wait(list(asked), 1, math.inf)
        if late:
            more, late = self._wait(late, len(late), LATE_S)
            ready += more
        for call in late:  # it would keep its tasks waiting
            self._ray.kill(asked[call])
        if late:
            told(f"{len(late)} of {len(asked)} workers found no free processor, and are left out")
        self._actors = [asked[call] for call in ready]
        here = this_node()
        for call in ready:
            try:
                node, self.common = self._ray.get(call)
            except self._ray.exceptions.RayError as error:
                raise self._explained(error) from error
            check_same(here, node)
            self.nodes.append(node)
        if len({node.processor for node in self.nodes}) > 1:
            told("the nodes have different processors, so results may differ in their last bits")

    def _wait(self, calls: list[Any], count: int, seconds: float) -> tuple[list[Any], list[Any]]:
        """As ``ray.wait``, in steps after which a stop is heeded."""
        until = time.monotonic() + seconds
        while True:
            ready, late = self._ray.wait(calls, num_returns=count, timeout=POLL_S)
            if self._stopped():
                raise StoppedError
            if len(ready) >= count or time.monotonic() >= until:
                return ready, late

    def _explained(self, error: Exception) -> Exception:
        cause = getattr(error, "cause", None)
        if isinstance(cause, EdgeCnnError):
            return cause
        if cause is not None:  # a fault of the program: with its traceback
            return error
        return BackendError(
            f"a worker died {RETRIES + 1} times at the same part: {first_line(error)}",
            "see the logs of Ray, or give each worker more memory with fewer --ray-workers",
        )
