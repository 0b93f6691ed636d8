// Airflow's REST API, called with the session of whoever looks: the page shows what that user may see, and no more.
export class Problem extends Error {} // says in a sentence or two what is wrong and what to do
export const NO_MONITOR = "This DAG does not watch sign-ins, so it has nothing to show here.";
const SIGNED_OUT = "You are not signed in to Airflow, or your session has ended. Sign in, then reload this page.";
const refused = (status) => status === 401 ? SIGNED_OUT
  : status === 403 ? "Airflow does not let you see this. Ask an administrator for the right to read this DAG's runs and XCom."
    : `Airflow answered with error ${status}. Reload this page later.`;

// The answer at a path below api/v2, relative to this page, as Airflow may have a base path; null where nothing is there.
export async function get(path) {
  let answer;
  try {
    answer = await fetch(`../api/v2/${path}`, { headers: { accept: "application/json" } });
  } catch {
    throw new Problem("Airflow did not answer. Check your network, then reload this page.");
  }
  const content = await answer.json().catch(() => undefined); // undefined: a page of whatever stands before Airflow
  if (answer.ok && content === undefined) throw new Problem(SIGNED_OUT);
  if (answer.status === 404) return null;
  if (answer.ok) return content;
  throw new Problem(refused(answer.status));
}

export const dagPath = (dag) => `dags/${encodeURIComponent(dag)}`;
export const runPath = (dag, run) => `${dagPath(dag)}/dagRuns/${encodeURIComponent(run)}`;
// What a task has pushed by this key; null where nothing is left of it.
export async function pushed(dag, run, task, key) {
  return (await get(`${runPath(dag, run)}/taskInstances/${task}/xcomEntries/${key}`))?.value ?? null;
}
const refuse = ({ version }) => {
  throw new Problem(`This page reads version 2, and this run kept version ${version}. The run's message says what it found.`);
};
// The summary or the document of a run. A later 2.x only adds to them; another version is for unreadable(data).
export async function found(dag, run, key, unreadable = refuse) {
  const data = await pushed(dag, run, "check_threshold", key);
  return !data || String(data.version).startsWith("2.") ? data : unreadable(data);
}
