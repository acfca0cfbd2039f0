// All that the app's screens have in common. `bench build` makes one file of it, which start.js fetches.

import "./lifecycle.js";
import "./labels.js";
import "./preview.js";
import "./forecast.js";
import "./journey.js";
import "./mail.js";
import "./arrival.js";
import "./run.js";
import "./why.js";
import "./recipes.js";
import "./workspace.js";

marketing_automation.is_ready = true;
