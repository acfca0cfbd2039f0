"""A large shop, made by SQL in seconds: serial numbers, customers with contacts, campaigns. The same on every run."""

import frappe
from frappe.utils import add_days, getdate

from marketing_automation import erpnext_schema
from marketing_automation.designs import gallery, store
from marketing_automation.tests import factories

ITEM = "BENCH-PIN"
CUSTOMERS = 100_000
# Triggers of the planning benchmark: four campaigns with three each.
OFFSETS = (60, 45, 30, 21, 14, 10, 7, 5, 4, 3, 2, 1)
CAMPAIGNS = 4
# So that the benchmark can run at any hour. What the checks of the gate cost has a part of its own.
PURPOSE, SEND_WINDOW = "Service", "Any time"
DAYS_OF_LEDGER = 730
# Where nothing looks.
FAR = 1000
SUBJECT = "{{ customer_name }}, {{ item_name }} ends on {{ expiry_date }}"
BODY = """<p>Dear {{ customer_name }},</p>
<p>your subscription <strong>{{ item_name }}</strong> (pin {{ serial_no }}) ends on {{ expiry_date }},
in {{ days_left }} days.</p>
<p>Renew it now and keep your pin: answer this mail, and we do the rest. Whoever renews before the last day keeps
the price of last year, and nothing has to be installed again.</p>
<table class="table"><tbody>
{% for pin in pins %}<tr><td>{{ pin.serial_no }}</td><td>{{ pin.item_name }}</td><td>{{ pin.expiry_date }}</td></tr>{% endfor %}
</tbody></table>
<p><a class="btn btn-primary" href="https://shop.example/renew?pin={{ serial_no }}">Renew now</a></p>
<p>{% if days_left < 10 %}It ends soon. {% endif %}{{ company }}</p>"""
COMMON = {
	"owner": "'Administrator'",
	"modified_by": "'Administrator'",
	"creation": "now()",
	"modified": "now()",
}


def customers() -> None:
	"""Make the customers: each with a contact that has an address; every second one reads Spanish."""
	name = "concat('BENCH-C-', lpad(seq, 7, '0'))"
	_fill(
		"Customer",
		CUSTOMERS,
		{
			"name": name,
			"customer_name": "concat('José Núñez ', seq)",
			"customer_type": "'Individual'",
			"language": "if(seq % 2, 'es', 'en')",
			"customer_primary_contact": name,
		},
	)
	email = "concat('customer', seq, '@customers.example')"
	_fill(
		"Contact", CUSTOMERS, {"name": name, "first_name": name, "email_id": email, "is_primary_contact": "1"}
	)
	child = {"name": name, "parent": name, "parenttype": "'Contact'", "idx": "1"}
	_fill(
		"Contact Email",
		CUSTOMERS,
		{**child, "parentfield": "'email_ids'", "email_id": email, "is_primary": "1"},
	)
	_fill(
		"Dynamic Link",
		CUSTOMERS,
		{
			**child,
			"parentfield": "'links'",
			"link_doctype": "'Customer'",
			"link_name": name,
			"link_title": name,
		},
	)


def serial_numbers(first: int, last: int) -> None:
	"""Make the serial numbers of these places in the table, each sold by an invoice of its own, with a bundle; they expire
	where nothing looks."""
	name = "concat('BENCH-', lpad(seq, 8, '0'))"
	company = frappe.db.escape(factories.company())
	customer = f"concat('BENCH-C-', lpad(1 + (seq * 7919) % {CUSTOMERS}, 7, '0'))"
	_fill(
		"Serial No",
		last,
		{
			"name": name,
			"serial_no": name,
			"item_code": f"'{ITEM}'",
			"company": company,
			"status": "'Delivered'",
			**({"customer": customer} if erpnext_schema.has_owner() else {}),
			"warranty_expiry_date": f"date_add(curdate(), interval {FAR} + seq % 1000 day)",
		},
		first,
	)
	# Over the last two years; one in fifty lately, so that nearly one in five of the customers has renewed.
	ago = f"if((seq + 7 * floor(seq / {CUSTOMERS})) % 50 = 0, 10 + seq % 40, 120 + seq % 600)"
	posted = f"date_sub(curdate(), interval {ago} day)"
	sold = {"docstatus": "1", "posting_date": posted, "company": company}
	# All of them are paid.
	paid = {"due_date": f"date_add({posted}, interval 30 day)", "outstanding_amount": "0"}
	_fill("Sales Invoice", last, {**sold, **paid, "name": name, "customer": customer}, first)
	line = {"parenttype": "'Sales Invoice'", "parentfield": "'items'", "idx": "1", "docstatus": "1"}
	line |= {"name": name, "parent": name, "item_code": f"'{ITEM}'", "serial_and_batch_bundle": name}
	_fill("Sales Invoice Item", last, line, first)
	_fill(
		"Serial and Batch Bundle",
		last,
		{
			**sold,
			"name": name,
			"item_code": f"'{ITEM}'",
			"type_of_transaction": "'Outward'",
			"voucher_type": "'Sales Invoice'",
			"voucher_no": name,
		},
		first,
	)
	entry = {"parenttype": "'Serial and Batch Bundle'", "parentfield": "'entries'", "idx": "1"}
	_fill(
		"Serial and Batch Entry",
		last,
		{**entry, "docstatus": "1", "name": name, "parent": name, "serial_no": name},
		first,
	)


def dated_documents(count: int) -> None:
	"""Make so many of each other document with a date; nothing of it is due where a trigger looks.

	A maintenance schedule has one visit. A batch has one buyer: the customer of its serial number's invoice.
	"""
	company = frappe.db.escape(factories.company())
	customer = f"concat('BENCH-C-', lpad(1 + (seq * 7919) % {CUSTOMERS}, 7, '0'))"
	far = f"date_add(curdate(), interval {FAR} + seq % 1000 day)"
	name = "concat('BENCH-', lpad(seq, 8, '0'))"
	submitted = {"name": name, "docstatus": "1", "company": company}
	party = {"party_type": "'Customer'"}
	_fill(
		"Quotation",
		count,
		submitted
		| {"quotation_to": "'Customer'", "party_name": customer, "status": "'Open'"}
		| {"valid_till": far},
	)
	order = {"customer": customer, "status": "'To Deliver and Bill'", "delivery_status": "'Not Delivered'"}
	_fill("Sales Order", count, submitted | order | {"delivery_date": far})
	_fill(
		"Subscription",
		count,
		party | {"name": name, "company": company, "party": customer, "status": "'Active'", "end_date": far},
	)
	_fill(
		"Contract",
		count,
		party
		| {"name": name, "docstatus": "1", "party_name": customer, "status": "'Active'", "end_date": far},
	)
	_fill("Maintenance Schedule", count, submitted | {"customer": customer, "status": "'Submitted'"})
	visit = {
		"parenttype": "'Maintenance Schedule'",
		"parentfield": "'schedules'",
		"idx": "1",
		"docstatus": "1",
	}
	visit |= {"name": name, "parent": name, "item_code": f"'{ITEM}'", "completion_status": "'Pending'"}
	_fill("Maintenance Schedule Detail", count, visit | {"scheduled_date": far})
	_fill("Batch", count, {"name": name, "batch_id": name, "item": f"'{ITEM}'", "expiry_date": far})
	entry = {
		"parenttype": "'Serial and Batch Bundle'",
		"parentfield": "'entries'",
		"idx": "2",
		"docstatus": "1",
	}
	entry |= {"name": f"concat({name}, '-B')", "parent": name, "batch_no": name, "qty": "-1"}
	_fill("Serial and Batch Entry", count, entry)


# The other dates that triggers look at, and how many of a night's messages are about each.
DATED = {
	("Sales Invoice", "due_date"): 3000,
	("Quotation", "valid_till"): 500,
	("Sales Order", "delivery_date"): 500,
	("Subscription", "end_date"): 500,
	("Contract", "end_date"): 500,
	("Maintenance Schedule Detail", "scheduled_date"): 500,
	("Batch", "expiry_date"): 500,
}


def all_due(serial_nos: int) -> None:
	"""Let so many serial numbers be due tonight, and of each other date as many as DATED says."""
	due(serial_nos)
	for (doctype, field), count in DATED.items():
		table = frappe.qb.DocType(doctype)
		query = frappe.qb.update(table).set(table[field], add_days(getdate(), OFFSETS[0]))
		if doctype == "Sales Invoice":
			query = query.set(table.outstanding_amount, 100)
		query.where(table.name.between("BENCH-00000001", f"BENCH-{count:08}")).run()
	frappe.db.commit()


def campaigns_of_all_sources() -> list[str]:
	"""Make a campaign for each of those dates, with three triggers; return their names."""
	template = factories.make(
		"Email Template",
		name="Benchmark of a date",
		subject="{{ customer_name }}",
		use_html=1,
		response_html="<p>Dear {{ customer_name }}, until {{ date }}.</p>",
	).name
	names = []
	for doctype, field in DATED:
		source = doctype.removesuffix(" Detail")
		campaign = factories.make(
			"Lifecycle Campaign",
			campaign_name=f"Benchmark {source}",
			purpose=PURPOSE,
			send_window=SEND_WINDOW,
		)
		for days in OFFSETS[:3]:
			of_source = {"source": source, "date_field": field, "days_offset": days}
			trigger = factories.trigger(campaign.name, trigger_name=f"{source}: {days} days", **of_source)
			factories.action(trigger.name, template, action_name=f"Benchmark {source} {days}")
		names.append(campaign.name)
	frappe.db.commit()
	return names


def _fill(doctype: str, last: int, values: dict, first: int = 1) -> None:
	values = {**COMMON, **values}
	columns = ", ".join(f"`{column}`" for column in values)
	frappe.db.sql(
		f"insert into `tab{doctype}` ({columns}) select {', '.join(values.values())} from seq_{first}_to_{last}"
	)
	frappe.db.commit()
	# As it would be on a site that has grown.
	frappe.db.sql(f"analyze table `tab{doctype}`")


def due(count: int, offsets: tuple[int, ...] = OFFSETS) -> None:
	"""Let the first `count` serial numbers, and no others, be due tonight, shared out over these triggers."""
	today = getdate()
	frappe.db.sql(
		"""update `tabSerial No` set warranty_expiry_date = date_add(%s, interval %s day)
		where name like 'BENCH-%%' and warranty_expiry_date < date_add(%s, interval %s day)""",
		(today, FAR, today, FAR),
	)
	cases = " ".join(
		f"when {index} then {frappe.db.escape(str(add_days(today, days)))}"
		for index, days in enumerate(offsets)
	)
	if count:
		frappe.db.sql(
			f"""update `tabSerial No` set warranty_expiry_date = case cast(substr(name, 7) as unsigned) %% {len(offsets)}
			{cases} end where name between 'BENCH-00000001' and %s""",
			f"BENCH-{count:08}",
		)
	frappe.db.commit()


def campaigns() -> list[str]:
	"""Make the campaigns with their triggers; return their names. All are switched off."""
	template = factories.make(
		"Email Template", name="Benchmark", subject=SUBJECT, use_html=1, response_html=BODY
	).name
	names = []
	for number in range(CAMPAIGNS):
		campaign = factories.make(
			"Lifecycle Campaign",
			campaign_name=f"Benchmark {number}",
			purpose=PURPOSE,
			send_window=SEND_WINDOW,
		)
		for days in OFFSETS[number::CAMPAIGNS]:
			trigger = factories.trigger(
				campaign.name, trigger_name=f"{number}: {days} days", days_offset=days
			)
			factories.action(trigger.name, template, action_name=f"Benchmark {days}")
		names.append(campaign.name)
	frappe.db.commit()
	return names


def designed() -> dict[str, str]:
	"""Put a design of the gallery to use, unless it is; return {language: its Email Template}."""
	name = frappe.db.get_value(store.DOCTYPE, {"gallery": "renewal"}, "name")
	doc = frappe.get_doc(store.DOCTYPE, name) if name else None
	if not doc:
		doc = store.new("Benchmark", gallery.named("renewal")["design"], gallery="renewal")
		store.publish(doc)
		frappe.db.commit()
	return {row.language: row.email_template for row in doc.templates}


def notification() -> str:
	"""Make Frappe's own Notification with the same words, 30 days before, and return its name."""
	text = _in_jinja_of_frappe(
		customer_name="doc.customer",
		item_name="doc.item_code",
		serial_no="doc.serial_no",
		expiry_date="frappe.utils.formatdate(doc.warranty_expiry_date, 'long')",
		days_left="frappe.utils.date_diff(doc.warranty_expiry_date, frappe.utils.nowdate())",
		company="doc.company",
	)
	# Serial No has no address: whoever uses a Notification for this has to look it up so.
	address = "{{ frappe.db.get_value('Contact', {'name': frappe.db.get_value('Customer', doc.customer, 'customer_primary_contact')}, 'email_id') }}"
	return factories.make(
		"Notification",
		name="Benchmark",
		subject="{{ doc.customer }}, {{ doc.item_code }} ends",
		document_type="Serial No",
		event="Days Before",
		date_changed="warranty_expiry_date",
		days_in_advance=30,
		channel="Email",
		message=text,
		enabled=0,
		recipients=[{"cc": address}],
	).name


def ledger(rows: int, serial_nos: int) -> None:
	"""Fill the ledger with the messages of the last two years about so many serial numbers, none of them of tonight; what
	was in it is gone.

	Its indexes are made when the rows are in: that is many times as fast.
	"""
	table = "`tabLifecycle Execution Log`"
	indexes = frappe.db.sql(
		"""select index_name, group_concat('`', column_name, '`' order by seq_in_index), min(non_unique)
		from information_schema.statistics
		where table_schema = database() and table_name = 'tabLifecycle Execution Log' and index_name != 'PRIMARY'
		group by index_name"""
	)
	frappe.db.sql_ddl(f"truncate table {table}")
	frappe.db.sql_ddl(f"alter table {table} " + ", ".join(f"drop index `{name}`" for name, *_ in indexes))
	actions = frappe.get_all(
		"Lifecycle Action", fields=["name", "trigger", "campaign"], order_by="campaign asc, creation asc"
	)

	def one_of(values) -> str:
		return f"elt(1 + seq * 31 % {len(actions)}, {', '.join(frappe.db.escape(value) for value in values)})"

	ago = f"({DAYS_OF_LEDGER} - floor((seq - 1) * {DAYS_OF_LEDGER} / {rows}))"
	moment = f"date_add(date_sub(curdate(), interval {ago} day), interval 3600 + seq % 3600 second)"
	recent = f"seq > {rows} - 1000"
	_fill(
		"Lifecycle Execution Log",
		rows,
		{
			"name": f"lower(concat(lpad(hex(unix_timestamp({moment})), 11, '0'), lpad(hex(seq), 10, '0')))",
			"creation": moment,
			"modified": moment,
			"message_key": "left(sha2(seq, 256), 32)",
			"run": f"concat('BENCH-RUN-', {ago})",
			"campaign": one_of([action.campaign for action in actions]),
			"trigger": one_of([action.trigger for action in actions]),
			"action": one_of([action.name for action in actions]),
			"customer": f"concat('BENCH-C-', lpad(1 + (seq * 7919) % {CUSTOMERS}, 7, '0'))",
			"company": frappe.db.escape(factories.company()),
			"reference_doctype": "'Serial No'",
			"reference_name": f"concat('BENCH-', lpad(1 + (seq * 7919) % {serial_nos}, 8, '0'))",
			"item_code": f"'{ITEM}'",
			"occurrence_date": f"date_add(date({moment}), interval 30 day)",
			"due_on": f"date({moment})",
			"recipient": f"concat('customer', 1 + (seq * 7919) % {CUSTOMERS}, '@customers.example')",
			"status": f"if({recent}, elt(1 + seq % 2, 'Pending', 'Queued'),"
			" if(seq % 100 < 93, 'Completed', if(seq % 100 < 98, 'Skipped', 'Failed')))",
			# One that is frequent, one that is rare, and one that has not been seen for long.
			"reason": f"if({recent} or seq % 100 < 93, null, if(seq % 100 = 99, 'Sending failed',"
			f" if(seq % 10000 = 93, 'Owner changed', if(seq < {rows} / 10, 'Returned', 'No e-mail address'))))",
			"executed_at": f"if({recent}, null, {moment})",
			"handle": "if(seq % 100 < 93, left(md5(seq), 10), null)",
		},
	)
	frappe.db.sql_ddl(
		f"alter table {table} "
		+ ", ".join(
			f"add {'' if non_unique else 'unique'} index `{name}` ({columns})"
			for name, columns, non_unique in indexes
		)
	)
	frappe.db.sql(f"analyze table {table}")


def email_campaigns(count: int) -> None:
	"""Make an Email Campaign of ERPNext for each of `count` contacts, due today and no other day.

	It is one document a contact, and knows nothing but that contact: no serial number, no date.
	"""
	if not frappe.db.exists("Campaign", "Benchmark"):
		words = ("customer_name", "item_name", "serial_no", "expiry_date", "company")
		factories.make(
			"Email Template",
			name="Benchmark Email Campaign",
			subject="{{ doc.first_name }}, it ends soon",
			use_html=1,
			response_html=_in_jinja_of_frappe(days_left="30", **dict.fromkeys(words, "doc.first_name")),
		)
		schedule = [{"email_template": "Benchmark Email Campaign", "send_after_days": 0}]
		factories.make("Campaign", campaign_name="Benchmark", campaign_schedules=schedule)
	frappe.db.delete("Email Campaign", {"campaign_name": "Benchmark"})
	for contact in frappe.get_all(
		"Contact",
		filters={"name": ["like", "BENCH-C-%"]},
		pluck="name",
		order_by="name asc",
		limit_page_length=count,
	):
		factories.make(
			"Email Campaign",
			campaign_name="Benchmark",
			email_campaign_for="Contact",
			recipient=contact,
			sender="Administrator",
			start_date=getdate(),
		)
	frappe.db.commit()


def _in_jinja_of_frappe(**expressions: str) -> str:
	"""Return the words for a template of Frappe's: no list of pins, an expression in the place of each variable."""
	text = BODY.replace("{% for pin in pins %}", "").replace("{% endfor %}", "").replace("pin.", "")
	for name, value in expressions.items():
		text = text.replace(f"{{{{ {name} }}}}", f"{{{{ {value} }}}}").replace(
			f"if {name} <", f"if {value} <"
		)
	return text
