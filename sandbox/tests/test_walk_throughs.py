"""What CONTRIBUTING.md shows works: each file in it is written into an app of another developer's, which is put on the
bench and installed on the site, and each example is tried."""

import contextlib
import json
import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import frappe
from bench import PROJECT

from marketing_automation.tests.case import MarketingTestCase

TEXT = (PROJECT / "CONTRIBUTING.md").read_text(encoding="utf-8")
# A line with nothing but a path, and below it what the file has.
FILE = re.compile(r"^`([\w./]+)`:\n\n```\w*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
EXAMPLE = re.compile(r"^Try it[^\n]*:\n\n```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"(?:`|^ {4})make ([a-z-]+)", re.MULTILINE)


def section(title: str) -> str:
	"""Return what stands below a heading."""
	return TEXT.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


@contextlib.contextmanager
def another_app(folder: Path, text: str) -> Iterator[str]:
	"""Have the app that a walk-through writes on this bench and this site, for as long as the block runs; yields its name."""
	files = dict(FILE.findall(text))
	(name,) = {path.split("/")[0] for path in files}
	for path, content in {
		f"{name}/__init__.py": '__version__ = "0.0.1"\n',
		f"{name}/modules.txt": "",
		f"{name}/patches.txt": "",
		**files,
	}.items():
		file = folder / path
		file.parent.mkdir(parents=True, exist_ok=True)
		file.write_text(content, encoding="utf-8")
	apps, installed = Path("apps.txt"), frappe.get_installed_apps()
	listed = apps.read_text()
	try:
		sys.path.insert(0, str(folder))
		apps.write_text(f"{listed.rstrip()}\n{name}\n")
		_install([*installed, name])
		yield name
	finally:
		apps.write_text(listed)
		_install(installed)
		sys.path.remove(str(folder))
		for module in [module for module in sys.modules if module.split(".")[0] == name]:
			del sys.modules[module]


def _install(apps: list[str]) -> None:
	frappe.db.set_global("installed_apps", json.dumps(apps))
	frappe.db.commit()
	frappe.clear_cache()


class TestWalkThroughs(MarketingTestCase):
	def follow(self, title: str) -> None:
		text = section(title)
		examples = EXAMPLE.findall(text)
		self.assertTrue(examples, f"{title}: nothing is tried")
		with another_app(Path(self.enterContext(tempfile.TemporaryDirectory())), text):
			for example in examples:
				exec(compile(example, f"CONTRIBUTING.md, {title}", "exec"), {})

	def test_whoever_adds_a_source_can_follow_it(self):
		self.follow("Add a source")

	def test_whoever_adds_a_channel_can_follow_it(self):
		self.follow("Add a channel")

	def test_whoever_adds_a_goal_can_follow_it(self):
		self.follow("Add a goal")

	def test_whoever_adds_a_hold_can_follow_it(self):
		self.follow("Add a hold")

	def test_whoever_adds_a_check_can_follow_it(self):
		self.follow("Add a check")

	def test_whoever_adds_a_recipe_can_follow_it(self):
		self.follow("Add a recipe")

	def test_whoever_adds_a_block_can_follow_it(self):
		self.follow("Add a block")

	def test_whoever_adds_a_design_can_follow_it(self):
		self.follow("Add a design to the gallery")


def test_the_commands_are_those_of_the_makefile():
	makefile = (PROJECT / "Makefile").read_text()
	commands = set(COMMAND.findall(TEXT))
	assert {"desk", "test", "up", "down", "test-bench"} <= commands
	assert [command for command in commands if f"\n{command}:" not in makefile] == []
