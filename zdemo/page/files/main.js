/** Starts the parts of the page. */

import { startChange } from "./change.js";
import { startCountdown } from "./countdown.js";
import { startFeed } from "./feed.js";
import { refreshState, startLive } from "./live.js";
import { startSequence } from "./sequence.js";
import { startTry } from "./try.js";

startSequence();
startFeed();
startTry();
startChange();
startCountdown();
refreshState();
startLive();
