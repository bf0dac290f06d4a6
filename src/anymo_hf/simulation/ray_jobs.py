# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""`run_on_ray`: many recordings on the machines of a Ray cluster, whichever of its workers die."""

import functools
import pickle
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from anymo_hf.simulation.conversion import ConversionReport
from anymo_hf.simulation.shards import write_shards


# Ray would begin a recording that kills its worker again for ever; after so many times it is given up.
MAX_ATTEMPTS = 4
LOST = f"its worker was lost {MAX_ATTEMPTS} times, probably for want of memory; cut the file into shorter ones"


def connect(address: str) -> None:
    """
    Joins a Ray cluster, unless this process is in one already.

    Args:
        address (`str`):
            `"local"` starts one on this machine, `"auto"` finds the one that this machine is part of; else
            `"host:6379"` or `"ray://host:10001"`.

    Raises:
        ImportError: If Ray is missing.
        ValueError: If there is no cluster at the address.
    """
    try:
        import ray
    except ImportError as error:
        raise ImportError('Ray is missing: `pip install -e ".[ray]"`.') from error
    if ray.is_initialized():
        return
    try:
        ray.init(address=address, log_to_driver=False)
    except (ConnectionError, RuntimeError) as error:
        raise ValueError(
            f"There is no Ray cluster at {address!r} ({error}); start one with `ray start --head`, or give 'local'."
        ) from error


def run_on_ray(
    function: Callable, tasks: list[tuple], what: str = "Working", *, address: str = "auto", progress: bool = True
) -> Iterator[tuple[tuple, object]]:
    """
    Every task with its result, as they come, from Ray Data.

    A task whose worker dies is done again on another one, so that `function` must bear being called twice. A task that
    loses its worker every time gives a sentence in place of a result.

    Args:
        function (`Callable`):
            It and its arguments are pickled; the package must be installed on all machines.
        tasks (`list[tuple]`):
            Arguments of each call.
        what (`str`, *optional*, defaults to `"Working"`):
            For the progress bar.
        address (`str`, *optional*, defaults to `"auto"`):
            As in `connect`.
        progress (`bool`, *optional*, defaults to `True`):
            Whether to show a progress bar.

    Yields:
        `tuple[tuple, object]`: A task and what `function` returned.
    """
    from tqdm.auto import tqdm

    if not tasks:
        return
    connect(address)
    import ray
    import ray.data

    ray.data.DataContext.get_current().enable_progress_bars = False
    attempts = ray.remote(num_cpus=0, max_restarts=-1)(_Attempts).remote()
    items = [{"index": index, "task": pickle.dumps(task)} for index, task in enumerate(tasks)]
    # A block for each: what is begun again is one task.
    blocks = ray.data.from_items(items, override_num_blocks=len(items))
    waiting = dict(enumerate(tasks))
    with tqdm(total=len(tasks), desc=what, disable=not progress) as bar:
        for row in blocks.map(functools.partial(_call, function, attempts), num_cpus=1).iter_rows():
            bar.update()
            yield waiting.pop(row["index"]), pickle.loads(row["result"])
    if waiting:
        raise RuntimeError(f"{len(waiting)} of {len(tasks)} tasks did not come back from Ray; run again to go on.")


class _Attempts:
    """An actor that counts how often each task was begun."""

    def __init__(self):
        self.begun = Counter()

    def begin(self, index: int) -> int:
        self.begun[index] += 1
        return self.begun[index]


def _call(function: Callable, attempts, row: dict) -> dict:
    import ray

    given_up = ray.get(attempts.begin.remote(row["index"])) > MAX_ATTEMPTS
    result = LOST if given_up else function(*pickle.loads(row["task"]))
    return {"index": row["index"], "result": pickle.dumps(result)}


def simulate_on_ray(
    paths: str | Path | Iterable[str | Path], folder: str, address: str = "auto", **settings
) -> ConversionReport:
    """
    `write_shards` on the machines of a Ray cluster.

    Args:
        paths (`str`, `Path` or an iterable of them):
            As in `write_shards`; all machines must see them under these names.
        folder (`str`):
            Likewise.
        address (`str`, *optional*, defaults to `"auto"`):
            As in `connect`.
        settings:
            As in `write_shards`.

    Returns:
        `ConversionReport`: What was written and what failed.
    """
    return write_shards(paths, folder, run=functools.partial(run_on_ray, address=address), **settings)


__all__ = ["run_on_ray", "simulate_on_ray"]
