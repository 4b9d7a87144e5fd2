import {
  ask, at, attempt, day, element, facts, factsOfResult, letIn, moment, onClick, onSubmit, speak, tell, withSession,
  words,
} from "./asking.js";

const LOG_IN = `mutation ($input: LogInByEmailInput!) { logInVerifier(input: $input) {
  __typename ... on LoggedIn { endsAt } ... on Refusal { message } } }`;
const INBOX = `query ($first: Int!, $after: String, $filter: InboxFilter, $isSearch: Boolean = false) {
  viewer { verifier { language notify emailRefusedAt role isPrimary } }
  organisation { institution { shownAs } }
  inbox(first: $first, after: $after, filter: $filter) {
    totalCount unreadCount
    matches @include(if: $isSearch) { count isAtLeast }
    edges { node { id status sentAt candidate { name nativeName } result { qualification examDate } } }
    pageInfo { hasNextPage endCursor } } }`;
const EXAMS = `{ exams { code title } }`;
const MARK_MANY = `mutation ($input: MarkSharesInput!) { markShares(input: $input) {
  __typename ... on Refusal { message } ... on SharesMarked { changed hasMore } } }`;
const COUNTS = `{ inbox(first: 1) { totalCount unreadCount } }`;
const OPEN = `mutation ($input: OpenShareInput!) { openShare(input: $input) {
  __typename ... on Refusal { message }
  ... on ShareOpened { share { id candidate { dateOfBirth }
    result { headline overallScoreShown cefr examDate statementNumber status skillScores { skill score } } } } } }`;
const NOTIFY = `mutation ($input: ChangeNotificationsInput!) { changeNotifications(input: $input) {
  __typename ... on Refusal { message } ... on NotificationsChanged { user { notify } } } }`;

const WORDS = {
  en: {
    title: "Inbox",
    counts: (unread, all) => `${unread} unread of ${all}`,
    unread: "new",
    sent: "sent",
    open: "Open",
    dateOfBirth: "Date of birth",
    saved: "Saved.",
    any: "any",
    UNREAD: "unread",
    READ: "read",
    found: (count, isAtLeast) => `${isAtLeast ? "more than " : ""}${count.toLocaleString("en")} found`,
    select: "Select",
    noneSelected: "Nothing is selected.",
    marked: (count) => `${count.toLocaleString("en")} marked.`,
    sure: "Mark all that were found as read?",
    OFF: "never",
    AT_ONCE: "at once",
    DAILY: "daily at 08:00",
    WEEKLY: "Mondays at 08:00",
  },
  ja: {
    title: "受信箱",
    counts: (unread, all) => `全 ${all} 件・未開封 ${unread} 件`,
    unread: "未開封",
    sent: "送信",
    open: "開く",
    dateOfBirth: "生年月日",
    saved: "保存しました。",
    any: "すべて",
    UNREAD: "未開封",
    READ: "開封済み",
    found: (count, isAtLeast) => `該当 ${count.toLocaleString("ja")} 件${isAtLeast ? "超" : ""}`,
    select: "選択",
    noneSelected: "何も選択されていません。",
    marked: (count) => `${count.toLocaleString("ja")} 件を変更しました。`,
    sure: "該当するすべての試験結果を開封済みにしますか。",
    OFF: "受け取らない",
    AT_ONCE: "届き次第",
    DAILY: "毎日 8 時",
    WEEKLY: "毎週月曜 8 時",
  },
};
const PAGE = 50;
const MOST_NAMED = 500;
let chosen = "OFF";
let next = null;
let made = 0;
let filter = {};
let newest = null;

function speakTo(verifier) {
  speak(WORDS, verifier?.language);
  for (const option of at("notify").options) option.textContent = words[option.value];
  for (const option of at("status").options) option.textContent = words[option.value || "any"];
  for (const name of ["exam", "cefr"]) at(name).options[0].textContent = words.any;
}

function nameOf({ name, nativeName }) {
  return nativeName ? `${name} (${nativeName})` : name;
}

function headingOf(share) {
  const heading = element("h3", "", { id: `share-${++made}`, tabindex: "-1" });
  heading.append(element("span", nameOf(share.candidate), { translate: "no" }));
  if (share.status === "UNREAD") heading.append(" ", element("span", words.unread, { class: "mark" }));
  return heading;
}

function line(share) {
  const item = element("li");
  const heading = headingOf(share);
  const tick = element("input", "", { type: "checkbox", value: share.id, "aria-describedby": heading.id });
  tick.setAttribute("aria-label", words.select);
  const what = element("p");
  what.append(element("span", share.result.qualification, { translate: "no" }), `, ${day(share.result.examDate)}`);
  const button = element("button", words.open, { type: "button", "aria-describedby": heading.id });
  onClick(button, () => openShare(share, item, button));
  item.append(tick, heading, what, element("p", `${words.sent}: ${moment(share.sentAt)}`), button);
  return item;
}

async function openShare(share, item, button) {
  const { openShare: answer } = await ask(OPEN, { input: { shareId: share.id } });
  if (answer.__typename !== "ShareOpened") return refuse(answer);
  const { candidate, result } = answer.share;
  const opened = element("div", "", { role: "group", "aria-label": nameOf(share.candidate), tabindex: "-1" });
  opened.append(facts([...factsOfResult(result), [words.dateOfBirth, day(candidate.dateOfBirth)]]));
  button.replaceWith(opened);
  item.querySelector(".mark")?.remove();
  opened.focus();
  count((await ask(COUNTS)).inbox);
}

async function page(after) {
  const isSearch = Object.keys(filter).length > 0;
  const { viewer: { verifier }, organisation, inbox } = await ask(INBOX, { first: PAGE, after, filter, isSearch });
  if (after === null || verifier === null) at("rows").replaceChildren();
  letIn(verifier !== null);
  if (verifier === null) return [];
  speakTo(verifier);
  at("owner").textContent = organisation.institution.shownAs;
  count(inbox);
  const lines = inbox.edges.map(({ node }) => line(node));
  at("rows").append(...lines);
  if (after === null) newest = inbox.edges[0]?.node.sentAt ?? null;
  at("rows").classList.toggle("marking", verifier.isPrimary || verifier.role !== "READER");
  at("marking").hidden = !at("rows").children.length || !at("rows").classList.contains("marking");
  at("found").hidden = !isSearch;
  if (isSearch) at("found").textContent = words.found(inbox.matches.count, inbox.matches.isAtLeast);
  at("nothing").hidden = !isSearch || at("rows").children.length > 0 || inbox.totalCount === 0;
  at("empty").hidden = inbox.totalCount > 0;
  next = inbox.pageInfo.endCursor;
  at("more").hidden = !inbox.pageInfo.hasNextPage;
  at("notify").value = chosen = verifier.notify;
  at("refused").hidden = verifier.emailRefusedAt === null;
  return lines;
}

function count({ unreadCount: unread, totalCount: all }) {
  at("counts").textContent = words.counts(unread, all);
}

async function show() {
  at("all").checked = false;
  await page(null);
  if (at("exam").options.length === 1 && !at("account").hidden) await offerExams();
}

async function offerExams() {
  const { exams } = await ask(EXAMS);
  at("exam").append(...exams.map(({ code, title }) => element("option", title, { value: code })));
}

// What is asked for; days are those of whoever looks at the page.
function asked() {
  const one = (id) => at(id).value.trim() || undefined;
  const list = (id) => at(id).value ? [at(id).value] : undefined;
  const from = (id, time) => at(id).value ? new Date(`${at(id).value}T${time}`).toISOString() : undefined;
  const all = {
    name: one("name"), status: one("status"), exams: list("exam"), cefr: list("cefr"),
    examDateFrom: one("exam-date-from"), examDateTo: one("exam-date-to"),
    sentFrom: from("sent-from", "00:00:00.000"), sentTo: from("sent-to", "23:59:59.999"),
    statementNumber: one("statement-number"), reference: one("reference"),
  };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
}

async function search() {
  filter = asked();
  await show();
}

async function clear() {
  at("search").reset();
  await search();
}

const ticks = () => [...at("rows").querySelectorAll("input[type=checkbox]")];

async function markSelected(isRead) {
  const ids = ticks().filter((tick) => tick.checked).map((tick) => tick.value);
  if (!ids.length) return tell("bad", words.noneSelected);
  const parts = [];
  while (ids.length) parts.push({ shareIds: ids.splice(0, MOST_NAMED), isRead });
  await markAll(parts);
}

// Nothing that came since the list was loaded is marked: nobody has seen it.
async function markFound() {
  if (newest === null || !window.confirm(words.sure)) return;
  const until = filter.sentTo && new Date(filter.sentTo) < new Date(newest) ? filter.sentTo : newest;
  await markAll([{ filter: { ...filter, sentTo: until }, isRead: true }]);
}

async function markAll(orders) {
  let changed = 0;
  while (orders.length) {
    const { markShares: answer } = await ask(MARK_MANY, { input: orders[0] });
    if (answer.__typename !== "SharesMarked") return refuse(answer);
    changed += answer.changed;
    if (!answer.hasMore) orders.shift();
  }
  await show();
  tell("good", words.marked(changed));
}

async function refuse({ __typename: why, message }) {
  if (why === "NotLoggedIn") await show();
  tell("bad", message);
}

async function showMore() {
  const [first] = await page(next);
  first?.querySelector("h3").focus();
}

// Whatever is chosen while one choice is on its way is saved after it; what could not be saved is not shown.
async function choose() {
  try {
    while (at("notify").value !== chosen) {
      const { changeNotifications: answer } = await ask(NOTIFY, { input: { notify: at("notify").value } });
      if (answer.__typename !== "NotificationsChanged") return await refuse(answer);
      chosen = answer.user.notify;
      tell("good", words.saved);
    }
  } finally {
    at("notify").value = chosen;
  }
}

speakTo(null);
onClick(at("more"), showMore);
onSubmit(at("search"), search);
onClick(at("clear"), clear);
at("all").addEventListener("change", () => ticks().forEach((tick) => { tick.checked = at("all").checked; }));
onClick(at("mark-read"), () => markSelected(true));
onClick(at("mark-unread"), () => markSelected(false));
onClick(at("mark-found"), markFound);
at("notify").addEventListener("change", () => attempt(at("notify"), choose));
withSession(LOG_IN, "email", show);
