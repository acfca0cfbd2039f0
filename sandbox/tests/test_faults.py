"""Nobody is lost, written to twice or stuck, whatever is killed, restarted or refused: the short form of `make faults`."""

import re
import subprocess
import sys
from pathlib import Path

COMMAND = [sys.executable, str(Path(__file__).resolve().parents[1] / "cli.py"), "faults", "--short"]


def test_whatever_breaks_everybody_gets_their_mail_once():
	done = subprocess.run(COMMAND, capture_output=True, text=True)
	assert done.returncode == 0, done.stdout + done.stderr
	last = done.stdout.splitlines()[-1]
	assert re.fullmatch(r"faults: tried=\d+ due=\d+ sent=\d+ lost=0 doubled=0 stuck=0", last), last
