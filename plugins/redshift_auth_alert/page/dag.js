// The tab of a DAG: its last intervals as a heat strip, and who came back most.
import { dagPath, found, get, NO_MONITOR, Problem } from "./api.js";
import { count, el, group, table, utc } from "./show.js";

const HOUR = 3_600_000, MOST_RUNS = 1_500, AT_ONCE = 4;
const KINDS = { breach: ["▲", "breach"], failed: ["✕", "the run failed"], unseen: ["◇", "unseen in the log"],
  partial: ["◐", "partly seen"], quiet: ["", "evaluated, the darker the more failures"], running: ["…", "not finished"],
  check: ["·", "checked the set-up"], gone: ["?", "its data is gone"], gap: ["┄", "no run"] };

export async function showDag(page, { dag_id: dag, days = "7" }, say) {
  const [monitor, task] = await Promise.all([get(dagPath(dag)), get(`${dagPath(dag)}/tasks/check_threshold`)]);
  if (!monitor) throw new Problem("Airflow has no such DAG, or it does not let you see it.");
  if (!task) throw new Problem(NO_MONITOR);
  const choice = (word, of) => el("a", { href: `?dag_id=${encodeURIComponent(dag)}&days=${of}`, "aria-current": of === days }, word);
  const legend = [["breach", ["!", "got in"]], ...Object.entries(KINDS)].map(([kind, [sign, word]]) =>
    [el("i", { class: `cell ${kind}` }, sign), ` ${word} `]);
  const strip = el("section"), runs = [], since = new Date(Date.now() - days * 24 * HOUR).toISOString();
  page.append(el("h1", {}, "Sign-ins"), el("p", {}, "The last ", choice("week", "7"), " or ", choice("month", "31")),
    el("p", { class: "note" }, legend, "Each square is an interval, the earliest of a day on the left. Point at it for its times."), strip);
  let all = MOST_RUNS, read = 0;
  while (runs.length < Math.min(all, MOST_RUNS)) {
    const more = await get(`${dagPath(dag)}/dagRuns?limit=100&offset=${runs.length}&order_by=-run_after&run_after_gte=${since}`);
    runs.push(...more.dag_runs);
    all = more.dag_runs.length ? more.total_entries : runs.length;
  }
  const cells = runs.map((run) => cell(dag, run)), gaps = arrange(strip, cells, monitor.next_dagrun_run_after);
  const rest = (function* () { yield* cells; })(); // where one reader fails, a generator ends for the others too
  await Promise.all(Array.from({ length: AT_ONCE }, async () => {
    for (const each of rest) {
      each.fill(await found(dag, each.run.dag_run_id, "summary", () => null));
      if (++read % 100 === 0) say(`Read ${read} of ${count(runs.length, "run")}.`);
    }
  }));
  say(all > runs.length ? `The newest ${count(runs.length, "run")} of ${all.toLocaleString("en")}.` : runs.length
    ? `${count(runs.length, "run")}.` : `No run in the last ${days} days. Unpause the DAG, or trigger a run.`);
  strip.append(table("Intervals as a table", ["Interval and what was found"],
    [...cells.map(({ link }) => link), ...gaps].map(({ title }) => [title])));
  page.append(...cameBack(cells.filter(({ run }) => run.run_type !== "manual").map(({ summary }) => summary)));
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
      : run.state === "failed" ? "failed" : summary ? (coverage.verdict === "partial" ? "partial" : "quiet")
        : run.state !== "success" ? "running" : run.conf?.check_only ? "check" : "gone";
    cell.summary = summary;
    link.className = `cell ${kind} shade${Math.min(4, Math.ceil(Math.log10(failures + 1)))}`;
    link.textContent = groups?.critical ? "!" : KINDS[kind][0];
    link.title = `${utc(interval.start)} to ${utc(interval.end)} UTC: ${kind === "quiet" ? "evaluated" : KINDS[kind][1]}` +
      (summary ? `, ${count(failures, "failure")}, ${groups.reported} at the threshold` : "") +
      (groups?.critical ? `, ${groups.critical} GOT IN` : "") + (kind === "breach" && run.state === "failed" ? ", the run failed" : "");
    link.setAttribute("aria-label", link.title);
  };
  return cell;
}

// Lays the cells out by days, the newest first, and manual runs by themselves. Returns the gaps, which no run evaluated.
function arrange(strip, cells, next) {
  const days = new Map(), gaps = [], add = (day, link) => days.set(day, [...(days.get(day) ?? []), link]);
  const planned = cells.filter(({ run }) => run.run_type !== "manual").sort((one, other) => Date.parse(one.start) - Date.parse(other.start));
  const gap = (from, to) => {
    gaps.push(el("i", { class: "cell gap", title: `no run for ${utc(from)} to ${utc(to)} UTC` }, "┄"));
    add(utc(to).slice(0, 10), gaps.at(-1));
  };
  planned.forEach(({ start, link }, place) => {
    if (place && Date.parse(start) > Date.parse(planned[place - 1].end)) gap(planned[place - 1].end, start);
    add(utc(start).slice(0, 10), link);
  });
  if (planned.length && Date.parse(next) < Date.now() - HOUR) gap(planned.at(-1).end, Date.now());
  const manual = cells.filter(({ run }) => run.run_type === "manual").map(({ link }) => link);
  strip.replaceChildren(...[...days].reverse().map(([day, links]) => [`${day} UTC`, links])
    .concat(manual.length ? [["Manual runs", manual]] : [])
    .map(([heading, links]) => el("div", {}, el("h2", {}, heading), el("p", {}, links))));
  strip.querySelector("a")?.setAttribute("tabindex", "0");
  strip.onkeydown = ({ key }) => {
    const links = [...strip.querySelectorAll("a")], step = { ArrowRight: 1, ArrowLeft: -1 }[key];
    if (step) links[links.indexOf(document.activeElement) + step]?.focus();
  };
  return gaps;
}

function cameBack(summaries) {
  const groups = new Map();
  for (const each of summaries.flatMap((summary) => summary?.worst ?? []).filter(({ outcome }) => /reported|held_back/.test(outcome))) {
    const key = JSON.stringify(each.group), { intervals = 0, failures = 0, critical } = groups.get(key) ?? {};
    groups.set(key, { ...each, intervals: intervals + 1, failures: failures + each.failures, critical: critical || each.critical });
  }
  const most = [...groups.values()].sort((one, other) => other.intervals - one.intervals || other.failures - one.failures).slice(0, 10);
  const back = table("Of the ten worst groups of each interval", ["Who", "Intervals", "Failures", "Got in"], most.map((each) =>
    [group(each.group), String(each.intervals), each.failures.toLocaleString("en"), each.critical ? "GOT IN" : "no"]));
  back.open = true;
  return most.length ? [el("section", {}, el("h2", {}, "Who came back most"), back)] : [];
}
