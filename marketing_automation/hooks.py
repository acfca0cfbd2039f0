app_name = "marketing_automation"
app_title = "Marketing Automation"
app_publisher = "The marketing_automation developers"
app_description = "Lifecycle marketing for ERPNext: the right message to each customer at the right time, once"
app_email = "developers@marketing-automation.invalid"
app_license = "mit"

required_apps = ["frappe/erpnext"]
