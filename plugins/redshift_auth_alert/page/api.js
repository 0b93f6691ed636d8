// Airflow's REST API, called with the session of whoever looks: the page shows what that user may see, and no more.

export class Problem extends Error {} // says in a sentence or two what is wrong and what to do
export const NO_MONITOR = "This DAG does not watch sign-ins, so it has nothing to show here.";
const REFUSED = {
  401: "You are not signed in to Airflow, or your session has ended. Sign in, then reload this page.",
  403: "Airflow does not let you see this. Ask an administrator for the right to read this DAG's runs and XCom.",
};

// The answer at a path below api/v2, relative to this page, as Airflow may have a base path; null where nothing is there.
export async function get(path) {
  let answer, content;
  try {
    answer = await fetch(`../api/v2/${path}`, { headers: { accept: "application/json" } });
    content = await answer.json();
  } catch {
    throw new Problem(REFUSED[answer?.status] ?? "Airflow did not answer. Check your network, then reload this page.");
  }
  if (answer.status === 404) return null;
  if (answer.ok) return content;
  throw new Problem(REFUSED[answer.status] ?? `Airflow answered with error ${answer.status}. Reload this page later.`);
}

export const runPath = (dag, run) => `dags/${encodeURIComponent(dag)}/dagRuns/${encodeURIComponent(run)}`;
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
