// The session is in a cookie that no script can read; everything shown is put in as text, never as HTML.
const LOG_IN = `mutation ($input: LogInByEmailInput!) { logInVerifier(input: $input) {
  __typename ... on LoggedIn { endsAt } ... on Refusal { message } } }`;
const LOG_OUT = `mutation { logOut(input: {}) { __typename } }`;
const INBOX = `query ($first: Int!, $after: String) {
  viewer { verifier { notify emailRefusedAt } }
  organisation { institution { shownAs } }
  inbox(first: $first, after: $after) {
    totalCount unreadCount
    edges { node { id status sentAt candidate { name nativeName } result { qualification examDate } } }
    pageInfo { hasNextPage endCursor } } }`;
const COUNTS = `{ inbox(first: 1) { totalCount unreadCount } }`;
const OPEN = `mutation ($input: OpenShareInput!) { openShare(input: $input) {
  __typename ... on Refusal { message }
  ... on ShareOpened { share { id candidate { dateOfBirth }
    result { headline overallScoreShown cefr examDate statementNumber status skillScores { skill score } } } } } }`;
const NOTIFY = `mutation ($input: ChangeNotificationsInput!) { changeNotifications(input: $input) {
  __typename ... on Refusal { message } ... on NotificationsChanged { user { notify } } } }`;

const LABELS = {
  headline: "Result / 結果",
  overallScoreShown: "Overall score / 総合評価スコア",
  cefr: "CEFR level / CEFR レベル",
  status: "Status / 状態",
  statementNumber: "Statement number / 結果ステートメント番号",
  dateOfBirth: "Date of birth / 生年月日",
};
const PAGE = 50;
const at = (id) => document.getElementById(id);
let chosen = "OFF";
let next = null;

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

function person({ name: latin, nativeName }) {
  const shown = element("span", latin, { translate: "no" });
  if (nativeName) shown.append(" ", element("span", `(${nativeName})`, { translate: "no", class: "native" }));
  return shown;
}

function details({ result, candidate }) {
  const list = element("dl");
  const facts = { ...result, dateOfBirth: candidate.dateOfBirth };
  const lines = Object.entries(LABELS).map(([key, label]) => [label, facts[key]]);
  for (const { skill, score } of result.skillScores ?? []) lines.push([skill.toLowerCase().replaceAll("_", " "), score]);
  for (const [label, value] of lines) if (value !== null) list.append(element("dt", label), element("dd", value));
  return list;
}

function line(share) {
  const item = element("li");
  item.classList.toggle("unread", share.status === "UNREAD");
  const first = element("div", "", { class: "line" });
  first.append(person(share.candidate));
  const sent = element("div", `sent / 送信: ${new Date(share.sentAt).toLocaleString()}`);
  item.append(first, element("div", `${share.result.qualification}, ${share.result.examDate}`), sent);
  const button = element("button", "Open / 開く", { type: "button" });
  button.addEventListener("click", () => attempt(() => openShare(share, item, button)));
  item.append(button);
  return item;
}

async function openShare(share, item, button) {
  const { openShare: answer } = await ask(OPEN, { input: { shareId: share.id } });
  if (answer.__typename === "NotLoggedIn") return show();
  if (answer.__typename !== "ShareOpened") return tell("bad", answer.message, "この共有は表示できません。");
  item.classList.remove("unread");
  button.replaceWith(details(answer.share));
  count((await ask(COUNTS)).inbox);
}

async function page(after) {
  const { viewer, organisation, inbox } = await ask(INBOX, { first: PAGE, after });
  at("log-in").hidden = viewer.verifier !== null;
  at("inbox").hidden = viewer.verifier === null;
  if (viewer.verifier === null) return;
  at("institution").textContent = organisation.institution.shownAs;
  count(inbox);
  at("shares").append(...inbox.edges.map(({ node }) => line(node)));
  at("empty").hidden = inbox.totalCount > 0;
  next = inbox.pageInfo.endCursor;
  at("more").hidden = !inbox.pageInfo.hasNextPage;
  at("notify").value = chosen = viewer.verifier.notify;
  if (viewer.verifier.emailRefusedAt) {
    tell("bad", "Your e-mail address refuses our mails: none about new results is sent until it is changed.",
      "登録されたメールアドレスに配信できないため、変更されるまで通知メールは送信されません。");
  }
}

function count({ unreadCount: unread, totalCount: all }) {
  at("counts").replaceChildren(`${unread} unread of ${all} / 未開封 ${unread} 件・全 ${all} 件`);
}

async function show() {
  at("shares").replaceChildren();
  await page(null);
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
  const { email, password } = at("log-in").elements;
  const input = { email: email.value, password: password.value, useCookie: true };
  const { logInVerifier: answer } = await ask(LOG_IN, { input });
  if (answer.__typename !== "LoggedIn") return tell("bad", answer.message, "ログインできませんでした。");
  password.value = "";
  await show();
}

async function choose() {
  const { changeNotifications: answer } = await ask(NOTIFY, { input: { notify: at("notify").value } });
  if (answer.__typename === "NotLoggedIn") return show();
  if (answer.__typename === "NotificationsChanged") {
    chosen = answer.user.notify;
    return tell("good", "Saved.", "保存しました。");
  }
  at("notify").value = chosen;
  tell("bad", answer.message, "変更できませんでした。");
}

at("log-in").addEventListener("submit", (event) => {
  event.preventDefault();
  attempt(logIn);
});
at("more").addEventListener("click", () => attempt(() => page(next)));
at("notify").addEventListener("change", () => attempt(choose));
at("log-out").addEventListener("click", () => attempt(async () => {
  await ask(LOG_OUT);
  await show();
}));
attempt(show);
