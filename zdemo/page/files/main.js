/** Starts the parts of the page. */

import { startChange } from "./change.js";
import { startCountdown } from "./countdown.js";
import { startFeed } from "./feed.js";
import { refreshState, startLive } from "./live.js";
import { startSequence } from "./sequence.js";
import { startTry } from "./try.js";

startChange(); // before the sequence, which looks for switches
startSequence();
startFeed();
startTry();
startCountdown();
refreshState();
startLive();
