"""What Frappe offers to apps is used anywhere; its internals in compat.py, and those of mails in channels/email."""

import ast
import unittest
from collections.abc import Iterator
from pathlib import Path

import marketing_automation

APP = Path(marketing_automation.__file__).parent
# Whatever Frappe's developers change without a word, these follow.
ADAPTERS = ("compat.py", "channels/email/", "tests/")
# What its documentation has, or what every app uses. A name more is a decision: can it be asked for in compat.py?
OFFERED = {
	"frappe",
	"frappe.model",
	"frappe.model.document",
	"frappe.permissions",
	"frappe.query_builder",
	"frappe.query_builder.functions",
	"frappe.translate",
	"frappe.types",
	"frappe.utils",
	"frappe.utils.background_jobs",
	"frappe.utils.password",
	"frappe.utils.scheduler",
	"frappe.utils.user",
	"frappe.utils.verified_command",
}
# Of what Frappe keeps for a request: these, and what is our own.
OF_A_REQUEST = {"lang", "site"}
OUR_OWN = "lifecycle_"


def internals(tree: ast.AST) -> Iterator[tuple[int, str]]:
	"""Yield (line, what) for each use of Frappe that is not OFFERED: imports, private names, the request's state."""
	for node in ast.walk(tree):
		if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "frappe":
			modules = {f"{node.module}.{alias.name}" for alias in node.names}
			# `from frappe.utils import scheduler` imports a module as well.
			if node.module not in OFFERED and not modules <= OFFERED:
				yield node.lineno, f"from {node.module}"
			for alias in node.names:
				if alias.name.startswith("_") and alias.name not in ("_", "_dict"):
					yield node.lineno, f"{node.module}.{alias.name}"
		elif isinstance(node, ast.Import):
			for alias in node.names:
				if alias.name.split(".")[0] == "frappe" and alias.name not in OFFERED:
					yield node.lineno, f"import {alias.name}"
		elif isinstance(node, ast.Attribute) and (path := _path(node)).startswith("frappe."):
			name = node.attr
			if name.startswith("_") and path not in ("frappe._", "frappe._dict"):
				yield node.lineno, path
			elif path.startswith("frappe.local.") and path.count(".") == 2:
				if name not in OF_A_REQUEST and not name.startswith(OUR_OWN):
					yield node.lineno, path


def _path(node: ast.AST) -> str:
	"""Return what a chain of attributes reads like (frappe.db.sql), or nothing where it begins with no plain name."""
	names = []
	while isinstance(node, ast.Attribute):
		names.append(node.attr)
		node = node.value
	return ".".join([node.id, *reversed(names)]) if isinstance(node, ast.Name) else ""


class TestFrappesInternals(unittest.TestCase):
	maxDiff = None

	def test_only_the_adapters_touch_them(self):
		found = []
		for path in sorted(APP.rglob("*.py")):
			where = path.relative_to(APP).as_posix()
			if not where.startswith(ADAPTERS):
				tree = ast.parse(path.read_text(encoding="utf-8"))
				found += [f"{where}:{line}: {what}" for line, what in internals(tree)]
		self.assertEqual(found, [])

	def test_each_way_to_touch_them_is_seen(self):
		for code in (
			"from frappe.email.queue import flush",
			"from frappe.email import queue",
			"import frappe.core.utils",
			"from frappe.utils import _secret",
			"def f():\n\tfrom frappe.desk.form import load",
			"frappe.db._cursor.rowcount",
			"frappe._something()",
			"frappe.local.message_log",
		):
			with self.subTest(code):
				self.assertTrue(list(internals(ast.parse(code))))

	def test_what_is_offered_is_no_fault(self):
		for code in (
			"import frappe\nfrom frappe import _, _dict\nfrom frappe.utils import getdate, scheduler",
			"frappe._dict(a=1)\nfrappe._('text')\nfrappe.db.sql('select 1')\nfrappe.local.lang\nfrappe.local.lifecycle_x",
			"other._cursor",
		):
			with self.subTest(code):
				self.assertEqual(list(internals(ast.parse(code))), [])
