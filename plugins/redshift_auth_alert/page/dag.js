// The tab of a DAG: its last intervals as a heat strip, and who came back most.
import { found, get, NO_MONITOR, Problem } from "./api.js";
import { count, el, group, table, utc } from "./show.js";

const DAY = 86_400_000, MOST_RUNS = 1_500, AT_ONCE = 4;
const KINDS = { breach: ["▲", "breach"], failed: ["✕", "failed"], unseen: ["◇", "unseen"], partial: ["◐", "partly seen"],
  quiet: ["", "evaluated, the darker the more failures"], running: ["…", "not finished"], gone: ["?", "its data is gone"], gap: ["┄", "no run"] };

export async function showDag(page, { dag_id: dag }, say) {
  const legend = Object.entries(KINDS).map(([kind, [sign, word]]) => [el("i", { class: `cell ${kind}` }, sign), ` ${word} `]);
  const choose = el("p", {}, "The last "), strip = el("section"), most = el("section");
  page.append(el("h1", {}, "Sign-ins"), choose, el("p", { class: "note" }, legend), strip, most);
  let wanted;
  const buttons = [["week", 7], ["month", 31]].map(([word, days]) => {
    const button = el("button", { type: "button" }, word), mine = {};
    button.onclick = () => {
      wanted = mine;
      buttons.forEach((each) => each.setAttribute("aria-pressed", each === button));
      return load(dag, days, strip, most, (text) => wanted === mine && say(text), () => wanted === mine);
    };
    return button;
  });
  choose.append(buttons[0], " ", buttons[1]);
  await buttons[0].onclick();
}

async function load(dag, days, strip, most, say, wanted) {
  const tasks = await get(`dags/${encodeURIComponent(dag)}/tasks`);
  if (tasks && !tasks.tasks.some(({ task_id: task }) => task === "check_threshold")) throw new Problem(NO_MONITOR);
  const runs = [], since = new Date(Date.now() - days * DAY).toISOString(), path = `dags/${encodeURIComponent(dag)}/dagRuns`;
  for (let total = MOST_RUNS; runs.length < Math.min(total, MOST_RUNS);) {
    const page = await get(`${path}?limit=100&offset=${runs.length}&order_by=-run_after&run_after_gte=${since}`);
    if (!page) throw new Problem("Airflow has no such DAG, or it does not let you see it.");
    runs.push(...page.dag_runs);
    total = page.dag_runs.length ? page.total_entries : 0;
  }
  const cells = runs.map((run) => cell(dag, run)), summaries = [], rest = cells.values();
  if (!wanted()) return;
  arrange(strip, cells);
  most.replaceChildren();
  await Promise.all(Array.from({ length: AT_ONCE }, async () => {
    for (const each of rest) {
      if (!wanted()) return;
      each.fill(await found(dag, each.run.dag_run_id, "summary", () => null));
      if (summaries.push(each.summary) % 20 === 0) say(`Read ${summaries.length} of ${count(runs.length, "run")}.`);
    }
  }));
  if (!wanted()) return;
  say(runs.length ? `${count(runs.length, "run")}.` : `No run in the last ${days} days. Unpause the DAG, or trigger a run.`);
  strip.append(table("Intervals as a table", ["Interval and what was found"], cells.map(({ link }) => [link.title])));
  most.replaceChildren(...cameBack(summaries.filter((summary) => summary)));
}

function cell(dag, run) {
  const path = `${encodeURIComponent(dag)}/runs/${encodeURIComponent(run.dag_run_id)}/plugin/sign-ins`;
  const link = el("a", { class: "cell", href: `../dags/${path}`, tabindex: "-1" });
  link.onclick = (event) => { // Airflow's frame may not lead its page elsewhere, but the page itself may
    event.preventDefault();
    Object.assign(parent.document.createElement("a"), { href: link.href }).click();
  };
  const cell = { run, link, start: run.data_interval_start ?? run.run_after, end: run.data_interval_end ?? run.run_after };
  cell.fill = (summary) => {
    const { groups, coverage, failures = 0, interval = cell } = summary ?? {};
    const kind = groups?.reported || groups?.held_back ? "breach" : coverage?.verdict === "unseen" ? "unseen"
      : run.state === "failed" ? "failed" : !summary ? (run.state === "success" ? "gone" : "running")
        : coverage.verdict === "partial" ? "partial" : "quiet";
    cell.summary = summary;
    link.className = `cell ${kind} shade${Math.min(4, Math.ceil(Math.log10(failures + 1)))}`;
    link.textContent = groups?.critical ? "!" : KINDS[kind][0];
    link.title = `${utc(interval.start)} to ${utc(interval.end)} UTC: ${kind === "quiet" ? "evaluated" : KINDS[kind][1]}` + (summary
      ? `, ${count(failures, "failure")}, ${groups.reported} reported${groups.critical ? `, ${groups.critical} GOT IN` : ""}` : "");
    link.setAttribute("aria-label", link.title);
  };
  return cell;
}

// Lays the cells out by days, the newest first, with what no run evaluated as gaps; manual runs by themselves.
function arrange(strip, cells) {
  const days = new Map(), add = (day, link) => days.set(day, [...(days.get(day) ?? []), link]);
  const planned = cells.filter(({ run }) => run.run_type !== "manual").sort((one, other) => Date.parse(one.start) - Date.parse(other.start));
  const gap = (from, to) => add(utc(to).slice(0, 10), el("i", { class: "cell gap", title: `no run for ${utc(from)} to ${utc(to)} UTC` }, "┄"));
  planned.forEach(({ start, link }, place) => {
    if (place && Date.parse(start) > Date.parse(planned[place - 1].end)) gap(planned[place - 1].end, start);
    add(utc(start).slice(0, 10), link);
  });
  const last = planned.at(-1), overdue = last && Date.now() - 2 * Date.parse(last.end) + Date.parse(last.start);
  if (overdue > DAY / 24) gap(last.end, Date.now());
  const manual = cells.filter(({ run }) => run.run_type === "manual").map(({ link }) => link);
  strip.replaceChildren(...[...days].reverse().concat(manual.length ? [["Manual runs", manual]] : [])
    .map(([day, links]) => el("div", {}, el("h2", {}, day), el("p", {}, links))));
  strip.querySelector("a")?.setAttribute("tabindex", "0");
  strip.onkeydown = ({ key }) => {
    const links = [...strip.querySelectorAll("a")], step = { ArrowRight: 1, ArrowLeft: -1 }[key];
    if (step) links[links.indexOf(document.activeElement) + step]?.focus();
  };
}

function cameBack(summaries) {
  const groups = new Map();
  for (const each of summaries.flatMap(({ worst }) => worst).filter(({ outcome }) => outcome !== "ignored")) {
    const key = JSON.stringify(each.group), { intervals = 0, failures = 0, critical } = groups.get(key) ?? {};
    groups.set(key, { ...each, intervals: intervals + 1, failures: failures + each.failures, critical: critical || each.critical });
  }
  const most = [...groups.values()].sort((one, other) => other.intervals - one.intervals || other.failures - one.failures).slice(0, 10);
  const back = table("Of the ten worst groups of each interval", ["Who", "Intervals", "Failures", "Got in"], most.map((each) =>
    [group(each.group), String(each.intervals), each.failures.toLocaleString("en"), each.critical ? "GOT IN" : "no"]));
  back.open = true;
  return most.length ? [el("h2", {}, "Who came back most"), back] : [];
}
