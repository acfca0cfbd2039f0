"""What ERPNext has dates for in documents of its own: one Spec each. How they are read is `date_field`'s."""

from frappe import _

from marketing_automation.sources.date_field import DateSource
from marketing_automation.sources.invoices import NOTHING, RECKONED
from marketing_automation.sources.spec import Spec

CUSTOMER_ONLY = "Customer"


def _amounts(*fields: str) -> tuple[tuple, ...]:
	return tuple((field, None, "USD 100.00", "text") for field in fields)


CONTRACT = DateSource(
	Spec(
		"Contract",
		title=lambda: _("When a contract ends"),
		timing=lambda: (_("Before the end"), _("On the day of the end"), _("After the end")),
		date_fields=("end_date",),
		customer="party_name",
		company=None,
		always=(("party_type", "=", CUSTOMER_ONLY),),
		# Nobody has signed it: it has not begun.
		open=(("status", "not in", ("Unsigned",)),),
		variables=lambda: (("start_date", None, None, "date"),),
		is_sale=True,
	)
)

QUOTATION = DateSource(
	Spec(
		"Quotation",
		title=lambda: _("When a quotation runs out"),
		timing=lambda: (_("Before it runs out"), _("On its last day"), _("After it has run out")),
		date_fields=("valid_till",),
		customer="party_name",
		lines="Quotation Item",
		always=(("quotation_to", "=", CUSTOMER_ONLY),),
		open=(("status", "not in", ("Draft", "Ordered", "Lost", "Cancelled")),),
		variables=lambda: _amounts("grand_total"),
	)
)

SALES_INVOICE = DateSource(
	Spec(
		"Sales Invoice",
		title=lambda: _("When an invoice is due"),
		timing=lambda: (_("Before the due date"), _("On the due date"), _("After the due date")),
		date_fields=("due_date",),
		lines="Sales Invoice Item",
		open=(("outstanding_amount", ">", NOTHING),),
		reckoned=RECKONED,
		variables=lambda: _amounts("outstanding_amount", "grand_total"),
		is_sale=True,
		sold_on="posting_date",
	)
)

SALES_ORDER = DateSource(
	Spec(
		"Sales Order",
		title=lambda: _("When an order is to be delivered"),
		timing=lambda: (_("Before the delivery"), _("On the day of the delivery"), _("After the delivery")),
		date_fields=("delivery_date",),
		lines="Sales Order Item",
		open=(("status", "not in", ("Draft", "On Hold", "Closed", "Cancelled")),),
		# What has been delivered already does not come any more, whether it is paid for or not. The share says so also where
		# a supplier delivers. Where no delivery is written down at all, nobody knows.
		ahead=(
			("status", "!=", "Completed"),
			("delivery_status", "!=", "Fully Delivered"),
			("per_delivered", "<", 100),
			("skip_delivery_note", "=", 0),
		),
		variables=lambda: _amounts("grand_total"),
		is_sale=True,
		sold_on="transaction_date",
	)
)

MAINTENANCE_SCHEDULE = DateSource(
	Spec(
		"Maintenance Schedule",
		title=lambda: _("When a maintenance visit is planned"),
		timing=lambda: (_("Before the visit"), _("On the day of the visit"), _("After the visit")),
		date_fields=("scheduled_date",),
		item="item_code",
		child="Maintenance Schedule Detail",
		of_child=("scheduled_date", "item_code", "completion_status"),
		ahead=(("completion_status", "!=", "Fully Completed"),),
	)
)

CUSTOMER = DateSource(
	Spec(
		"Customer",
		title=lambda: _("On a birthday or another day of a customer's"),
		timing=lambda: (_("Before the day"), _("On the day itself"), _("After the day")),
		customer="name",
		company=None,
		yearly=True,
	)
)
