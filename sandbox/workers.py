"""Worker processes of a bench, for scripts that run inside it (with its Python, in its sites folder)."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from clock import AHEAD

QUEUES = "short,default,long"


def start(log: Path, burst: bool = False, queues: str = QUEUES) -> subprocess.Popen:
	"""Start one worker (bench worker) in a process group of its own; its output goes to the end of `log`.

	burst: it ends when its queues are empty. Its time is that of this process (`clock`).
	"""
	run = [str(Path(__file__).with_name("clock.py"))] if AHEAD in os.environ else ["-m"]
	command = [sys.executable, *run, "frappe.utils.bench_helper", "frappe", "worker", "--queue", queues]
	# CI makes newer workers run in test mode, in which no mail leaves.
	environ = {key: value for key, value in os.environ.items() if key != "CI"}
	with log.open("a") as out:
		return subprocess.Popen(
			[*command, *(["--burst"] if burst else [])],
			stdout=out,
			stderr=subprocess.STDOUT,
			stdin=subprocess.DEVNULL,
			env=environ,
			start_new_session=True,
		)


def kill(worker: int) -> None:
	"""End a worker and the process that does its job (RQ gives it a session of its own) at once, as a power cut would."""
	# The worker first: it would start another one.
	for pid in [worker, *children(worker)]:
		with contextlib.suppress(ProcessLookupError):
			os.kill(pid, signal.SIGKILL)


def children(pid: int) -> list[int]:
	"""Return the processes that a process has started and that still run."""
	found = []
	for path in Path(f"/proc/{pid}/task").glob("*/children"):
		with contextlib.suppress(OSError):
			found += [int(child) for child in path.read_text().split()]
	return found


def work_off(log: Path, queues: str = QUEUES) -> None:
	"""Run a worker until the queues are empty; raises RuntimeError when it fails."""
	worker = start(log, burst=True, queues=queues)
	try:
		if code := worker.wait():
			raise RuntimeError(f"The worker ended with {code}. Its log is in {log}.")
	finally:
		kill(worker.pid)
		worker.wait()


@contextlib.contextmanager
def working(count: int, log: Path, queues: str = QUEUES) -> Iterator[list[subprocess.Popen]]:
	"""Have `count` workers work for as long as the block runs."""
	workers = []
	try:
		for _ in range(count):
			workers.append(start(log, queues=queues))
		yield workers
	finally:
		for worker in workers:
			kill(worker.pid)
			worker.wait()
