"""What tests start ends with them."""

import os
import subprocess
import sys

from services import end_marked

SLEEPER = (
	"import subprocess, sys, time; "
	"child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'], start_new_session=True); "
	"print(child.pid, flush=True); time.sleep(60)"
)


def test_who_has_the_mark_is_ended_with_all_that_it_has_started():
	command = [sys.executable, "-c", SLEEPER]
	ours, others = (
		subprocess.Popen(command, env={**os.environ, "SLEEPS_FOR": mark}, stdout=subprocess.PIPE, text=True)
		for mark in ("us", "others")
	)
	children = [int(process.stdout.readline()) for process in (ours, others)]
	try:
		end_marked("SLEEPS_FOR", "us")
		assert ours.wait(1) != 0
		assert _command_of(children[0]) == ""
		assert others.poll() is None
		assert "sleep" in _command_of(children[1])
	finally:
		end_marked("SLEEPS_FOR", "others")
		others.wait(1)


def _command_of(pid: int) -> str:
	try:
		with open(f"/proc/{pid}/cmdline") as file:
			return file.read()
	except FileNotFoundError:
		return ""
