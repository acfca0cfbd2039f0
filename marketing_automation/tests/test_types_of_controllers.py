"""A controller says which fields its DocType has and of what types, in the block that Frappe writes there."""

import ast
import json
import unittest
from pathlib import Path

import marketing_automation
from marketing_automation import hooks

DOCTYPES = Path(marketing_automation.__file__).parent / "marketing_automation" / "doctype"
# As in frappe.types.exporter: these have no value, or none of their own.
WITHOUT_A_VALUE = {"Section Break", "Column Break", "Tab Break", "HTML", "Button", "Heading", "Fold", "Image"}


def declared(controller: Path) -> dict[str, str]:
	"""Return {field: type, as it is written} of the block in a controller."""
	text = controller.read_text(encoding="utf-8")
	if text.count("# begin: auto-generated types") != 1 or text.count("# end: auto-generated types") != 1:
		return {}
	(block,) = (
		node
		for node in ast.walk(ast.parse(text))
		if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
	)
	return {
		node.target.id: ast.unparse(node.annotation) for node in block.body if isinstance(node, ast.AnnAssign)
	}


class TestTypesOfControllers(unittest.TestCase):
	def test_they_are_those_of_the_doctype(self):
		definitions = sorted(DOCTYPES.glob("*/*.json"))
		self.assertGreaterEqual(len(definitions), 8)
		for path in definitions:
			definition = json.loads(path.read_text(encoding="utf-8"))
			types = declared(path.with_suffix(".py"))
			if definition.get("istable"):
				for field in ("parent", "parentfield", "parenttype"):
					self.assertEqual(types.pop(field, None), "DF.Data", f"{path.stem}: {field}")
			fields = {df["fieldname"]: df for df in definition["fields"]}
			valued = {name for name, df in fields.items() if df["fieldtype"] not in WITHOUT_A_VALUE}
			with self.subTest(path.stem):
				self.assertEqual(set(types) - {"name"}, valued)
				for name in sorted(valued):
					self.check(types[name], fields[name])

	def check(self, written: str, field: dict) -> None:
		kind = "Literal" if field["fieldtype"] == "Select" else field["fieldtype"].replace(" ", "")
		self.assertRegex(written, rf"^DF\.{kind}\b", field["fieldname"])
		if kind == "Literal":
			# Those of one without options are known by the form alone.
			options = field["options"].split("\n") if field.get("options") else [None]
			self.assertEqual(
				ast.literal_eval(written.removeprefix("DF.Literal")), options, field["fieldname"]
			)
		elif field.get("reqd"):
			self.assertNotIn("None", written, field["fieldname"])

	def test_frappe_goes_on_writing_them(self):
		self.assertTrue(hooks.export_python_type_annotations)
