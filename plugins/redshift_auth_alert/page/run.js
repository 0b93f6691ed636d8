// The tab of a run: who failed to sign in, when, whether they got in, and what the log shows of the interval.
import { found, get, NO_MONITOR, Problem, pushed, runPath } from "./api.js";
import { chart, count, el, group, name, printable, time } from "./show.js";

const TASKS = ["query_auth_failures", "check_threshold", "publish_alert", "require_coverage"], AT_ONCE = 50;
const UNITS = { remote_host: "remote host", user_name: "user", database_name: "database", warehouse: "warehouse" };
const STRIP = "Strip above the bars: pale over the window that first reached the threshold, dark until the last one that did. " +
  "Ongoing: also at the threshold within the window before this interval.";

export async function showRun(page, { dag_id: dag, run_id: id }, say) {
  const [run, tasks] = await Promise.all([get(runPath(dag, id)), get(`${runPath(dag, id)}/taskInstances?limit=100`)]);
  if (!run || !tasks) throw new Problem("Airflow has no such run. Choose another one.");
  const states = Object.fromEntries(tasks.task_instances.map((task) => [task.task_id, task.state]));
  if (!("check_threshold" in states)) throw new Problem(NO_MONITOR);
  const ended = ["success", "failed"].includes(states.check_threshold);
  const summary = ended ? await found(dag, id, "summary") : null;
  const alert = ended && (!summary || Object.values(summary.groups).some(Boolean)) ? await found(dag, id, "document") : null;
  const failed = TASKS.find((task) => states[task] === "failed");
  if (failed) page.append(failure(failed, await pushed(dag, id, failed, "reason"), summary));
  if (summary ?? alert) page.append(...show(summary ?? alert, alert));
  if (failed || summary || alert) return say("");
  if (["queued", "running"].includes(run.state)) {
    setTimeout(() => location.reload(), 10_000);
    return say("This run has not finished. The page looks again every 10 seconds.");
  }
  if (run.conf?.check_only) return say("This run checked the set-up. It evaluated no interval; its message says what it found.");
  return say("What this run found is gone: its XCom was cleared or has expired. Clear the run to evaluate its interval again.");
}

function failure(task, reason, summary) {
  const what = task === "publish_alert" ? "The message was not published"
    : summary?.coverage.verdict === "unseen" ? "Unseen: nobody knows what happened in this interval"
      : summary?.coverage.fleet?.unseen ? "Not all warehouses were evaluated: the others may hide an attack"
        : "Failed: this interval was not evaluated";
  return el("section", { class: "failed" }, el("h1", {}, `✕ ${what}`),
    el("p", {}, `${task} failed. ${reason ? printable(reason) : "It left no reason. Its log says more."}`),
    el("p", {}, "The report of this failure says what to do. Most often: fix the cause, then clear query_auth_failures and the tasks after it."));
}

function show(facts, alert) {
  const { settings, coverage, groups, interval } = facts;
  const lists = alert ? [[alert.breaches], [alert.over, "over"], [alert.held_back ?? [], "held back"], [alert.ignored, "ignored"]] : [];
  const rows = lists.flatMap(([list, state]) => list.map((row) => [row, state ?? (row.ongoing ? "ongoing" : "new")]));
  const full = rows.map(([row]) => row).filter((row) => row.failures_over_time);
  const sums = full[0]?.failures_over_time.map((_, part) => full.reduce((sum, row) => sum + row.failures_over_time[part], 0));
  const unnamed = groups.reported + groups.over + groups.held_back + groups.ignored - rows.length;
  const list = el("ol", { class: "groups" });
  const add = (from) => { // in steps, so that a thousand do not freeze the page
    list.append(...rows.slice(from, from + AT_ONCE).map(([row, state]) => item(row, state, interval, settings)));
    if (from + AT_ONCE < rows.length) setTimeout(add, 0, from + AT_ONCE);
  };
  add(0);
  return [
    el("h1", {}, `${facts.warehouse ?? "Redshift"} (${facts.environment})`),
    el("p", {}, time(interval.start), " to ", time(interval.end), ` from ${facts.source}`),
    el("p", { class: groups.reported ? "lead breach" : "lead" }, sentence(facts)),
    facts.run.dry_run ? el("p", {}, "This was a dry run: nothing was published.") : "",
    ...shown(interval, coverage),
    ...(full.length > 1 ? [el("h2", {}, "When"), ...chart(interval, sums, full.flatMap((row) => spans(row, settings)))] : []),
    ...(rows.length ? [el("h2", {}, "Who, the worst first"), el("p", { class: "note" }, full.length ? STRIP : ""), list] : []),
    unnamed > 0 ? el("p", {}, `Not named here: ${count(unnamed, "more group")}.`) : "",
  ].filter((part) => part);
}

function sentence({ settings, groups, failures, coverage }) {
  const unit = settings.group_by.length === 1 ? UNITS[settings.group_by[0]] : "group";
  const limit = `${settings.threshold.toLocaleString("en")} ${settings.counted ?? settings.count}${settings.own_thresholds
    ? ", or their own threshold," : ""} within ${count(settings.window_minutes, "minute")}`;
  const all = failures === undefined ? "" : ` The log shows ${count(failures, "failure")} of anybody in this interval.`;
  const silent = [[groups.over, "quiet again"], [groups.held_back, "already reported and held back"],
    [groups.ignored, "ignored"]].map(([number, what]) => number ? ` ${number} ${what}.` : "").join("");
  if (groups.reported) {
    return `▲ ${count(groups.reported, unit)}${groups.reported > 1 ? " each" : ""} reached the threshold of ${limit}. ` +
      (groups.critical ? `${groups.critical} GOT IN.` : "None got in.") + silent + all;
  }
  if (coverage.verdict === "unseen") return "◇ Nobody knows whether anybody attacked: the log does not show this interval.";
  if (coverage.verdict === "partial") return `◐ Nothing to report in the part that the log shows; the rest is unknown.${silent}${all}`;
  return `✓ Nothing to report: no ${silent ? "other " : ""}${unit} reached the threshold of ${limit}.${silent}${all}`;
}

const spans = ({ first_breach_at: at, last_breach_at: last }, settings) =>
  at ? [[new Date(at) - settings.window_minutes * 60_000, at, "--window"], [at, last, "--breach"]] : [];

function shown({ start, end }, { verdict, reason, shown: part }) {
  const place = (moment) => `${100 * (Date.parse(moment) - Date.parse(start)) / (Date.parse(end) - Date.parse(start))}%`;
  const [from, to] = part ? [part.start, part.end] : verdict === "seen" ? [start, end] : [start, start];
  const seen = el("span"), ends = reason ? "; " : ".";
  const says = { seen: `✓ Seen: the log shows the whole interval${ends}`, partial: "◐ Partly seen: ", unseen: "◇ Unseen: " };
  Object.assign(seen.style, { left: place(from), right: `calc(100% - ${place(to)})` });
  return [el("p", { class: verdict }, says[verdict], printable(reason ?? ""),
    verdict === "partial" && part ? [". Seen from ", time(from), " to ", time(to), "."] : ""),
  verdict === "partial" && !part ? "" : el("div", { class: "coverage", "aria-hidden": "true" }, seen)];
}

function item(row, state, interval, settings) {
  const title = el("h3", {}, group(row.group), ` ${count(row.failures, "failure")} `, el("span", { class: "state" }, state),
    row.over && state !== "over" ? ", over " : " ", row.critical ? el("strong", {}, "GOT IN") : "");
  if (!row.failures_over_time) return el("li", {}, title);
  const login = (what) => what && ["as ", name(what.user), what.warehouse ? [" at ", name(what.warehouse)] : "", what.host ? [" from ",
    name(what.host), { true: ", which had failed too", false: ", which had not failed" }[what.host_failed] ?? ""] : "", " at ", time(what.at)];
  const more = row.users_tried - row.top_users.length, at = row.warehouses, { got_in: got, first_login: first } = row,
    other = ["at", "user", "warehouse", "host"].every((fact) => first?.[fact] === got?.[fact]) ? null : first,
    users = row.top_users.map((user, place) => [place ? ", " : "", name(user.user), ` (${user.failures}` +
    `${row.admins.includes(user.user) ? ", an admin" : ""}${user.lockout ? ", may be locked out" : ""})`]);
  const facts = [
    ["Got in", login(got) ?? "no: no sign-in as a user that it had failed as", got ? "breach" : ""],
    ["Signed in", login(other) ?? (got ? "" : "no sign-in after it reached the threshold"), other ? "signed-in" : ""],
    ["Looks like", row.looks_like], ["What to do", row.what_to_do.map((text) => el(text.endsWith(";") ? "code" : "p", {}, text))],
    ["Failures", [row.first_failure_at ? ["from ", time(row.first_failure_at), " to ", time(row.last_failure_at)] : "none here",
      `; peak ${row.peak}, threshold ${row.threshold}`]],
    ["Threshold", row.first_breach_at && ["reached from ", time(row.first_breach_at), " to ", time(row.last_breach_at)]],
    ["Where", at && [`at ${count(at.number, "warehouse")}: `, at.top.map((each, place) => [place ? ", " : "", name(each.warehouse)]),
      at.number > at.top.length ? ` and ${at.number - at.top.length} more` : ""]],
    ["Tried", users.length && [users, more > 0 ? ` and ${count(more, "more user")}` : ""]],
    [state === "ignored" ? "Ignored" : "Matches", row.ignore_entry && printable(row.ignore_entry.reason)],
  ];
  const moments = [[other?.at, "--text"], [got?.at, "--breach"]].filter(([at]) => at).map(([at, colour]) => [at, at, colour]);
  return el("li", {}, title, el("div", {}, chart(interval, row.failures_over_time, spans(row, settings), moments)),
    el("dl", {}, facts.filter(([, said]) => said?.length).map(([term, said, mark = ""]) => [el("dt", { class: mark }, term),
      el("dd", {}, said)])));
}
