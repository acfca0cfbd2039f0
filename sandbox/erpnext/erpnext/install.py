import frappe
from frappe.custom.doctype.custom_field.custom_field import create_custom_fields

TREES = (
	("Customer Group", "All Customer Groups"),
	("Territory", "All Territories"),
	("Item Group", "All Item Groups"),
)


def after_install() -> None:
	"""Make what ERPNext brings along: its field on Contact, and the roots of the trees."""
	create_custom_fields(
		{
			"Contact": [
				{
					"fieldname": "is_billing_contact",
					"fieldtype": "Check",
					"insert_after": "is_primary_contact",
					"label": "Is Billing Contact",
				}
			]
		}
	)
	for doctype, root in TREES:
		field = frappe.scrub(doctype)
		doc = frappe.new_doc(doctype)
		doc.update({f"{field}_name": root, "is_group": 1})
		doc.flags.ignore_mandatory = True
		doc.insert(ignore_permissions=True)
