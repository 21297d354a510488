// What every page does by itself: keys, times that stay true, and following what changes.

import { followRegions } from "./live.js";
import { installKeys } from "./keys.js";
import { keepTimes } from "./times.js";

installKeys();
keepTimes();
if ("follows" in document.body.dataset) followRegions();
