"""Another time than this machine's, for a process of the bench and the workers that it starts.

A night and the morning after it are played at any hour of any day. As a script, run with the bench's Python, clock.py MODULE
ARGUMENT… runs a module at the time that the environment asks for.
"""

import os
import runpy
import sys
import time
from datetime import datetime, timezone

# In seconds: how far it is ahead of the machine's clock.
AHEAD = "SANDBOX_CLOCK_AHEAD"


def start() -> None:
	"""Go to the time that the environment asks for, if it asks. Time goes on from there."""
	if AHEAD in os.environ:
		_travel(_machines_time() + float(os.environ[AHEAD]))


def go_to(moment: datetime) -> None:
	"""Go to a moment (with its time zone), and have whatever this process starts from now on do so, too."""
	os.environ[AHEAD] = str(moment.timestamp() - _machines_time())
	_travel(moment.timestamp())


# The commands of the sandbox read this file as well, and have nothing but Python's own library: time_machine is imported late.
def _machines_time() -> float:
	import time_machine

	hatch = time_machine.escape_hatch
	return hatch.time.time() if hatch.is_travelling() else time.time()


def _travel(seconds: float) -> None:
	import time_machine

	time_machine.travel(datetime.fromtimestamp(seconds, timezone.utc), tick=True).start()


if __name__ == "__main__":
	start()
	del sys.argv[0]
	runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
