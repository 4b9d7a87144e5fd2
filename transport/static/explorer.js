import { ask, at, letIn, speak, withSession, words } from "./asking.js";

const LOG_IN = `mutation ($input: LogInByEmailInput!) { logInVerifier(input: $input) {
  __typename ... on LoggedIn { endsAt } ... on Refusal { message } } }`;
const VIEWER = `{ viewer { kind } }`;
const PROGRAMS = ["react.production.min.js", "react-dom.production.min.js", "graphiql.min.js"];
const SCHEMA = "/developers/schema.json"; // introspection may be closed, and this is there for whoever has a session

const WORDS = {
  en: {
    title: "Explorer",
    ANONYMOUS: "Nobody",
    CANDIDATE: "Logged in as a candidate",
    VERIFIER: "Logged in as a user of an institution",
    STAFF: "Logged in as staff",
  },
  ja: {
    title: "エクスプローラー",
    ANONYMOUS: "未ログイン",
    CANDIDATE: "受検者としてログイン中",
    VERIFIER: "機関の担当者としてログイン中",
    STAFF: "職員としてログイン中",
  },
};

let shown = null;

// Documents and variables may hold numbers of candidates: what is written lives no longer than the page.
class Memory extends Map {
  get length() { return this.size; }
  getItem(key) { return this.get(key) ?? null; }
  setItem(key, value) { this.set(key, value); }
  removeItem(key) { this.delete(key); }
}

function isStream({ operationName }, document) {
  return (document?.definitions ?? []).some((one) => one.operation === "subscription"
    && (!operationName || one.name?.value === operationName));
}

async function fetcher(asked, { headers, documentAST: document } = {}) {
  if (asked.operationName === "IntrospectionQuery") return (await fetch(SCHEMA)).json();
  if (isStream(asked, document)) return { subscribe: (observer) => follow(asked, headers, observer) };
  return (await send(asked, headers, "application/json")).json();
}

function send(asked, headers, kind, signal) {
  const sent = { ...headers, "Content-Type": "application/json", Accept: kind };
  return fetch("/graphql", { method: "POST", headers: sent, body: JSON.stringify(asked), signal });
}

// An observable, as GraphiQL takes one: it can be stopped while nothing happens.
function follow(asked, headers, observer) {
  const stopped = new AbortController();
  listen(asked, headers, observer, stopped.signal).then(() => observer.complete(), (error) => {
    if (!stopped.signal.aborted) observer.error(error);
  });
  return { unsubscribe: () => stopped.abort() };
}

async function listen(asked, headers, observer, signal) {
  const answer = await send(asked, headers, "text/event-stream", signal);
  if (!answer.headers.get("content-type")?.startsWith("text/event-stream")) return observer.next(await answer.json());
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
    const events = (text + piece.value).split("\n\n");
    text = events.pop();
    for (const event of events) {
      const [, data] = event.match(/^data: (.+)$/m) ?? [];
      if (data) observer.next(JSON.parse(data));
    }
  }
}

async function start() {
  for (const name of PROGRAMS) await import(`/pages/graphiql/${name}`); // each is there for the next
  at("graphiql-style").disabled = false;
  const { GraphiQL, React, ReactDOM } = globalThis;
  shown = ReactDOM.createRoot(at("graphiql"));
  shown.render(React.createElement(GraphiQL, { fetcher, storage: new Memory(), shouldPersistHeaders: false }));
}

async function show() {
  const { viewer: { kind } } = await ask(VIEWER);
  letIn(kind !== "ANONYMOUS");
  at("owner").textContent = words[kind] ?? kind;
  if (kind !== "ANONYMOUS" && shown === null) await start();
  if (kind === "ANONYMOUS") {
    shown?.unmount();
    shown = null;
  }
}

speak(WORDS);
withSession(LOG_IN, "email", show);
