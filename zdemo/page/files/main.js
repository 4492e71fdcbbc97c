/** Starts the parts of the page. */

import { startChange } from "./change.js";
import { startCountdown } from "./countdown.js";
import { showDocument } from "./document.js";
import { byId } from "./dom.js";
import { startFeed } from "./feed.js";
import { refreshState, startLive } from "./live.js";
import { startSequence } from "./sequence.js";
import { startTry } from "./try.js";

const DOCUMENT = "#api";

function showView() {
  const isDocument = location.hash === DOCUMENT;
  byId("requests-view").hidden = isDocument;
  byId("api-view").hidden = !isDocument;
  markCurrent(byId("to-requests"), !isDocument);
  markCurrent(byId("to-api"), isDocument);
  if (isDocument) showDocument();
}

function markCurrent(link, isCurrent) {
  if (isCurrent) link.setAttribute("aria-current", "page");
  else link.removeAttribute("aria-current");
}

startSequence();
startFeed();
startTry();
startChange();
startCountdown();
refreshState();
startLive();
addEventListener("hashchange", showView);
showView();
