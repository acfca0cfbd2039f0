app_name = "erpnext"
app_title = "ERPNext"
app_publisher = "The marketing_automation developers"
app_description = "A stand-in with the DocTypes that marketing_automation reads"
app_email = "developers@marketing-automation.invalid"
app_license = "mit"

after_install = "erpnext.install.after_install"
