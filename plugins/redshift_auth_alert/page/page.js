// Where it starts: which page is asked for, in which theme, and what to say where something is in the way.
import { Problem } from "./api.js";
import { showDag } from "./dag.js";
import { showRun } from "./run.js";
import { redraw } from "./show.js";

// Airflow writes its theme on the page that holds this frame. Alone, the page follows the system.
function follow() {
  const system = matchMedia("(prefers-color-scheme: dark)");
  const outer = parent === window ? null : parent.document.documentElement;
  const apply = () => {
    const named = /\b(dark|light)\b/.exec(outer?.className)?.[1];
    document.documentElement.dataset.theme = named ?? (system.matches ? "dark" : "light");
    redraw();
  };
  system.addEventListener("change", apply);
  if (outer) new MutationObserver(apply).observe(outer, { attributeFilter: ["class"] });
  apply();
}
// Not by URLSearchParams, which takes the + of a run id for a space.
const asked = Object.fromEntries(location.search.slice(1).split("&").map((pair) => pair.split("=").map(decodeURIComponent)));
const say = (text) => { document.getElementById("status").textContent = text; };
follow();
try {
  await (asked.run_id ? showRun : showDag)(document.getElementById("page"), asked, say);
} catch (error) {
  say(error instanceof Problem ? error.message : `This page cannot show what it read (${error}). Read the run's message.`);
}
