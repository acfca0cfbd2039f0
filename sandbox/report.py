"""What a person sees while the sandbox works: one line a step, and where the log is when one fails."""

import contextlib
import subprocess
import sys
import time
from pathlib import Path


class Failed(Exception):
	"""A step failed; the text says what to do or where to look."""


@contextlib.contextmanager
def step(text: str):
	"""Print what is being done, and how long it took."""
	print(f"  {text} ... ", end="", flush=True)
	began = time.monotonic()
	try:
		yield
	except BaseException:
		print("failed", flush=True)
		raise
	print(f"{time.monotonic() - began:.1f} s", flush=True)


def run(command: list, log: Path, **options) -> None:
	"""Run a command with its output in `log`; raises Failed with the end of the log when it fails."""
	log.parent.mkdir(parents=True, exist_ok=True)
	with log.open("w") as out:
		done = subprocess.run(
			[str(part) for part in command],
			stdout=out,
			stderr=subprocess.STDOUT,
			stdin=subprocess.DEVNULL,
			**options,
		)
	if done.returncode:
		tail = "\n".join(log.read_text(errors="replace").splitlines()[-25:])
		name = Path(str(command[0])).name
		raise Failed(f"{name} ended with {done.returncode}. The whole log is in {log}; its end:\n{tail}")


def fail(error: Failed) -> None:
	"""Print why it ended, and end."""
	print(f"\nsandbox: {error}", file=sys.stderr, flush=True)
	sys.exit(1)
