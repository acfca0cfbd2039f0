"""Each part of the app imports what is below it and nothing else, and no two import each other (pyproject.toml)."""

import shutil
import subprocess
import sys
from pathlib import Path

import grimp
import pytest
from bench import PROJECT

APP = "marketing_automation"


def lint(folder: Path) -> subprocess.CompletedProcess:
	"""Ask import-linter about the app in a folder, by the contracts of its pyproject.toml."""
	return subprocess.run(
		[Path(sys.executable).parent / "lint-imports", "--no-cache"],
		cwd=folder,
		stdout=subprocess.PIPE,
		stderr=subprocess.STDOUT,
		text=True,
	)


@pytest.fixture
def copy(tmp_path):
	"""A copy of the app, to break."""
	shutil.copytree(PROJECT / APP, tmp_path / APP, ignore=shutil.ignore_patterns("__pycache__", "tests"))
	shutil.copy(PROJECT / "pyproject.toml", tmp_path)
	return tmp_path


def test_every_contract_is_kept():
	found = lint(PROJECT)
	assert found.returncode == 0, found.stdout
	assert " 0 broken." in found.stdout


@pytest.mark.parametrize(
	("module", "imported"),
	[
		("engine/plan.py", "sources.serial_no"),
		("engine/deliver.py", "channels.email"),
		("engine/words.py", "desk.health"),
		("engine/model.py", "engine.plan"),
		("sources/serial_no.py", "channels.email"),
		("channels/email/sender.py", "sources.serial_no"),
		("channels/email/sender.py", "api"),
		("channels/webhook.py", "channels.email"),
		("goals/bought.py", "channels.email"),
		("checks/cap.py", "channels.email"),
		("holds/dunning.py", "checks.holds"),
		("engine/gate.py", "checks.cap"),
		("desk/preview.py", "api"),
		("compat.py", "engine.settings"),
		("erpnext_schema.py", "engine.settings"),
	],
)
def test_an_import_that_goes_upwards_sideways_or_in_a_circle_breaks_one(copy, module, imported):
	with (copy / APP / module).open("a") as file:
		file.write(f"\n\ndef late():\n\timport {APP}.{imported}\n")
	found = lint(copy)
	assert found.returncode, f"{module} imports {imported}, and nobody minds"
	assert imported.split(".")[0] in found.stdout


@pytest.mark.parametrize(
	("contract", "plugins"),
	[
		("source", "sources"),
		("channel", "channels"),
		("goals", "goals"),
		("gate", "checks"),
	],
)
def test_no_plug_in_leads_back_to_what_asks_it(contract, plugins):
	"""The engine finds its plug-ins by a hook, which no import shows: what they import must not ask them in turn."""
	graph = grimp.build_graph(APP, cache_dir=None)
	asking = {
		module
		for module in graph.find_modules_that_directly_import(f"{APP}.engine.{contract}")
		if module.startswith(f"{APP}.engine.")
	}
	assert asking
	circles = [
		" -> ".join(chain)
		for module in sorted(asking)
		for chain in graph.find_shortest_chains(f"{APP}.{plugins}", module, as_packages=True)
	]
	assert circles == []


def test_a_new_part_of_the_app_must_be_given_its_place(copy):
	(copy / APP / "somewhere.py").write_text('"""Nobody said where this belongs."""\n')
	found = lint(copy)
	assert found.returncode
	assert "somewhere" in found.stdout
