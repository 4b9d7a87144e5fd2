// What our pages have in common: one language at a time, asking the service, and telling what it says.
// Whatever is shown is put in as text, never as HTML.
const LOG_OUT = `mutation { logOut(input: {}) { __typename } }`;

const COMMON = {
  en: {
    locale: "en-GB",
    failed: "That did not work. Please try again.",
    again: "Try again",
    headline: "Result",
    overallScoreShown: "Overall score",
    cefr: "CEFR level",
    status: "Status",
    statementNumber: "Statement number",
    PENDING: "Not decided yet",
    RELEASED: "Released",
    WITHHELD: "Withheld",
    REVOKED: "Revoked",
    READING: "Reading",
    WRITING: "Writing",
    READING_AND_WRITING: "Reading and Writing",
    USE_OF_ENGLISH: "Use of English",
    LISTENING: "Listening",
    SPEAKING: "Speaking",
  },
  ja: {
    locale: "ja-JP",
    failed: "うまくいきませんでした。もう一度お試しください。",
    again: "もう一度試す",
    headline: "試験結果",
    overallScoreShown: "総合評価スコア",
    cefr: "CEFR レベル",
    status: "状態",
    statementNumber: "ステートメント番号",
    PENDING: "未確定",
    RELEASED: "公開済み",
    WITHHELD: "保留",
    REVOKED: "取り消し",
    READING: "リーディング",
    WRITING: "ライティング",
    READING_AND_WRITING: "リーディング・ライティング",
    USE_OF_ENGLISH: "ユース・オブ・イングリッシュ",
    LISTENING: "リスニング",
    SPEAKING: "スピーキング",
  },
};
const WAIT_MILLISECONDS = 30000;

export let words = {};
export const at = (id) => document.getElementById(id);

// Turn the page to the account's language, else to the first of the browser's that there is.
export function speak(pageWords, accountLanguage) {
  const tags = [accountLanguage ?? "", ...navigator.languages].map((tag) => tag.slice(0, 2).toLowerCase());
  const language = tags.find((one) => one in COMMON) ?? "en";
  words = { ...COMMON[language], ...pageWords[language] };
  document.documentElement.lang = language;
  document.title = words.title;
  for (const one of document.querySelectorAll("main [lang]")) one.hidden = one.lang !== language;
}

export const moment = (text) => new Date(text).toLocaleString(words.locale, { dateStyle: "medium", timeStyle: "short" });
export const day = (text) => new Date(text).toLocaleDateString(words.locale, { dateStyle: "long", timeZone: "UTC" });

export function element(name, text, attributes = {}) {
  const made = document.createElement(name);
  made.textContent = text ?? "";
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

// Labels and what they say, which no browser translates unless told: it is compared with papers.
export function facts(lines) {
  const list = element("dl");
  for (const [label, value, attributes = { translate: "no" }] of lines) {
    if (value != null) list.append(element("dt", label), element("dd", value, attributes));
  }
  return list;
}

export function factsOfResult(result) {
  const named = ["headline", "overallScoreShown", "cefr"].map((name) => [words[name], result[name]]);
  const scores = (result.skillScores ?? []).map(({ skill, score }) => [words[skill] ?? skill, score]);
  const status = [words.status, words[result.status] ?? result.status, {}];
  return [...named, ...scores, status, [words.statementNumber, result.statementNumber]];
}

export function tell(kind, ...lines) {
  at("told").className = kind;
  at("told").replaceChildren(...lines.map((one) => (typeof one === "string" ? element("p", one) : one)));
}

// Throws what the service could not do, with the code of the error and what it says besides.
export async function ask(query, variables, options) {
  const documentId = await idOf(query);
  let { data, errors } = await sent(documentId ? { documentId, variables } : { query, variables }, options);
  // of another release than the service, for a moment
  if (errors?.[0].extensions?.code === "PERSISTED_QUERY_NOT_FOUND") {
    ({ data, errors } = await sent({ query, variables }, options));
  }
  if (errors) throw Object.assign(new Error(errors[0].message), errors[0].extensions);
  return data;
}

async function sent(asked, options = {}) {
  const language = document.documentElement.lang;
  const response = await fetch("/graphql", {
    method: "POST",
    headers: { "Content-Type": "application/json", Accept: "application/json", "Accept-Language": language },
    body: JSON.stringify(asked),
    signal: AbortSignal.timeout?.(WAIT_MILLISECONDS),
    ...options,
  });
  return response.json();
}

const ids = new Map();

// What the service knows our documents by (persisted/pages.json); null where browsers do not hash, without https.
async function idOf(query) {
  if (!globalThis.crypto?.subtle) return null;
  if (!ids.has(query)) {
    const hash = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(query));
    const digits = [...new Uint8Array(hash)].map((byte) => byte.toString(16).padStart(2, "0"));
    ids.set(query, `sha256:${digits.join("")}`);
  }
  return ids.get(query);
}

let last = Promise.resolve();
const waiting = new Set();

// One thing after the other, and once for each form or button that asks: a double click is one click.
export function attempt(asker, work) {
  if (waiting.has(asker)) return;
  waiting.add(asker);
  last = last.then(async () => {
    tell("");
    try {
      await work();
    } catch {
      tell("bad", words.failed, ...(asker === document ? [again(work)] : []));
    } finally {
      waiting.delete(asker);
    }
  });
}

// For what the page itself asked, which no form or button can ask once more.
function again(work) {
  const button = element("button", words.again, { type: "button" });
  button.addEventListener("click", () => attempt(document, work));
  return button;
}

export function onClick(button, work) {
  button.addEventListener("click", () => attempt(button, work));
}

export function onSubmit(form, work) {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    attempt(form, work);
  });
}

// The form has done its work: what is told takes its place, for eyes and for the keyboard.
export function done(form, ...lines) {
  form.hidden = true;
  tell("good", ...lines);
  at("told").focus();
}

export function letIn(isLoggedIn) {
  const isOut = !isLoggedIn && !at("account").hidden;
  at("log-in").hidden = isLoggedIn;
  at("account").hidden = !isLoggedIn;
  if (isOut) at("log-in").querySelector("input").focus();
}

// A page for those who are logged in; their session is in a cookie that no script can read.
export function withSession(logIn, nameOfField, show) {
  onSubmit(at("log-in"), async () => {
    const input = { [nameOfField]: at(nameOfField).value, password: at("password").value, useCookie: true };
    const [answer] = Object.values(await ask(logIn, { input }));
    if (answer.__typename !== "LoggedIn") return tell("bad", answer.message);
    at("password").value = "";
    await show();
    at("owner").focus();
  });
  onClick(at("log-out"), async () => {
    await ask(LOG_OUT);
    await show();
  });
  attempt(document, show);
}
