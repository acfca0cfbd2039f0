"""What the project says of itself stands in one place, and where Frappe asks again it is the same."""

import ast
import re
import unittest
from pathlib import Path

import frappe

import marketing_automation
from marketing_automation import hooks

APP = Path(marketing_automation.__file__).parent
PROJECT = APP.parent


def whitelisted() -> list[tuple[str, ast.FunctionDef]]:
	"""Return the functions of the app that a browser may call: (where, function)."""
	found = []
	for path in sorted(APP.rglob("*.py")):
		for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
			if isinstance(node, ast.FunctionDef) and any(
				"whitelist" in ast.unparse(decorator) for decorator in node.decorator_list
			):
				found.append((f"{path.relative_to(APP)}: {node.name}", node))
	return found


class TestProject(unittest.TestCase):
	def test_frappe_and_pip_read_the_same_name_licence_publisher_and_description(self):
		text = (PROJECT / "pyproject.toml").read_text(encoding="utf-8")
		# Python 3.10 has nothing that reads TOML.
		project = text.partition("[project]\n")[2].partition("\n[")[0]
		said = dict(re.findall(r'^(name|description|license) = "([^"]*)"$', project, re.MULTILINE))
		self.assertEqual(said["name"], hooks.app_name)
		self.assertEqual(said["license"].lower(), hooks.app_license)
		self.assertEqual(said["description"], hooks.app_description)
		self.assertIn(f'authors = [{{ name = "{hooks.app_publisher}" }}]', project)

	def test_a_sandbox_has_what_a_bench_installs(self):
		name = re.compile(r"^[\w.-]+", re.MULTILINE)
		needed = set(name.findall((PROJECT / "requirements.txt").read_text(encoding="utf-8")))
		self.assertIn("standardwebhooks", needed)
		for file in ("requirements.txt", "requirements-tests.txt"):
			installed = name.findall((PROJECT / "sandbox" / file).read_text(encoding="utf-8"))
			self.assertLessEqual(needed, set(installed), file)

	def test_setup_py_says_nothing_of_its_own(self):
		tree = ast.parse((PROJECT / "setup.py").read_text(encoding="utf-8"))
		(call,) = (node for node in ast.walk(tree) if isinstance(node, ast.Call))
		self.assertEqual(ast.unparse(call), "setup()")

	def test_no_address_is_shown_that_nobody_reads(self):
		said = " ".join(str(value) for name, value in vars(hooks).items() if name.startswith("app_"))
		self.assertNotRegex(said, r"\.invalid\b|@")
		for hook in ("app_publisher", "app_title", "app_description"):
			self.assertTrue(frappe.get_hooks(hook, app_name=hooks.app_name)[0], hook)

	def test_whatever_a_browser_may_call_has_types_for_all_that_it_takes_and_returns(self):
		functions = whitelisted()
		self.assertGreater(len(functions), 20)
		for where, function in functions:
			with self.subTest(where):
				arguments = function.args
				for argument in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs):
					self.assertIsNotNone(argument.annotation, argument.arg)
				self.assertIsNotNone(function.returns)
				self.assertIsNotNone(ast.get_docstring(function))

	def test_the_scripts_that_hooks_name_are_there_and_the_bundle_has_all_others(self):
		scripts = APP / "public" / "js"
		named = {Path(url.partition("?")[0]).name for url in hooks.app_include_js}
		named |= {Path(path).name for path in hooks.doctype_js.values()}
		bundle = scripts / "marketing_automation.bundle.js"
		bundled = set(re.findall(r'^import "\./(.+)";$', bundle.read_text(encoding="utf-8"), re.MULTILINE))
		self.assertEqual(named & bundled, set())
		# What most people never open is a bundle of its own.
		bundles = {bundle.name, "message_editor.bundle.js"}
		self.assertEqual(named | bundled | bundles, {path.name for path in scripts.glob("*.js")})

	def test_a_page_of_the_desk_that_is_not_ours_loads_next_to_nothing(self):
		loaded = [APP / "public" / url.split("?")[0].split("/", 3)[3] for url in hooks.app_include_js]
		self.assertLess(sum(path.stat().st_size for path in loaded), 3_000)
		self.assertFalse(hasattr(hooks, "app_include_css"))

	def test_what_the_documentation_points_at_is_there(self):
		module = re.compile(
			r"\b(?:api|channels|desk|engine|goals|patches|public|recipes|sources)/[\w/]*\w\.(?:py|js|css)\b"
		)
		link = re.compile(r"\]\((?!https?:)([^)#]+)\)")
		pages = [*PROJECT.glob("*.md"), *(PROJECT / "docs").glob("*.md")]
		self.assertGreaterEqual(len(pages), 6)
		missing = []
		for page in pages:
			text = page.read_text(encoding="utf-8")
			missing += [f"{page.name}: {path}" for path in module.findall(text) if not (APP / path).exists()]
			missing += [
				f"{page.name}: {path}" for path in link.findall(text) if not (page.parent / path).exists()
			]
		self.assertEqual(missing, [])
