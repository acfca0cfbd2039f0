from frappe.model.document import Document


class Bin(Document):
	"""What there is of an item in a warehouse. ERPNext writes it; here whoever needs one does."""
