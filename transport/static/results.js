// The session is in a cookie that no script can read; everything shown is put in as text, never as HTML.
const LOG_IN = `mutation ($input: LogInInput!) { logIn(input: $input) {
  __typename ... on LoggedIn { endsAt } ... on Refusal { message } } }`;
const LOG_OUT = `mutation { logOut(input: {}) { __typename } }`;
const RESULTS = `{ me { name nativeName results {
  qualification examDate status headline overallScoreShown cefr statementNumber skillScores { skill score }
  english: notices(language: "en") { text } japanese: notices(language: "ja") { text }
  versions { version endedBy endedAt reason } told { version toldAt institution { shownAs } } } } }`;

const LABELS = {
  headline: "Result / 結果",
  overallScoreShown: "Overall score / 総合評価スコア",
  cefr: "CEFR level / CEFR レベル",
  status: "Status / 状態",
  statementNumber: "Statement number / 結果ステートメント番号",
};
const CHANGES = {
  AMENDED: "Amended / 訂正",
  WITHHELD: "Withheld / 保留",
  RELEASED_AGAIN: "Released again / 再公開",
  REVOKED: "Revoked / 取り消し",
};
const at = (id) => document.getElementById(id);

function element(name, text, attributes = {}) {
  const made = document.createElement(name);
  made.textContent = text ?? "";
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

function tell(kind, english, japanese) {
  at("told").className = kind;
  at("told").replaceChildren(element("p", english), element("p", japanese, { lang: "ja" }));
}

async function ask(query, variables) {
  const response = await fetch("/graphql", {
    method: "POST",
    headers: { "Content-Type": "application/json", Accept: "application/json" },
    body: JSON.stringify({ query, variables }),
  });
  const { data, errors } = await response.json();
  if (errors) throw new Error(errors[0].message);
  return data;
}

function details(result) {
  const list = element("dl");
  const lines = Object.entries(LABELS).map(([key, label]) => [label, result[key]]);
  for (const { skill, score } of result.skillScores) lines.push([skill.toLowerCase().replaceAll("_", " "), score]);
  for (const { endedBy, endedAt, reason } of result.versions) {
    lines.push([`${CHANGES[endedBy] ?? endedBy}, ${new Date(endedAt).toLocaleString()}`, reason]);
  }
  for (const { toldAt, institution } of result.told) {
    lines.push([`Told of a change / 変更の通知先, ${new Date(toldAt).toLocaleString()}`, institution.shownAs]);
  }
  for (const [label, value] of lines) if (value !== null) list.append(element("dt", label), element("dd", value));
  return list;
}

function line(result) {
  const item = element("li");
  item.append(element("strong", `${result.qualification}, ${result.examDate}`, { translate: "no" }), details(result));
  result.english.forEach(({ text }, place) => {
    item.append(element("p", text), element("p", result.japanese[place].text, { lang: "ja" }));
  });
  return item;
}

async function show() {
  const { me } = await ask(RESULTS);
  at("log-in").hidden = me !== null;
  at("account").hidden = me === null;
  at("results").replaceChildren(...(me?.results ?? []).map(line));
  if (me === null) return;
  at("candidate").textContent = me.nativeName ? `${me.name} (${me.nativeName})` : me.name;
  at("empty").hidden = me.results.length > 0;
}

async function attempt(work) {
  at("told").replaceChildren();
  at("told").className = "";
  try {
    await work();
  } catch {
    tell("bad", "That did not work. Please try again.", "もう一度お試しください。");
  }
}

async function logIn() {
  const password = at("password");
  const input = { idNumber: at("id-number").value, password: password.value, useCookie: true };
  const { logIn: answer } = await ask(LOG_IN, { input });
  if (answer.__typename !== "LoggedIn") return tell("bad", answer.message, "ログインできませんでした。");
  password.value = "";
  await show();
}

at("log-in").addEventListener("submit", (event) => {
  event.preventDefault();
  attempt(logIn);
});
at("log-out").addEventListener("click", () => attempt(async () => {
  await ask(LOG_OUT);
  await show();
}));
attempt(show);
